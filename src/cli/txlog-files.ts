/** The log as its files tell it: every row of the view `txn`, also of a running server. */
import { setTimeout as sleep } from "node:timers/promises";
import { openLogReader, type LogReader, type LogRow } from "../storage/log-reader.ts";
import { CommandError } from "./failure.ts";
import { count, dataPreview } from "./format.ts";
import { dataJson } from "./json.ts";
import type { LogLine, LogSource } from "./txlog-source.ts";

const linesAtOnce = 100;
/** The server stores its commit point this often; looking more often would see nothing new. */
const pollMs = 100;

/** Opens the log in a data directory. */
export function fileLog(dataDir: string): LogSource {
  const reader = openReader(dataDir);
  return {
    oldestZxid: reader.oldestZxid,
    committedZxid: reader.committedZxid,
    async *rows({ from, to, path }, signal) {
      let next = from;
      while (next <= to && !signal.aborted) {
        const committed = reader.committedZxid;
        // The log may have been purged up to beyond what comes next: a gap must not go unnoticed.
        if (next < reader.oldestZxid) throw new CommandError(`the log begins with transaction ${reader.oldestZxid}`);
        if (committed >= next) {
          yield* batches(reader.transactions({ from: next, to: Math.min(to, committed), pathPrefix: path }), signal);
          next = committed + 1;
        }
        if (next <= to) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

function openReader(dataDir: string): LogReader {
  try {
    return openLogReader(dataDir);
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
}

function* batches(rows: Iterable<LogRow>, signal: AbortSignal): Generator<LogLine[], void> {
  let batch: LogLine[] = [];
  for (const row of rows) {
    if (signal.aborted) return;
    batch.push({ line: lineOf(row), json: jsonOf(row) });
    if (batch.length < linesAtOnce) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** The columns of the view, data in both its forms. */
function jsonOf({ data, ...columns }: LogRow): LogLine["json"] {
  return { ...columns, ...dataJson(data ?? undefined) };
}

/** `12.0  2026-11-22T19:40:00.123Z  set_data  /a  version 1, "x"  (session 7, write 3)`. */
export function lineOf(row: LogRow): string {
  const place = `${row.zxid}.${row.op}`.padStart(10);
  return [place, row.time, row.kind.padEnd(14), ...(row.path === "" ? [] : [row.path]), detailsOf(row)]
    .join("  ")
    .trimEnd();
}

function detailsOf(row: LogRow): string {
  const details: string[] = [];
  if (row.code !== "OK") details.push(`${row.request} refused: ${row.code}`);
  else if (row.kind === "create" || row.kind === "set_data") details.push(`version ${row.version}`, preview(row));
  if (row.cause !== "request") details.push(row.cause.replaceAll("_", " "));
  if (row.session !== 0)
    details.push(row.seq === 0 ? `session ${row.session}` : `session ${row.session} write ${row.seq}`);
  return details.join(", ");
}

function preview({ data, data_length: length }: LogRow): string {
  return length > 200 ? count(length, "byte") : dataPreview(data ?? undefined);
}
