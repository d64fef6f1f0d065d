/**
 * Client programs: sessions that write, read, watch and keep ephemeral znodes, move between servers, and send again what
 * was not answered. Each judges what it is told, as far as it can alone; the rest are facts for the checkers.
 */
import type { Refusal } from "../base/reasons.ts";
import type { ChildrenPage, DoneKind, PathsPage, ReadResult, SessionSink } from "../replica/ports.ts";
import type { Replica } from "../replica/replica.ts";
import type { SessionStream } from "../replica/session-stream.ts";
import type { Identity } from "../tree/acl.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { Stat } from "../tree/stat.ts";
import { CreateMode, type Txn } from "../tree/txn.ts";
import type { WatchEvent } from "../watches/watch-event.ts";
import type { ClientFact } from "./core.ts";
import type { Prng } from "./prng.ts";

/** A server, as its clients see it. */
export interface ClientServer {
  readonly node: number;
  readonly replica: Replica;
  tell(fact: ClientFact): void;
  acknowledged(zxid: number, epoch: number): void;
  read(floor: number, zxid: number): void;
  floor(): number;
}

interface PendingWrite {
  readonly seq: number;
  readonly request: WriteRequest;
  call: number;
}

/** Refusals for now: the write is sent again under its seq. */
const forNow: ReadonlySet<string> = new Set([
  ...["NO_LEADER", "OVERLOADED", "DISK_LOW", "TOO_MANY_UNACKNOWLEDGED", "SEQUENCE_GAP", "SESSION_MOVED"],
  ...["OUTCOME_UNKNOWN", "UNAVAILABLE", "SHUTTING_DOWN"],
]);

const outstandingMost = 12;
const everybody = { linearizable: false, minZxid: 0 };
const newest = { linearizable: true, minZxid: 0 };

export class SimClient {
  readonly number: number;
  private readonly chance: Prng;
  private readonly virtualMs: () => number;
  private session = 0;
  private timeoutMs = 0;
  private opening = 0;
  private secret = "";
  private keys = 0;
  private connection: Connection | undefined;
  private attaching: Connection | undefined;
  private calls = 0;
  private seq = 0;
  private pending: PendingWrite[] = [];
  private isBlocked = false;
  private ackedSeq = 0;
  /** The newest state that it has seen. */
  private seen = 0;
  private silentUntil = 0;

  constructor(number: number, chance: Prng, virtualMs: () => number) {
    this.number = number;
    this.chance = chance;
    this.virtualMs = virtualMs;
  }

  /** The server it is on; 0 for none. */
  get node(): number {
    return (this.connection ?? this.attaching)?.server.node ?? 0;
  }

  /** Its server has gone. */
  lost(server: ClientServer): void {
    if (this.connection?.server === server) this.connection = undefined;
    if (this.attaching?.server === server) this.attaching = undefined;
    this.opening = 0;
  }

  /** Does something on this server. */
  act(server: ClientServer): void {
    if (this.virtualMs() < this.silentUntil) return;
    if (this.session === 0) this.open(server);
    else if (this.connection === undefined) this.attach(server);
    else if (this.connection.server === server) this.work(this.connection);
    else if (this.chance.chance(0.3)) this.attach(server);
  }

  // ---- the session

  private open(server: ClientServer): void {
    if (this.opening > 0 && this.chance.chance(0.9)) return;
    if (this.opening === 0) this.keys++;
    const key = `client ${this.number} key ${this.keys}`;
    this.secret = `secret of ${key}`;
    this.timeoutMs = this.chance.pick([1500, 3000, 8000]);
    this.opening = this.keys;
    const opened = this.keys;
    const opening = { clientKey: key, secretHash: this.secret, timeoutMs: this.timeoutMs, identities: [] };
    const sink = new Connection(this, server);
    sink.opened = (zxid, problem) => {
      if (this.session !== 0 || this.opening !== opened) return;
      this.opening = 0;
      if (problem !== undefined) return;
      this.session = zxid;
      this.seq = 0;
      this.ackedSeq = 0;
      this.pending = [];
      this.seen = Math.max(this.seen, zxid);
      server.acknowledged(zxid, 0);
    };
    server.replica.openSession(opening, "", sink, ++this.calls);
  }

  private attach(server: ClientServer): void {
    if (this.attaching !== undefined && this.chance.chance(0.9)) return;
    const connection = new Connection(this, server);
    this.attaching = connection;
    this.connection?.leave();
    this.connection = undefined;
    const { session: sessionId, secret: secretHash, seen: minZxid } = this;
    const asked = { sessionId, secretHash, minZxid, address: undefined, sink: connection };
    server.replica.attach(asked, (result) => {
      if (this.attaching !== connection) {
        if (!("reason" in result)) result.detach();
        return;
      }
      this.attaching = undefined;
      if ("reason" in result) this.refusedSession(server, result);
      else {
        connection.stream = result;
        this.connection = connection;
        this.resend(connection);
      }
    });
  }

