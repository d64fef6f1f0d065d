/**
 * Judges of a trace: what a replica told the world, against the log. Each returns what is wrong, one line for each
 * fault; nothing when all is well. Tests with planted bugs prove that each can fail (src/replica/planted.test.ts).
 */
import { ByteReader } from "../../src/base/bytes.ts";
import { decodeTxn } from "../../src/replica/txn-codec.ts";
import { OpKind, type Txn, type TxnOp } from "../../src/tree/txn.ts";
import { EventKind } from "../../src/watches/watch-event.ts";
import type { Answer, Entry, FakeLog } from "./replica-world.ts";

/** Nothing is told that a `persisted` had not proved to be durable by then. */
export function answersAreDurable(trace: readonly Entry[]): string[] {
  const faults: string[] = [];
  let durable = 0;
  for (const entry of trace) {
    if (entry.kind === "told") durable = entry.zxid;
    else if (entry.kind === "crash") durable = 0;
    else {
      const zxid = newestIn(entry);
      if (zxid > durable) faults.push(`${entry.kind} reflects ${zxid}, but only ${durable} is known to be durable`);
    }
  }
  return faults;
}

/** The newest transaction that an entry reflects. */
function newestIn(entry: Entry): number {
  switch (entry.kind) {
    case "answer":
      return Math.max(entry.zxid, entry.stat?.mzxid ?? 0, entry.stat?.pzxid ?? 0);
    case "event":
    case "cursor":
      return entry.zxid;
    case "state":
      return entry.mzxid;
    default:
      return 0;
  }
}

/** Every transaction that was answered is in the log as it was answered, whatever crashed in between. */
export function nothingLost(trace: readonly Entry[], log: FakeLog): string[] {
  const faults: string[] = [];
  for (const entry of trace) {
    if (entry.kind !== "answer" || entry.txn === undefined) continue;
    const txn = decodeTxn(new ByteReader(entry.txn));
    const stored = log.txns[txn.zxid - 1];
    // The retry of an opening is answered with a transaction made up of what is known of the session.
    if (txn.epoch === 0 && txn.ops[0]!.kind === OpKind.openSession) continue;
    if (stored === undefined) faults.push(`transaction ${txn.zxid} was answered and is not in the log`);
    else if (Buffer.compare(stored, entry.txn) !== 0) faults.push(`transaction ${txn.zxid} was answered as another`);
  }
  return faults;
}

/** One stream: every call sent is answered once, in the order sent. Streams that ended may leave the last unanswered. */
export function answeredInOrder(sent: readonly number[], entries: readonly Entry[]): string[] {
  const faults: string[] = [];
  const answers = entries.filter((entry): entry is Answer => entry.kind === "answer");
  const ended = entries.some((entry) => entry.kind === "ended");
  if (ended && entries.at(-1)!.kind !== "ended") faults.push("something follows the end of the stream");
  for (const [index, { call }] of answers.entries()) {
    if (call !== sent[index]) faults.push(`answer ${index} is for call ${call}, not for ${sent[index] ?? "none"}`);
  }
  return faults;
}

const changing: ReadonlySet<number> = new Set([OpKind.create, OpKind.setData, OpKind.delete]);

function concerns(op: TxnOp, kind: "data" | "children", path: string): boolean {
  if (op.path === path) return kind === "data" ? changing.has(op.kind) : op.kind === OpKind.delete;
  if (kind === "data" || (op.kind !== OpKind.create && op.kind !== OpKind.delete)) return false;
  const parent = op.path.slice(0, op.path.lastIndexOf("/"));
  return (parent === "" ? "/" : parent) === path && op.path !== "/";
}

/** A one-shot watch that a read left on a stream. */
export interface LeftWatch {
  readonly call: number;
  readonly id: number;
  readonly kind: "data" | "children";
  readonly path: string;
}

/**
 * One stream whose caller may read everything: a one-shot watch fires once, with the first change after the read that
 * left it, and before anything is answered that reflects that change.
 */
