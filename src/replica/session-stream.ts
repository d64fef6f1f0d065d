/**
 * One attached stream of a session. Requests take effect and are answered in the order they came: a read waits for the
 * writes before it, a write is answered when it is committed, and nothing overtakes.
 *
 * Invariant: whatever was not answered yet is in `queue`, in order; reads run at once while the queue is empty.
 */
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { Queue } from "../base/queue.ts";
import type { Caller } from "../tree/prepare.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { Txn } from "../tree/txn.ts";
import type { Watch } from "../watches/watch-table.ts";
import type { LocalSession } from "./local-session.ts";
import type { LocalWrite } from "./forwarded.ts";
import type { SessionSink } from "./ports.ts";
import { readProblem, type Freshness, type ReadRequest } from "./read-request.ts";
import { answerCommitted, noLeader, outcomeUnknown, type Waiter } from "./waiter.ts";
import type { WatchRegistration, WatchSpec } from "./watch-feeds.ts";
import { WriteBlock } from "./write-block.ts";

/** A watch that a read leaves. */
export interface OneShot {
  readonly stream: SessionStream;
  readonly id: number;
  readonly kind: "oneShotData" | "oneShotChild";
  readonly path: string;
}

/** What a stream needs of its replica. */
export interface StreamHost {
  readonly appliedZxid: number;
  touch(live: LocalSession): void;
  acknowledge(live: LocalSession, seq: number): void;
  /** The seq of the session's next new write: every lower one has run, or is under way. */
  nextSeq(live: LocalSession): number;
  submit(write: LocalWrite): void;
  endSession(live: LocalSession, waiter: Waiter): void;
  /** Whether an answer made now would be fresh enough. */
  isFresh(freshness: Freshness): boolean;
  /** Calls back once it is, or with the reason why it is not to be had. Waits a while for a leader to come. */
  awaitFresh(freshness: Freshness, resume: (problem: Refusal | undefined) => void): void;
  read(sink: SessionSink, call: number, request: ReadRequest, caller: Caller): boolean;
  addOneShot(shot: OneShot): Watch;
  addWatch(watch: WatchRegistration): Watch | Refusal;
  removeWatch(watch: Watch): void;
  /** Calls back with the time the session lives, once the leader has proved it; not at all when it cannot be known. */
  proveContact(live: LocalSession, done: (remainingMs: number) => void): void;
  /** The stream is gone. */
  detached(stream: SessionStream): void;
}

/** Something on the stream that is not answered yet. */
interface Entry {
  readonly dataBytes: number;
  /** Answers if it can be answered by now. */
  finish(): boolean;
}

export class SessionStream {
  readonly live: LocalSession;
  readonly caller: Caller;
  readonly sink: SessionSink;
  /** Names it on this server. */
  readonly number: number;
  readonly watches = new Map<number, Watch>();
  readonly host: StreamHost;
  private readonly queue = new Queue<Entry>();
  /** Data of the writes in the queue. */
  private dataBytes = 0;
  private draining = false;
  private ended = false;
  /** The request that closes the session. */
  private closing: WriteEntry | undefined;
  private readonly blocking = new WriteBlock();

  constructor(host: StreamHost, live: LocalSession, caller: Caller, sink: SessionSink, number: number) {
    this.host = host;
    this.live = live;
    this.caller = caller;
    this.sink = sink;
    this.number = number;
  }

  /** Whether so much waits for an answer that no more should be read from the client. */
  get isFull(): boolean {
    return this.queue.length >= limits.outstandingPerSession || this.dataBytes >= limits.outstandingBytesPerSession;
  }

  get isEnded(): boolean {
    return this.ended;
  }

  heartbeat(id: number): void {
    if (this.ended) return;
    this.host.touch(this.live);
    this.host.proveContact(this.live, (remainingMs) => {
      if (!this.ended) this.sink.heartbeat(id, remainingMs);
    });
  }

  acknowledge(seq: number): void {
    this.host.acknowledge(this.live, seq);
  }

  write(call: number, request: WriteRequest, seq: number): void {
    if (this.ended) return;
    const entry = new WriteEntry(this, call, seq, dataLength(request));
    this.queue.push(entry);
    this.dataBytes += entry.dataBytes;
    if (this.blocking.isBlocked) {
      const problem = this.blocking.answer(seq, this.host.nextSeq(this.live));
      if (problem !== undefined) {
        entry.refused(this.host.appliedZxid, problem);
        return;
      }
    }
    this.host.submit({ request, seq, caller: this.caller, live: this.live, stream: this, waiter: entry });
  }