  private refusedSession(server: ClientServer, problem: Refusal): void {
    if (problem.reason !== "SESSION_EXPIRED") return;
    server.tell({ kind: "ended", session: this.session });
    this.over();
  }

  private over(): void {
    this.session = 0;
    this.opening = 0;
    this.connection = undefined;
    this.attaching = undefined;
    this.pending = [];
    this.isBlocked = false;
  }

  /** The stream has ended by itself. */
  ended(connection: Connection, problem: Refusal | undefined): void {
    if (connection !== this.connection && connection !== this.attaching) return;
    if (connection === this.attaching) return;
    this.connection = undefined;
    if (problem === undefined) this.over();
    else this.refusedSession(connection.server, problem);
  }

  private resend(connection: Connection): void {
    this.isBlocked = false;
    for (const write of this.pending) {
      write.call = ++this.calls;
      connection.stream?.write(write.call, write.request, write.seq);
      // It may have ended under our hands.
      if (this.connection !== connection) return;
    }
  }

  // ---- work

  private work(connection: Connection): void {
    const { stream } = connection;
    if (stream === undefined || stream.isEnded) {
      this.connection = undefined;
      return;
    }
    const { chance } = this;
    if (this.isBlocked) this.resend(connection);
    if (this.connection !== connection) return;
    const draw = chance.float();
    if (draw < 0.1) connection.beat(++this.calls);
    else if (draw < 0.45 && this.pending.length < outstandingMost) this.write(stream, this.drawWrite());
    else if (draw < 0.55) connection.readNewest(++this.calls, this.path());
    else if (draw < 0.8) connection.readAny(++this.calls, this.path(), chance.chance(0.2));
    else if (draw < 0.85) connection.watch(++this.calls);
    else if (draw < 0.9) stream.acknowledge(this.ackedSeq);
    else if (draw < 0.905) {
      this.pending = [];
      stream.closeSession(++this.calls);
    } else if (draw < 0.91) {
      // It goes away without a word, for longer than its session lives.
      connection.leave();
      this.connection = undefined;
      this.silentUntil = this.virtualMs() + 2 * this.timeoutMs;
    }
  }

  private write(stream: SessionStream, request: WriteRequest): void {
    const write = { seq: ++this.seq, request, call: ++this.calls };
    this.pending.push(write);
    stream.write(write.call, request, write.seq);
  }

  private path(): string {
    const { chance } = this;
    const top = `/${"abcdef"[chance.below(6)]!}`;
    return chance.chance(0.5) ? top : `${top}/${"xyz"[chance.below(3)]!}`;
  }

  private drawWrite(): WriteRequest {
    const { chance } = this;
    const data = new Uint8Array(chance.below(60)).fill(chance.below(256));
    const version = chance.chance(0.3) ? chance.below(4) : null;
    const path = this.path();
    switch (chance.below(10)) {
      case 0:
      case 1:
      case 2:
        return { kind: "create", path, data, mode: CreateMode.persistent, acl: null };
      case 3:
        return {
          kind: "create",
          path: `${path}/e${chance.below(5)}`,
          data: null,
          mode: CreateMode.ephemeral,
          acl: null,
        };
      case 4:
        return { kind: "create", path: `${path}/s-`, data, mode: CreateMode.persistentSequential, acl: null };
      case 5:
        return { kind: "delete", path, version };
      case 6:
        return chance.chance(0.3) ? { kind: "deleteSubtree", path } : { kind: "delete", path: `${path}/e1`, version };
      case 7:
        return {
          kind: "multi",
          operations: [
            { kind: "check", path, version: null, exists: chance.chance(0.8) },
            { kind: "setData", path, data, version },
            { kind: "create", path: `${path}/m`, data: null, mode: CreateMode.ephemeralSequential, acl: null },
            // What comes before is taken back.
            { kind: "check", path, version: chance.chance(0.5) ? null : chance.below(4), exists: true },
          ],
        };
      default:
        return { kind: "setData", path, data, version };
    }
  }

  // ---- answers

  reflects(connection: Connection, zxid: number): void {
    if (zxid > this.seen) this.seen = zxid;
    connection.server.tell({ kind: "reflected", session: this.session, zxid });
  }

  answered(connection: Connection, call: number, zxid: number, epoch: number, problem: Refusal | undefined): void {
    if (connection !== this.connection) return;
    const index = this.pending.findIndex((write) => write.call === call);
    if (index < 0) return;
    const { seq } = this.pending[index]!;
    if (problem !== undefined && forNow.has(problem.reason)) {
      this.isBlocked = true;
      return;
    }
    this.pending.splice(index, 1);
    if (problem?.reason === "SESSION_EXPIRED") return;
    const { session } = this;
    const succeeded = problem === undefined;
    this.ackedSeq = Math.max(this.ackedSeq, Math.min(seq, (this.pending[0]?.seq ?? this.seq + 1) - 1));
    connection.server.tell({ kind: "answered", session, seq, zxid, succeeded });
    if (succeeded) connection.server.acknowledged(zxid, epoch);
    if (zxid > this.seen) this.seen = zxid;
  }