export function oneShotsFire(
  left: readonly LeftWatch[],
  entries: readonly Entry[],
  txns: readonly Txn[],
  applied: number,
): string[] {
  const faults: string[] = [];
  for (const { call, id, kind, path } of left) {
    const name = `watch ${id} on ${kind} of ${path}`;
    const at = entries.findIndex((entry) => entry.kind === "answer" && entry.call === call);
    const answer = entries[at];
    if (answer?.kind !== "answer" || (answer.reason !== "" && answer.what !== "exists")) continue;
    const fired = entries.flatMap((entry, index) =>
      entry.kind === "event" && entry.ids.includes(id) ? [{ entry, index }] : [],
    );
    const due = txns.find(
      (txn) => txn.zxid > answer.zxid && txn.zxid <= applied && txn.ops.some((op) => concerns(op, kind, path)),
    );
    const ended = entries.findIndex((entry) => entry.kind === "ended");
    if (due === undefined) {
      if (fired.length > 0) faults.push(`${name} fired for nothing`);
      continue;
    }
    if (fired.length > 1) faults.push(`${name} fired ${fired.length} times`);
    const first = fired[0];
    if (first === undefined) {
      if (ended < 0) faults.push(`${name} did not fire at ${due.zxid}`);
    } else if (first.entry.zxid !== due.zxid) faults.push(`${name} fired at ${first.entry.zxid}, not at ${due.zxid}`);
    const reflecting = entries.findIndex(
      (entry, index) => index > at && entry.kind === "answer" && newestIn(entry) >= due.zxid,
    );
    if (reflecting >= 0 && (first === undefined || first.index > reflecting)) {
      faults.push(`an answer reflects ${due.zxid} before ${name} told of it`);
    }
  }
  return faults;
}

/** One stream with a watch of everything, live from `from` on: each event before any answer that reflects it. */
export function eventsBeforeAnswers(
  id: number,
  from: number,
  entries: readonly Entry[],
  txns: readonly Txn[],
): string[] {
  const faults: string[] = [];
  const due = txns
    .filter((txn) => txn.zxid > from)
    .flatMap((txn) => txn.ops.flatMap((op, index) => (changing.has(op.kind) ? [`${txn.zxid}.${index}`] : [])));
  let told = 0;
  for (const entry of entries) {
    if (entry.kind === "event" && entry.ids.includes(id)) {
      const at = `${entry.zxid}.${entry.op}`;
      if (due[told] !== at) faults.push(`event ${at} comes where ${due[told] ?? "none"} is due`);
      told++;
    } else if (entry.kind === "answer" && entry.zxid > from) {
      const next = due[told];
      if (next !== undefined && Number(next.split(".")[0]) <= newestIn(entry)) {
        faults.push(`call ${entry.call} reflects ${newestIn(entry)} before event ${next}`);
      }
    }
  }
  return faults;
}

// ---- exactly once

/** What a client asked for under one seq, and what it was told about it. */
export interface NumberedCall {
  readonly session: number;
  readonly seq: number;
  /** Undefined for a multi. */
  readonly path: string | undefined;
  readonly answers: readonly Answer[];
}

/** Refusals for now: they say nothing about the outcome. */
export const forNow: ReadonlySet<string> = new Set([
  "NO_LEADER",
  "OVERLOADED",
  "DISK_LOW",
  "TOO_MANY_UNACKNOWLEDGED",
  "SEQUENCE_GAP",
  "SESSION_EXPIRED",
  "SHUTTING_DOWN",
]);

