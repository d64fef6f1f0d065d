/**
 * A replica in a world made of fakes: a log whose steps become durable when a test says so, a history that answers when
 * asked to, sinks that record everything, and clocks that a test moves. The world can crash: what was not durable is
 * gone, and a new replica recovers from the rest.
 *
 * Everything that leaves the replica goes into one trace, which checkers judge (replica-checks.ts).
 */
import { ByteReader, ByteWriter } from "../../src/base/bytes.ts";
import type { Refusal } from "../../src/base/reasons.ts";
import type { LocalSession } from "../../src/replica/local-session.ts";
import type {
  ChildrenPage,
  DoneKind,
  HistoryPort,
  PathsPage,
  ReadResult,
  Recovered,
  SessionSink,
} from "../../src/replica/ports.ts";
import type { ReadRequest } from "../../src/replica/read-request.ts";
import { Replica, type ReplicaConfig, type ReplicaPorts } from "../../src/replica/replica.ts";
import type { OutcomeReport } from "../../src/replica/session-keeper.ts";
import type { SessionStream } from "../../src/replica/session-stream.ts";
import { decodeTxn, encodeTxn } from "../../src/replica/txn-codec.ts";
import type { WatchSpec } from "../../src/replica/watch-feeds.ts";
import { applyToSessions } from "../../src/sessions/apply.ts";
import { SessionTable } from "../../src/sessions/session-table.ts";
import type { Acl, Identity } from "../../src/tree/acl.ts";
import { parseFounding, type Founding } from "../../src/tree/detail.ts";
import type { Caller } from "../../src/tree/prepare.ts";
import type { WriteRequest } from "../../src/tree/request.ts";
import type { Stat } from "../../src/tree/stat.ts";
import { Tree } from "../../src/tree/tree.ts";
import { OpKind, type Txn } from "../../src/tree/txn.ts";
import type { WatchEvent } from "../../src/watches/watch-event.ts";
import type {
  AppendStep,
  DurableLog,
  DurableState,
  EpochStep,
  Forming,
  HistoryPiece,
  LogPosition,
  LogSource,
  MemberAck,
} from "../../src/zab/durable-log.ts";
import { identity } from "./tree-leader.ts";

export const clusterId = "0123456789abcdef0123456789abcdef";
export const tickMs = 50;

// ---- what leaves the replica

/** What a sink was told, or what happened to the world. */
export type Entry =
  /** The replica was told that everything up to this transaction is durable. */
  | { readonly kind: "told"; readonly zxid: number }
  | { readonly kind: "crash" }
  | Answer
  | {
      readonly kind: "event";
      readonly to: string;
      readonly ids: readonly number[];
      readonly event: number;
      readonly path: string;
      readonly zxid: number;
      readonly op: number;
      readonly data: Uint8Array | null;
    }
  | {
      readonly kind: "state";
      readonly to: string;
      readonly id: number;
      readonly path: string;
      readonly mzxid: number;
      readonly data: Uint8Array | null;
    }
  | {
      readonly kind: "cursor";
      readonly to: string;
      readonly id: number;
      readonly zxid: number;
      readonly op: number;
      readonly synced: boolean;
    }
  | {
      readonly kind: "watchEnded";
      readonly to: string;
      readonly id: number;
      readonly reason: string;
      readonly refusal: Refusal;
    }
  | { readonly kind: "attached"; readonly to: string; readonly lastSeq: number; readonly remainingMs: number }
  | { readonly kind: "heartbeat"; readonly to: string; readonly id: number; readonly remainingMs: number }
  | { readonly kind: "ended"; readonly to: string; readonly reason: string };

export interface Answer {
  readonly kind: "answer";
  readonly to: string;
  readonly call: number;
  /** The transaction that says so, or the last one applied. */
  readonly zxid: number;
  readonly what: string;
  /** "" for success. */
  readonly reason: string;
  readonly refusal?: Refusal;
  /** Of a write that was committed: the transaction, encoded. */
  readonly txn?: Uint8Array;
  /** Of a read. */
  readonly data?: Uint8Array | null;
  readonly stat?: Stat | null;
  readonly names?: readonly string[];
  readonly count?: number;
  readonly page?: ChildrenPage | PathsPage;
  readonly results?: readonly ReadResult[];
  readonly acl?: Acl;
  readonly identities?: readonly Identity[];
}