  read(call: number, request: ReadRequest, freshness: Freshness): void {
    if (this.ended) return;
    const problem = readProblem(request, true);
    const inTurn = this.queue.length === 0 && !this.sink.backlogged();
    // Whether the id of its watch is free is decided in its turn: what goes before may free it or take it.
    if (problem === undefined && inTurn && this.host.isFresh(freshness) && !this.watchIdProblem(request)) {
      this.readNow(call, request);
      return;
    }
    this.queue.push(new ReadEntry(this, call, request, freshness, problem));
    this.drain();
  }

  addWatch(call: number, id: number, spec: WatchSpec): void {
    this.enqueue(() => {
      const problem = id > 0 ? this.watchIdTaken(id) : refusal("BAD_ARGUMENTS", "a watch id is positive", watchIdField);
      if (problem !== undefined) {
        this.sink.refused(call, this.host.appliedZxid, problem);
        return;
      }
      // The answer goes first: updates of a watch follow the news that it is in force.
      const accepted = this.host.addWatch({
        sink: this.sink,
        id,
        spec,
        accepted: () => {
          this.sink.done(call, this.host.appliedZxid, "addWatch");
        },
        ended: () => {
          this.watches.delete(id);
        },
        caller: this.caller,
      });
      if ("reason" in accepted) this.sink.refused(call, this.host.appliedZxid, accepted);
      else this.watches.set(id, accepted);
    });
  }

  cancelWatch(call: number, id: number): void {
    this.enqueue(() => {
      const watch = this.watches.get(id);
      if (watch === undefined) {
        const problem = refusal("NO_WATCHER", `no watch ${id} on this stream`, { watch_id: String(id) });
        this.sink.refused(call, this.host.appliedZxid, problem);
        return;
      }
      this.watches.delete(id);
      this.host.removeWatch(watch);
      this.sink.done(call, this.host.appliedZxid, "cancelWatch");
    });
  }

  /** Closes the session; the stream ends after the answer. */
  closeSession(call: number): void {
    if (this.ended) return;
    const entry = new WriteEntry(this, call, 0, 0);
    this.closing ??= entry;
    this.queue.push(entry);
    this.host.endSession(this.live, entry);
  }

  /** Something that cannot be understood: answered in its turn. */
  refuse(call: number, problem: Refusal): void {
    this.enqueue(() => {
      this.sink.refused(call, this.host.appliedZxid, problem);
    });
  }

  /** Ends the stream from this side; in good order if it was a request of this stream that closed the session. */
  end(reason: Refusal): void {
    if (this.ended) return;
    this.detach();
    if (this.closing?.succeeded === true && reason.reason === "SESSION_EXPIRED") this.sink.closed();
    else this.sink.ended(reason);
  }

  /** Whether this is the request that closes the session. */
  isClosedBy(entry: unknown): boolean {
    return entry === this.closing;
  }

  /** Whether every request was answered. */
  get isIdle(): boolean {
    return this.queue.length === 0;
  }

  /** The stream is gone: watches and unanswered requests go with it. Writes under way still take effect. */
  detach(): void {
    if (this.ended) return;
    this.ended = true;
    for (const watch of this.watches.values()) this.host.removeWatch(watch);
    this.watches.clear();
    if (this.live.stream === this) this.live.stream = undefined;
    this.host.detached(this);
  }

  /** Answers what can be answered by now: as long as the client reads its answers. */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    while (!this.ended && !this.sink.backlogged()) {
      const entry = this.queue.peek();
      if (entry?.finish() !== true) break;
      this.queue.shift();
      this.dataBytes -= entry.dataBytes;
    }
    this.draining = false;
  }

  /** Called by a write of this stream that cannot run now. */
  block(seq: number, problem: Refusal): void {
    this.blocking.refused(seq, problem);
  }

  readNow(call: number, request: ReadRequest): void {
    const leaveWatch = this.host.read(this.sink, call, request, this.caller);
    if (!leaveWatch || !("watchId" in request) || request.watchId === 0) return;
    const kind = request.kind === "children" ? "oneShotChild" : "oneShotData";
    const watch = this.host.addOneShot({ stream: this, id: request.watchId, kind, path: request.path });
    this.watches.set(request.watchId, watch);
  }

  /** Runs something in its turn that needs nothing but its turn. */
  private enqueue(run: () => void): void {
    if (this.ended) return;
    this.queue.push({
      dataBytes: 0,
      finish: () => {
        run();
        return true;
      },
    });
    this.drain();
  }

  watchIdProblem(request: ReadRequest): Refusal | undefined {
    return "watchId" in request && request.watchId > 0 ? this.watchIdTaken(request.watchId) : undefined;
  }

  private watchIdTaken(id: number): Refusal | undefined {
    if (this.watches.has(id)) return refusal("BAD_ARGUMENTS", `watch id ${id} is in use`, watchIdField);
    if (this.watches.size < limits.watchesPerStream) return undefined;
    const limit = limits.watchesPerStream;
    return refusal("TOO_MANY_WATCHES", `a stream has at most ${limit} watches`, { limit: String(limit) });
  }
}