  proved(connection: Connection, sentAt: number, remainingMs: number): void {
    // No time left: the end of the session is under way.
    if (remainingMs === 0) return;
    connection.server.tell({ kind: "proved", session: this.session, untilMs: sentAt + remainingMs });
  }

  /** Virtual milliseconds. */
  get now(): number {
    return this.virtualMs();
  }

  get seenZxid(): number {
    return this.seen;
  }

  get id(): number {
    return this.session;
  }
}

/** One stream of a client, or the call that opens its session. */
class Connection implements SessionSink {
  readonly client: SimClient;
  readonly server: ClientServer;
  stream: SessionStream | undefined;
  opened: ((zxid: number, problem: Refusal | undefined) => void) | undefined;
  private readonly beats = new Map<number, number>();
  private readonly newestReads = new Map<number, number>();
  private watchCall = 0;
  private watching = "";

  constructor(client: SimClient, server: ClientServer) {
    this.client = client;
    this.server = server;
  }

  leave(): void {
    this.watchOver();
    this.stream?.detach();
  }

  beat(call: number): void {
    this.beats.set(call, this.client.now);
    this.stream!.heartbeat(call);
  }

  readNewest(call: number, path: string): void {
    this.newestReads.set(call, this.server.floor());
    this.stream!.read(call, { kind: "exists", path, watchId: 0 }, newest);
  }

  readAny(call: number, path: string, leavesWatch: boolean): void {
    const freshness = { ...everybody, minZxid: this.client.seenZxid };
    this.stream!.read(call, { kind: "data", path, watchId: leavesWatch ? call : 0 }, freshness);
  }

  /** Watches everything. */
  watch(call: number): void {
    if (this.watchCall > 0) return;
    this.watchCall = call;
    const start = { kind: "now" } as const;
    this.stream!.addWatch(call, call, { path: "/", scope: "subtree", includeData: false, start });
  }

  private watchOver(): void {
    if (this.watching === "") return;
    this.server.tell({ kind: "watchOver", watch: this.watching });
    this.watching = "";
  }

  // ---- what the server says

  committed(call: number, txn: Txn): void {
    if (this.opened !== undefined) this.opened(txn.zxid, undefined);
    else this.client.answered(this, call, txn.zxid, txn.epoch, undefined);
  }

  committedBefore(call: number, zxid: number): void {
    if (this.opened !== undefined) this.opened(zxid, undefined);
    else this.client.answered(this, call, zxid, 0, undefined);
  }

  refused(call: number, zxid: number, problem: Refusal): void {
    this.newestReads.delete(call);
    if (call === this.watchCall) this.watchCall = 0;
    if (this.opened !== undefined) this.opened(0, problem);
    else this.client.answered(this, call, zxid, 0, problem);
  }

  private readDone(call: number, zxid: number): void {
    const floor = this.newestReads.get(call);
    this.newestReads.delete(call);
    if (floor !== undefined) this.server.read(floor, zxid);
    this.client.reflects(this, zxid);
  }

  exists(call: number, zxid: number, _stat: Stat | null): void {
    this.readDone(call, zxid);
  }

  data(call: number, zxid: number): void {
    this.readDone(call, zxid);
  }

  children(call: number, zxid: number, _page: ChildrenPage): void {
    this.readDone(call, zxid);
  }

  count(call: number, zxid: number): void {
    this.readDone(call, zxid);
  }

  ephemerals(call: number, zxid: number, _page: PathsPage): void {
    this.readDone(call, zxid);
  }

  acl(call: number, zxid: number): void {
    this.readDone(call, zxid);
  }

  multiRead(call: number, zxid: number, _results: readonly ReadResult[]): void {
    this.readDone(call, zxid);
  }

  identities(call: number, zxid: number, _identities: readonly Identity[]): void {
    this.readDone(call, zxid);
  }

  done(call: number, zxid: number, what: DoneKind): void {
    if (what !== "addWatch" || call !== this.watchCall) return;
    this.watching = `${this.client.number}.${call}`;
    this.server.tell({ kind: "watching", watch: this.watching, after: zxid });
  }

  attached(): void {}

  heartbeat(id: number, remainingMs: number): void {
    const sentAt = this.beats.get(id);
    this.beats.delete(id);
    if (sentAt !== undefined) this.client.proved(this, sentAt, remainingMs);
  }

  ended(problem: Refusal): void {
    this.watchOver();
    this.client.ended(this, problem);
  }

  closed(): void {
    this.watchOver();
    this.client.ended(this, undefined);
  }

  watchEvent(ids: readonly number[], event: WatchEvent): void {
    const { path, zxid, opIndex: op } = event;
    if (!ids.includes(this.watchCall) || this.watching === "") return;
    this.server.tell({ kind: "event", watch: this.watching, path, zxid, op, session: this.client.id });
  }

  watchState(): void {}

  watchCursor(): void {}

  watchEnded(id: number): void {
    if (id !== this.watchCall) return;
    this.watchOver();
    this.watchCall = 0;
  }

  backlogged(): boolean {
    return false;
  }
}