/** Records what it is told, into a list of its own and into the trace of the world. */
export class RecordingSink implements SessionSink {
  readonly name: string;
  readonly entries: Entry[] = [];
  /** Entries that fit before the sink is backlogged. */
  capacity = Infinity;
  private unread = 0;
  private readonly trace: Entry[];

  constructor(name: string, trace: Entry[]) {
    this.name = name;
    this.trace = trace;
  }

  /** The client reads everything. The replica is still to be told. */
  read(): void {
    this.unread = 0;
  }

  backlogged(): boolean {
    return this.unread >= this.capacity;
  }

  get answers(): Answer[] {
    return this.entries.filter((entry) => entry.kind === "answer");
  }

  get events() {
    return this.entries.filter((entry) => entry.kind === "event");
  }

  /** Answers and events as short lines, in order; and forgets them. */
  take(): string[] {
    return this.entries.splice(0).map(line);
  }

  private push(entry: Entry): void {
    this.unread++;
    this.entries.push(entry);
    this.trace.push(entry);
  }

  private answer(call: number, zxid: number, what: string, more: Partial<Answer> = {}): void {
    this.push({ kind: "answer", to: this.name, call, zxid, what, reason: "", ...more });
  }

  committed(call: number, txn: Txn): void {
    const writer = new ByteWriter();
    encodeTxn(txn, writer);
    this.answer(call, txn.zxid, "committed", { txn: writer.copy() });
  }

  committedBefore(call: number, zxid: number, request: number): void {
    this.answer(call, zxid, "committedBefore", { count: request });
  }

  refused(call: number, zxid: number, refusal: Refusal): void {
    this.answer(call, zxid, "refused", { reason: refusal.reason, refusal });
  }

  exists(call: number, zxid: number, stat: Stat | null): void {
    this.answer(call, zxid, "exists", { stat: stat === null ? null : { ...stat } });
  }

  data(call: number, zxid: number, data: Uint8Array | null, stat: Stat): void {
    this.answer(call, zxid, "data", { data: copy(data), stat: { ...stat } });
  }

  children(call: number, zxid: number, page: ChildrenPage): void {
    const names = page.children.map((child) => child.name);
    this.answer(call, zxid, "children", { names, page: { ...page, stat: { ...page.stat } }, stat: { ...page.stat } });
  }

  count(call: number, zxid: number, count: number): void {
    this.answer(call, zxid, "count", { count });
  }

  ephemerals(call: number, zxid: number, page: PathsPage): void {
    this.answer(call, zxid, "ephemerals", { names: [...page.paths], page });
  }

  acl(call: number, zxid: number, acl: Acl, stat: Stat): void {
    this.answer(call, zxid, "acl", { acl, stat: { ...stat } });
  }

  multiRead(call: number, zxid: number, results: readonly ReadResult[]): void {
    this.answer(call, zxid, "multiRead", { results });
  }

  done(call: number, zxid: number, what: DoneKind): void {
    this.answer(call, zxid, what);
  }

  identities(call: number, zxid: number, identities: readonly Identity[]): void {
    this.answer(call, zxid, "identities", { identities });
  }

  attached(terms: { timeoutMs: number; lastSeq: number; remainingMs: number }): void {
    this.push({ kind: "attached", to: this.name, lastSeq: terms.lastSeq, remainingMs: terms.remainingMs });
  }

  heartbeat(id: number, remainingMs: number): void {
    this.push({ kind: "heartbeat", to: this.name, id, remainingMs });
  }

  ended(refusal: Refusal): void {
    this.push({ kind: "ended", to: this.name, reason: refusal.reason });
  }

  closed(): void {
    this.push({ kind: "ended", to: this.name, reason: "closed" });
  }

  watchEvent(ids: readonly number[], event: WatchEvent): void {
    const { kind, path, zxid, opIndex, op, includeData } = event;
    const data = includeData ? copy(op.data) : null;
    this.push({ kind: "event", to: this.name, ids: [...ids], event: kind, path, zxid, op: opIndex, data });
  }

  watchState(id: number, path: string, stat: Stat, data: Uint8Array | null): void {
    this.push({ kind: "state", to: this.name, id, path, mzxid: stat.mzxid, data: copy(data) });
  }

  watchCursor(id: number, zxid: number, op: number, synced: boolean): void {
    this.push({ kind: "cursor", to: this.name, id, zxid, op, synced });
  }