const watchIdField = { field: "watch_id" };

function dataLength(request: WriteRequest): number {
  if (request.kind === "multi") {
    let length = 0;
    for (const operation of request.operations) if ("data" in operation) length += operation.data?.length ?? 0;
    return length;
  }
  return "data" in request ? (request.data?.length ?? 0) : 0;
}

class WriteEntry implements Entry, Waiter {
  private readonly stream: SessionStream;
  private readonly call: number;
  private readonly seq: number;
  readonly dataBytes: number;
  private txn: Txn | undefined;
  private before: { zxid: number; request: number } | undefined;
  private refusal: Refusal | undefined;
  private refusedAt = 0;
  /** Its transaction was answered. */
  succeeded = false;

  constructor(stream: SessionStream, call: number, seq: number, dataBytes: number) {
    this.stream = stream;
    this.call = call;
    this.seq = seq;
    this.dataBytes = dataBytes;
  }

  proposed(): boolean {
    return false;
  }

  repeated(): boolean {
    return false;
  }

  committed(txn: Txn): void {
    this.txn = txn;
    this.stream.drain();
  }

  committedBefore(zxid: number, request: number): void {
    this.before = { zxid, request };
    this.stream.drain();
  }

  refused(zxid: number, problem: Refusal): void {
    this.refusal = problem;
    this.refusedAt = zxid;
    this.stream.block(this.seq, problem);
    this.stream.drain();
  }

  /**
   * The leader that this server was has lost its office. A numbered write is sent again by its client, on a stream it
   * attaches anew.
   */
  lost(applied: number): void {
    const { stream } = this;
    if (this.seq !== 0 || stream.isClosedBy(this)) stream.end(noLeader());
    else this.refused(applied, outcomeUnknown(stream.live.session.id, 0));
  }

  finish(): boolean {
    const { sink } = this.stream;
    if (this.txn !== undefined) {
      answerCommitted(sink, this.call, this.txn);
      this.succeeded = true;
    } else if (this.refusal !== undefined) sink.refused(this.call, this.refusedAt, this.refusal);
    else if (this.before !== undefined) sink.committedBefore(this.call, this.before.zxid, this.before.request);
    else return false;
    return true;
  }
}

class ReadEntry implements Entry {
  readonly dataBytes = 0;
  private readonly stream: SessionStream;
  private readonly call: number;
  private readonly request: ReadRequest;
  private readonly freshness: Freshness;
  private problem: Refusal | undefined;
  private state: "queued" | "waiting" | "fresh" = "queued";

  constructor(
    stream: SessionStream,
    call: number,
    request: ReadRequest,
    freshness: Freshness,
    problem: Refusal | undefined,
  ) {
    this.stream = stream;
    this.call = call;
    this.request = request;
    this.freshness = freshness;
    this.problem = problem;
  }

  private isWaiting(): boolean {
    return this.state === "waiting";
  }

  finish(): boolean {
    const { stream } = this;
    if (this.isWaiting()) return false;
    this.problem ??= stream.watchIdProblem(this.request);
    if (this.problem === undefined && this.state === "queued" && !stream.host.isFresh(this.freshness)) {
      this.state = "waiting";
      stream.host.awaitFresh(this.freshness, (problem) => {
        this.problem = problem;
        this.state = "fresh";
        stream.drain();
      });
      // It may have called back at once: then nobody else drains the stream.
      if (this.isWaiting()) return false;
    }
    if (this.problem !== undefined) stream.sink.refused(this.call, stream.host.appliedZxid, this.problem);
    else stream.readNow(this.call, this.request);
    return true;
  }
}
