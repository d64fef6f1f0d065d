/**
 * Writes planned znodes. They go in multis over one session: its order keeps parents before children although many are
 * on their way at once, and its numbered writes let the import go on after a broken connection or a server's restart.
 *
 * What exists is set, what does not is created, so that running an import again completes one that was interrupted.
 */
import { readFile } from "node:fs/promises";
import { limits } from "../base/limits.ts";
import { ZabtreeError, type Connection, type Session, type Znode } from "../client/index.ts";
import { CommandError } from "./failure.ts";
import type { PlannedZnode } from "./import-plan.ts";
import type { MultiOperationInit } from "./multi-file.ts";

export interface ImportRun {
  readonly znodes: readonly PlannedZnode[];
  /** Called with the number of znodes written, whenever more have been acknowledged. */
  readonly onProgress: (written: number) => void;
}

interface Batch {
  readonly operations: MultiOperationInit[];
}

const batchOperations = 256;
/** Well below what a multi may hold: smaller transactions hold others up less. */
const batchBytes = 1024 * 1024;
const batchesInFlight = 8;

export async function runImport(
  connection: Connection,
  session: Session,
  { znodes, onProgress }: ImportRun,
): Promise<void> {
  const root = znodes[0];
  if (root === undefined) return;
  const existing = await existingZnodes(connection, root.path);
  const inFlight = new Set<Promise<void>>();
  const refused: Batch[] = [];
  let done = 0;
  let failure: Error | undefined;
  for await (const batch of batches(znodes, existing)) {
    const sent = session
      .request("multi", { operations: batch.operations })
      .then(() => {
        done += batch.operations.length;
        onProgress(done);
      })
      .catch((error: unknown) => {
        if (isOvertaken(error)) refused.push(batch);
        else failure ??= error as Error;
      })
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
    while (inFlight.size >= batchesInFlight) await Promise.race(inFlight);
    if (failure !== undefined) break;
  }
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure;
  for (const batch of refused) {
    await writeOvertaken(session, batch);
    done += batch.operations.length;
    onProgress(done);
  }
}

/** Paths that exist already at and below `path`, with what decides whether they must be touched. */
async function existingZnodes(connection: Connection, path: string): Promise<Map<string, Znode["stat"]>> {
  const existing = new Map<string, Znode["stat"]>();
  try {
    for await (const piece of connection.subtreePieces(path)) {
      for (const znode of piece) existing.set(znode.path, znode.stat);
    }
  } catch (error) {
    if (!(error instanceof ZabtreeError && error.reason === "NO_NODE")) throw error;
  }
  return existing;
}

async function* batches(
  znodes: readonly PlannedZnode[],
  existing: ReadonlyMap<string, Znode["stat"]>,
): AsyncGenerator<Batch, void> {
  let operations: MultiOperationInit[] = [];
  let bytes = 0;
  for (const [index, znode] of znodes.entries()) {
    const data = znode.file === undefined ? undefined : await bytesOf(znode.file);
    const exists = existing.has(znode.path);
    if (exists && data === undefined && isAsPlanned(existing.get(znode.path), index === 0)) continue;
    const length = znode.path.length * 3 + (data?.length ?? 0);
    if (operations.length > 0 && (operations.length >= batchOperations || bytes + length > batchBytes)) {
      yield { operations };
      operations = [];
      bytes = 0;
    }
    operations.push(writeOf(exists, { path: znode.path, data }));
    bytes += length;
  }
  if (operations.length > 0) yield { operations };
}

/**
 * Whether a directory's znode that exists needs no write. The topmost one may hold data that is none of the import's
 * business. Elsewhere data must go: of a znode with a length of 0 and no children it is not known whether it has some.
 */
function isAsPlanned(stat: Znode["stat"], topmost: boolean): boolean {
  return topmost || (stat?.dataLength === 0 && stat.numChildren > 0);
}

interface Write {
  readonly path: string;
  readonly data: Uint8Array<ArrayBuffer> | undefined;
}

function writeOf(exists: boolean, { path, data }: Write): MultiOperationInit {
  return { operation: exists ? { case: "setData", value: { path, data } } : { case: "create", value: { path, data } } };
}

async function bytesOf(file: string): Promise<Uint8Array<ArrayBuffer>> {
  let data: Uint8Array<ArrayBuffer>;
  try {
    data = new Uint8Array(await readFile(file));
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`);
  }
  if (data.length > limits.data) throw new CommandError(`${file} has grown above what a znode holds`);
  return data;
}

/** Whether somebody else created or deleted a znode while this import ran, so that a set and a create swap places. */
function isOvertaken(error: unknown): error is ZabtreeError {
  return error instanceof ZabtreeError && (error.reason === "NODE_EXISTS" || error.reason === "NO_NODE");
}

/** Writes a batch whose guess of what exists was wrong, by correcting one operation after the other. */
async function writeOvertaken(session: Session, { operations }: Batch): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await session.request("multi", { operations });
      return;
    } catch (error) {
      if (!isOvertaken(error) || attempt > operations.length) throw error;
      const index = Number(error.metadata["operation"]);
      const operation = operations[index]?.operation;
      const wasCreate = operation?.case === "create";
      // A create that finds no parent is no wrong guess.
      if (operation === undefined || wasCreate !== (error.reason === "NODE_EXISTS")) throw error;
      const { path, data } = operation.value as Write;
      operations[index] = writeOf(wasCreate, { path, data });
    }
  }
}