  watchEnded(id: number, refusal: Refusal): void {
    this.push({ kind: "watchEnded", to: this.name, id, reason: refusal.reason, refusal });
  }
}

const eventNames = ["", "created", "dataChanged", "deleted", "childrenChanged"];

/** `3 ok @12`, `4 NO_NODE @12`, `created /a [1,2] @12`, … */
function line(entry: Entry): string {
  switch (entry.kind) {
    case "answer":
      return `${entry.call} ${entry.reason === "" ? "ok" : entry.reason} @${entry.zxid}`;
    case "event":
      return `${eventNames[entry.event]!} ${entry.path} [${entry.ids.join(",")}] @${entry.zxid}`;
    case "state":
      return `state ${entry.path} [${entry.id}]`;
    case "cursor":
      return `${entry.synced ? "synced" : "cursor"} [${entry.id}] @${entry.zxid}`;
    case "watchEnded":
      return `watch ended ${entry.reason} [${entry.id}]`;
    case "attached":
      return `attached ${entry.lastSeq}`;
    case "heartbeat":
      return `heartbeat ${entry.id}`;
    case "ended":
      return `ended ${entry.reason}`;
    case "told":
    case "crash":
      return entry.kind;
  }
}

function copy(data: Uint8Array | null): Uint8Array | null {
  return data === null ? null : Uint8Array.from(data);
}

// ---- the log and the history

interface Step {
  readonly write: number;
  readonly name: string;
  run(): void;
}

/** A log on a disk that a test holds still. */
export class FakeLog implements DurableLog, LogSource {
  acceptedEpoch = 0;
  currentEpoch = 0;
  clusterId = "";
  forming: Forming | undefined;
  recovering: string | undefined;
  acks: readonly MemberAck[] = [];
  /** Nothing is purged. */
  readonly oldestZxid = 1;
  /** Reads to bring others up to date, not answered yet. */
  readonly reads: { ticket: number; after: number }[] = [];
  committed: LogPosition = { zxid: 0, epoch: 0 };
  /** The transactions on stable storage, encoded; index 0 is transaction 1. */
  readonly txns: Uint8Array[] = [];
  /** Names of the steps that became durable, in order. */
  readonly done: string[] = [];
  private steps: Step[] = [];
  /** The last durable step; 0 for none in this life. */
  durableWrite = 0;

  acceptEpoch(write: number, epoch: number): void {
    this.add(write, `accept ${epoch}`, () => {
      if (epoch <= this.acceptedEpoch) throw new Error("an epoch is accepted twice");
      this.acceptedEpoch = epoch;
    });
  }

  establishEpoch(write: number, step: EpochStep): void {
    this.add(write, `establish ${step.epoch}`, () => {
      if (step.epoch !== this.acceptedEpoch) throw new Error("an epoch is established that is not accepted");
      if (step.last.zxid !== this.txns.length) throw new Error("an epoch continues another history");
      this.currentEpoch = step.epoch;
      this.forming = undefined;
      this.recovering = undefined;
      this.moveCommitted(step.committed);
    });
  }

  append(write: number, step: AppendStep): void {
    this.add(write, `append ${step.firstZxid}-${step.lastZxid}`, () => {
      if (step.firstZxid !== this.txns.length + 1) throw new Error("an append leaves a gap");
      const reader = new ByteReader(step.bytes);
      while (!reader.done) {
        const start = reader.at;
        const txn = decodeTxn(reader);
        if (txn.zxid !== this.txns.length + 1) throw new Error("an append is not contiguous");
        if (txn.epoch > step.epoch || txn.epoch > this.acceptedEpoch) throw new Error("a row of another epoch");
        this.txns.push(step.bytes.slice(start, reader.at));
      }
      if (step.lastZxid !== this.txns.length) throw new Error("an append ends elsewhere");
      this.moveCommitted(step.committed);
    });
  }

  commit(write: number, point: LogPosition): void {
    this.add(write, `commit ${point.zxid}`, () => {
      this.moveCommitted(point);
    });
  }

  truncate(write: number, to: LogPosition): void {
    this.add(write, `truncate ${to.zxid}`, () => {
      if (to.zxid < this.committed.zxid) throw new Error("what is committed is cut off");
      this.txns.length = to.zxid;
    });
  }

  rememberAcks(write: number, acks: readonly MemberAck[]): void {
    this.add(write, "acks", () => {
      this.acks = acks;
    });
  }