/** Each numbered write is in the log once, and every answer about it says the same. */
export function happenedOnce(calls: readonly NumberedCall[], txns: readonly Txn[]): string[] {
  const faults: string[] = [];
  for (const { session, seq, path, answers } of calls) {
    const name = `write ${seq} of session ${session}`;
    const rows = txns.filter((txn) => txn.session === session && txn.seq === seq);
    if (rows.length > 1) faults.push(`${name} happened ${rows.length} times`);
    const final = answers.filter((answer) => !forNow.has(answer.reason));
    const row = rows[0];
    if (row === undefined) {
      if (final.length > 0) faults.push(`${name} was answered and is not in the log`);
      continue;
    }
    if (path !== undefined && row.ops[0]!.path !== path) faults.push(`${name} is another request: ${row.ops[0]!.path}`);
    const rejected = row.ops[0]!.kind === OpKind.rejected;
    for (const answer of final) {
      if (answer.zxid !== row.zxid) faults.push(`${name} is ${row.zxid} and was answered as ${answer.zxid}`);
      if ((answer.reason !== "") !== rejected) faults.push(`${name} was answered with ${answer.reason || "ok"}`);
    }
  }
  for (const session of new Set(txns.map((txn) => txn.session))) {
    const seqs = txns.filter((txn) => txn.session === session && txn.seq > 0).map((txn) => txn.seq);
    for (const [index, seq] of seqs.entries()) {
      if (seq !== index + 1) faults.push(`session ${session} has seq ${seq} where ${index + 1} is due`);
    }
    const all = txns.filter((txn) => txn.session === session);
    const end = all.findIndex((txn) => txn.ops[0]!.kind === OpKind.closeSession);
    if (end >= 0 && end !== all.length - 1) faults.push(`session ${session} did something after its end`);
  }
  return faults;
}

// ---- reads

/** A read that was sent on a stream. */
export interface SentRead {
  readonly call: number;
  readonly path: string;
}

/**
 * One stream: each read shows the tree exactly as of the transaction it names, and none earlier than what the stream was
 * told before.
 */
export function readsAreExact(sent: readonly SentRead[], entries: readonly Entry[], txns: readonly Txn[]): string[] {
  const faults: string[] = [];
  const paths = new Map(sent.map(({ call, path }) => [call, path]));
  let seen = 0;
  for (const entry of entries) {
    if (entry.kind === "event") seen = Math.max(seen, entry.zxid);
    if (entry.kind !== "answer") continue;
    if (entry.what === "committed") seen = Math.max(seen, entry.zxid);
    const path = paths.get(entry.call);
    if (path === undefined || (entry.reason !== "" && entry.reason !== "NO_NODE")) continue;
    if (entry.zxid < seen) faults.push(`read ${entry.call} is of ${entry.zxid}, but ${seen} was told before`);
    seen = Math.max(seen, entry.zxid);
    const model = modelAt(txns, { zxid: entry.zxid, op: Infinity }, { scope: "subtree", path });
    const znode = model.get(path);
    const absent = entry.reason === "NO_NODE" || (entry.what === "exists" && entry.stat === null);
    if (absent !== (znode === undefined)) faults.push(`read ${entry.call} of ${path} is wrong about its existence`);
    if (absent || znode === undefined) continue;
    if (entry.stat?.mzxid !== znode.mzxid) faults.push(`read ${entry.call} of ${path} is not as of ${entry.zxid}`);
    if (entry.what === "data" && !sameData(entry.data ?? null, znode.data))
      faults.push(`read ${entry.call}: other data`);
    if (entry.what === "children") {
      const below = path === "/" ? "/" : `${path}/`;
      const names = [...model.keys()].filter((other) => other !== path && covers("children", path, other));
      const expected = names.map((other) => other.slice(below.length)).sort();
      if (entry.names!.join() !== expected.join()) faults.push(`read ${entry.call}: other children`);
    }
  }
  return faults;
}

// ---- watches

/** What a watch covers: path → data and the transaction that set it. */
export type Covered = ReadonlyMap<string, { readonly mzxid: number; readonly data: Uint8Array | null }>;

export type Scope = "node" | "children" | "subtree";

export function covers(scope: Scope, root: string, path: string): boolean {
  if (path === root) return true;
  const below = root === "/" ? "/" : `${root}/`;
  if (!path.startsWith(below) || scope === "node") return false;
  return scope === "subtree" || !path.slice(below.length).includes("/");
}