  form(write: number, forming: Forming): void {
    this.add(write, "form", () => {
      this.forming = forming;
      this.clusterId = forming.clusterId;
    });
  }

  markRecovering(write: number, reason: string): void {
    this.add(write, "recovering", () => {
      this.recovering = reason;
    });
  }

  readLog(ticket: number, after: number): void {
    this.reads.push({ ticket, after });
  }

  /** Everything after a transaction, durable by now. */
  piece(after: number): HistoryPiece {
    return { bytes: concatenated(this.txns.slice(after)), firstZxid: after + 1, boundaries: this.boundaries(after) };
  }

  /** The last transaction of each epoch that has any after `after`. */
  boundaries(after = 0): LogPosition[] {
    const ends: LogPosition[] = [];
    for (let zxid = after + 1; zxid <= this.txns.length; zxid++) {
      const { epoch } = this.txn(zxid);
      if (ends.at(-1)?.epoch === epoch) ends.pop();
      ends.push({ zxid, epoch });
    }
    return ends;
  }

  /** What recovery hands to a replica. */
  recovered(): Recovered {
    const tree = Tree.initial();
    const sessions = new SessionTable();
    let founding: Founding | undefined;
    let committed: LogPosition = { zxid: 0, epoch: 0 };
    let last: LogPosition = committed;
    let lastTime = 0;
    for (const txn of this.all()) {
      last = { zxid: txn.zxid, epoch: txn.epoch };
      lastTime = txn.time;
      if (txn.zxid > this.committed.zxid) continue;
      for (const op of txn.ops) tree.apply(txn.zxid, op);
      applyToSessions(sessions, txn);
      const first = txn.ops[0]!;
      if (first.kind === OpKind.found) founding = parseFounding(first.detail);
      committed = last;
    }
    const tail = this.txns.slice(committed.zxid);
    const durable: DurableState = {
      clusterId: founding?.clusterId ?? this.clusterId,
      acceptedEpoch: this.acceptedEpoch,
      currentEpoch: this.currentEpoch,
      last,
      committed,
      boundaries: this.boundaries(),
      logStart: 1,
      tail: tail.length === 0 ? undefined : concatenated(tail),
      forming: this.forming,
      recovering: this.recovering,
      memberAcks: this.acks,
    };
    return { durable, founding, tree, sessions, lastTime };
  }

  private moveCommitted(point: LogPosition): void {
    if (point.zxid > this.txns.length) throw new Error("the stored commit point lies beyond the log");
    if (point.zxid < this.committed.zxid) throw new Error("the stored commit point goes back");
    this.committed = point;
  }

  private add(write: number, name: string, run: () => void): void {
    if (write <= (this.steps.at(-1)?.write ?? this.durableWrite)) throw new Error("write ids must rise");
    this.steps.push({ write, name, run });
  }

  /** Names of the steps that are not durable yet. */
  get waiting(): string[] {
    return this.steps.map((step) => step.name);
  }

  /** The last step asked for. */
  get lastWrite(): number {
    return this.steps.at(-1)?.write ?? this.durableWrite;
  }

  /** Makes the next steps durable, all of them unless a number is given. Nobody is told. */
  sync(count = Infinity): void {
    for (let i = 0; i < count && this.steps.length > 0; i++) {
      const step = this.steps.shift()!;
      step.run();
      this.done.push(step.name);
      this.durableWrite = step.write;
    }
  }

  /** The process is gone: write ids begin anew. */
  crash(): void {
    this.steps = [];
    this.reads.length = 0;
    this.durableWrite = 0;
  }

  txn(zxid: number): Txn {
    return decodeTxn(new ByteReader(this.txns[zxid - 1]!));
  }

  all(): Txn[] {
    return this.txns.map((_, index) => this.txn(index + 1));
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

interface HistoryRead {
  readonly ticket: number;
  readonly after: number;
  readonly upTo: number;
}

/** Keeps what it is asked until a test lets it answer. */
export class FakeHistory implements HistoryPort {
  readonly asked: HistoryRead[] = [];
  /** How often it was asked, ever. */
  reads = 0;
  /** The oldest transaction that is not purged. */
  oldestZxid = 1;
  /** Transactions in one answer at most. */
  most = Infinity;

  readAfter(ticket: number, after: number, upTo: number): void {
    this.reads++;
    this.asked.push({ ticket, after, upTo });
  }
}

// ---- the world

export interface WorldOptions {
  readonly config?: Partial<ReplicaConfig>;
  /** Makes the replica of each life; for planted bugs. */
  readonly make?: (config: ReplicaConfig, ports: ReplicaPorts, recovered: Recovered) => Replica;
}

export interface SessionOptions {
  readonly timeoutMs?: number;
  readonly identities?: readonly string[];
  readonly key?: string;
  readonly secret?: string;
}

export interface OpenedSession {
  readonly id: number;
  readonly secret: string;
}

/** A stream and what it was told. Calls number themselves from 1. */
export interface Connection {
  readonly sink: RecordingSink;
  readonly stream: SessionStream;
}

export class World {
  readonly log = new FakeLog();
  readonly history = new FakeHistory();
  readonly trace: Entry[] = [];
  replica!: Replica;
  /** Whether the replica of this life has said that it serves. */
  serving = false;
  monotonicMs = 5000;
  wallMs = 1_700_000_000_000;
  readonly options: { -readonly [K in keyof WorldOptions]: WorldOptions[K] };
  private toldWrite = 0;
  private calls = 0;
  private names = 0;

  constructor(options: WorldOptions = {}) {
    this.options = options;
    this.start();
  }

  /** A world whose replica serves. */
  static serving(options: WorldOptions = {}): World {
    const world = new World(options);
    world.settle();
    return world;
  }

  private start(): void {
    const timeouts = { stallMs: Infinity };
    const peer = { self: 1, members: [{ id: 1, voter: true }], newClusterId: clusterId, tickMs, timeouts };
    const config = { peer, featureLevel: 1, creatorOwned: false, ...this.options.config };
    this.serving = false;
    const unexpected = () => {
      throw new Error("a server that is alone needs nobody");
    };
    const ports: ReplicaPorts = {
      log: this.log,
      source: this.log,
      snapshots: { prepareSnapshot: unexpected, installSnapshot: unexpected },
      network: { notify: unexpected, connect: unexpected, send: unexpected, close: unexpected },
      history: this.history,
      stateChanged: () => {
        this.serving = this.replica.serving;
      },
      diverged: unexpected,
    };
    const make = this.options.make ?? ((...made) => new Replica(...made));
    this.replica = make(config, ports, this.log.recovered());
    this.replica.setTime(this.wallMs);
    this.replica.tick(this.monotonicMs);
  }

  // ---- inputs

  /** Makes steps durable and tells the replica. */
  persist(count = Infinity): void {
    this.log.sync(count);
    this.tell();
  }

  /** Tells the replica what is durable by now. */
  tell(): void {
    if (this.log.durableWrite === 0) return;
    this.toldWrite = this.log.durableWrite;
    this.trace.push({ kind: "told", zxid: this.log.txns.length });
    this.replica.persisted(this.log.durableWrite);
  }

  /** Answers the oldest read of the history; whether there was one. */
  answerHistory(): boolean {
    const { history, log } = this;
    const read = history.asked.shift();
    if (read === undefined) return false;
    if (read.after + 1 < history.oldestZxid) {
      this.replica.historyRead(read.ticket, { kind: "truncated", oldestZxid: history.oldestZxid });
    } else {
      const upTo = Math.min(read.upTo, read.after + history.most);
      const txns: Txn[] = [];
      for (let zxid = read.after + 1; zxid <= upTo; zxid++) txns.push(log.txn(zxid));
      this.replica.historyRead(read.ticket, { kind: "read", txns });
    }
    return true;
  }

  /** Lets everything happen that is under way, without time passing. */
  settle(): void {
    for (;;) {
      this.replica.flush();
      if (this.log.waiting.length > 0 || this.log.durableWrite > this.toldWrite) this.persist();
      else if (!this.answerHistory()) return;
    }
  }

  /** Time passes, in ticks. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= tickMs) this.tick(Math.min(left, tickMs));
  }

  tick(ms = tickMs): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
    this.replica.setTime(this.wallMs);
    this.replica.tick(this.monotonicMs);
  }

  /** The process ends; another one recovers from what is durable. It does not serve yet. */
  crash(): void {
    this.trace.push({ kind: "crash" });
    this.log.crash();
    this.toldWrite = 0;
    this.history.asked.length = 0;
    this.start();
  }

  // ---- callers

  sink(name = `sink ${++this.names}`): RecordingSink {
    return new RecordingSink(name, this.trace);
  }

  nextCall(): number {
    return ++this.calls;
  }

  /** Opens a session, and settles. */
  open(options: SessionOptions = {}): OpenedSession {
    const sink = this.sink();
    const { key = `key ${++this.names}`, secret = `secret ${this.names}` } = options;
    this.askToOpen({ ...options, key, secret }, sink);
    this.settle();
    const answer = sink.answers[0];
    if (answer?.what !== "committed") throw new Error(`opening a session failed: ${answer?.reason ?? "no answer"}`);
    return { id: answer.zxid, secret };
  }

  askToOpen(options: SessionOptions & { key: string; secret: string }, sink: RecordingSink): void {
    const { key, secret, timeoutMs = 10_000, identities = [] } = options;
    const opening = { clientKey: key, secretHash: secret, timeoutMs, identities: identities.map(identity) };
    this.replica.openSession(opening, identities.join(", "), sink, this.nextCall());
  }

  authenticate(id: number, secret: string): LocalSession | Refusal {
    let result: LocalSession | Refusal | undefined;
    this.replica.authenticate(id, secret, (found) => {
      result = found;
    });
    if (result === undefined) throw new Error("a server that is alone knows at once");
    return result;
  }

  live(session: OpenedSession): LocalSession {
    const live = this.authenticate(session.id, session.secret);
    if ("reason" in live) throw new Error(`the session cannot be used: ${live.reason}`);
    return live;
  }

  outcome(id: number, secret: string, seq: number): OutcomeReport | Refusal {
    let result: OutcomeReport | Refusal | undefined;
    this.replica.outcome(id, secret, seq, (report) => {
      result = report;
    });
    if (result === undefined) throw new Error("a server that is alone knows at once");
    return result;
  }

  attach(session: OpenedSession, address?: string): Connection {
    const sink = this.sink();
    let stream: SessionStream | undefined;
    const who = { sessionId: session.id, secretHash: session.secret, minZxid: 0, sink };
    this.replica.attach({ ...who, address: address === undefined ? undefined : identity(address) }, (result) => {
      if ("reason" in result) throw new Error(`the session cannot be used: ${result.reason}`);
      stream = result;
    });
    if (stream === undefined) throw new Error("a server that is alone attaches at once");
    return { sink, stream };
  }

  /** Opens a session and attaches a stream. */
  connect(options: SessionOptions = {}): Connection & { session: OpenedSession } {
    const session = this.open(options);
    return { session, ...this.attach(session) };
  }

  /** A write without a stream; of a session if one is given. */
  unaryWrite(
    request: WriteRequest,
    options: { session?: OpenedSession; seq?: number; ackedSeq?: number; sink?: RecordingSink; caller?: Caller } = {},
  ): RecordingSink {
    const { session, seq = 0, ackedSeq = 0, sink = this.sink(), caller } = options;
    const live = session === undefined ? undefined : this.live(session);
    const by = caller ?? { session: session?.id ?? 0, identities: live?.session.terms.identities ?? [], who: "" };
    this.replica.write({ request, seq, ackedSeq, caller: by, live, sink, call: this.nextCall() });
    return sink;
  }

  /** A write without a session that must succeed; settles. Returns its zxid. */
  do(request: WriteRequest, caller?: Caller): number {
    const sink = this.unaryWrite(request, caller === undefined ? {} : { caller });
    this.settle();
    const answer = sink.answers[0];
    if (answer?.what !== "committed") throw new Error(`${request.kind} failed: ${answer?.reason ?? "no answer"}`);
    return answer.zxid;
  }
}

/** `now` is any age, at once. */
export const anyAge = { linearizable: false, minZxid: 0 };
export const linearizable = { linearizable: true, minZxid: 0 };

export function getData(path: string, watchId = 0): ReadRequest & { kind: "data" } {
  return { kind: "data", path, watchId };
}

export function exists(path: string, watchId = 0): ReadRequest & { kind: "exists" } {
  return { kind: "exists", path, watchId };
}

export function getChildren(path: string, watchId = 0): ReadRequest & { kind: "children" } {
  return { kind: "children", path, watchId, after: "", limit: 1000, includeStat: false, includeData: false };
}

export function watchOf(
  path: string,
  scope: WatchSpec["scope"] = "subtree",
  start: WatchSpec["start"] = { kind: "now" },
): WatchSpec {
  return { path, scope, includeData: true, start };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