/** The znodes a watch covers as of a cursor, by the rows of the log. */
export function modelAt(
  txns: readonly Txn[],
  cursor: { zxid: number; op: number },
  watch: { scope: Scope; path: string },
): Covered {
  const model = new Map<string, { mzxid: number; data: Uint8Array | null }>();
  for (const path of ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]) {
    model.set(path, { mzxid: 0, data: null });
  }
  for (const { zxid, ops } of txns) {
    for (const [index, op] of ops.entries()) {
      if (zxid > cursor.zxid || (zxid === cursor.zxid && index > cursor.op)) break;
      if (op.kind === OpKind.create || op.kind === OpKind.setData) model.set(op.path, { mzxid: zxid, data: op.data });
      else if (op.kind === OpKind.delete) model.delete(op.path);
    }
  }
  for (const path of [...model.keys()]) if (!covers(watch.scope, watch.path, path)) model.delete(path);
  return model;
}

/**
 * One watch of a caller who may read everything: what it was told, added up, is the tree as of each cursor; events come
 * in the order of the log, those of one transaction without another's between them, none twice and none left out.
 *
 * `start`: what the caller knows before: nothing where the watch begins with the current state, else the tree as of its
 * cursor.
 */
export function sumIsExact(
  watch: { id: number; scope: Scope; path: string },
  start: { zxid: number; op: number } | "currentState",
  entries: readonly Entry[],
  txns: readonly Txn[],
): string[] {
  const faults: string[] = [];
  const walking = start === "currentState";
  const sum = new Map(walking ? [] : modelAt(txns, start, watch));
  let synced = !walking;
  let last = walking ? { zxid: 0, op: -1 } : start;
  for (const entry of entries) {
    if (entry.kind === "state" && entry.id === watch.id) {
      if (synced) faults.push(`state of ${entry.path} after synced`);
      if (!covers(watch.scope, watch.path, entry.path)) faults.push(`state of ${entry.path}, which is not covered`);
      if (sum.has(entry.path)) faults.push(`state of ${entry.path}, which is known`);
      sum.set(entry.path, { mzxid: entry.mzxid, data: entry.data });
    } else if (entry.kind === "event" && entry.ids.includes(watch.id)) {
      const { zxid, op, path, data } = entry;
      if (zxid < last.zxid || (zxid === last.zxid && op <= last.op)) {
        faults.push(`event ${zxid}.${op} comes after ${last.zxid}.${last.op}`);
      }
      last = { zxid, op };
      if (!covers(watch.scope, watch.path, path)) faults.push(`event of ${path}, which is not covered`);
      const known = sum.has(path);
      if (entry.event === EventKind.deleted) {
        if (!known) faults.push(`${path} was deleted at ${zxid} and is not known`);
        sum.delete(path);
      } else {
        if (known !== (entry.event === EventKind.dataChanged)) faults.push(`${path} changed at ${zxid} out of turn`);
        sum.set(path, { mzxid: zxid, data });
      }
      // Until the walk is over the sum is not exact; from then on it is, after every event.
      if (synced) faults.push(...difference(sum, modelAt(txns, last, watch), `after event ${zxid}.${op}`));
    } else if (entry.kind === "cursor" && entry.id === watch.id) {
      if (entry.synced !== (walking && !synced)) faults.push("a cursor before synced, or synced twice");
      synced = true;
      if (entry.zxid < last.zxid) faults.push(`the cursor goes back from ${last.zxid} to ${entry.zxid}`);
      if (entry.zxid > last.zxid || entry.op > last.op) last = { zxid: entry.zxid, op: entry.op };
      faults.push(...difference(sum, modelAt(txns, entry, watch), `at the cursor ${entry.zxid}.${entry.op}`));
    }
  }
  return faults;
}

/** What is different between what a watch told and what is so. */
export function difference(told: Covered, model: Covered, when: string): string[] {
  const faults: string[] = [];
  for (const [path, znode] of model) {
    const other = told.get(path);
    if (other === undefined) faults.push(`${path} is missing ${when}`);
    else if (other.mzxid !== znode.mzxid) faults.push(`${path} is of ${other.mzxid}, not of ${znode.mzxid}, ${when}`);
    else if (!sameData(other.data, znode.data)) faults.push(`${path} has other data ${when}`);
  }
  for (const path of told.keys()) if (!model.has(path)) faults.push(`${path} should be gone ${when}`);
  return faults;
}

function sameData(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
