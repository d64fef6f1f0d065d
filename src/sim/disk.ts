/**
 * A server's disk: the log database, the checkpoints beside it and the watermark file, each in two layers: what was
 * written, and what is on stable storage. A crash of the process keeps what was written; a loss of power takes back,
 * keeps or tears what was not synced.
 *
 * One writer works through a queue, as the log's worker thread does: steps of one turn are one commit, several turns may
 * be gathered into one. Between any two things it does there is a persistence point, at which a fault can end the
 * process.
 */
import { assert } from "../base/assert.ts";
import { DecodeError } from "../base/bytes.ts";
import type { HistoryPort } from "../replica/ports.ts";
import type {
  DurableLog,
  DurableState,
  LogPosition,
  LogReadResult,
  LogSource,
  SnapshotOffer,
  SnapshotSource,
} from "../zab/durable-log.ts";
import type { Coverage } from "./coverage.ts";
import { Input, type Endpoint } from "./input.ts";
import * as steps from "./log-image.ts";
import { LogImage, zero, type LogHeader, type Step } from "./log-image.ts";
import type { Prng } from "./prng.ts";
import { boundariesOf, joinRows, positionOf, verifiedRows, type Row } from "./rows.ts";
import type { Scheduler } from "./scheduler.ts";

const Event = { written: 1, synced: 2, read: 3, prepared: 4, fetched: 5, swapped: 6, stored: 7, tell: 8 } as const;

export interface DiskParams {
  /** Mean times of a write and of a sync, microseconds. */
  readonly writeTime: number;
  readonly syncTime: number;
  /** Turns gathered into one commit at most. */
  readonly maxGathered: number;
  /** Committed transactions between two checkpoints. */
  readonly checkpointEvery: number;
}

export type CrashMode = "kill" | "power";
export type SyncFailure = "new" | "old";

/** What a server keeps beside the log: every transaction up to a point, in place of the tree made of them. */
export interface Checkpoint {
  readonly rows: readonly Row[];
  readonly at: LogPosition;
  readonly clusterId: string;
}

/** What the disk asks of the rest of the world. */
export interface DiskHost {
  /** A fault ends the process at this point. */
  crashed(node: number, mode: CrashMode, reason: string): void;
  /** A step that breaks a rule of the log. */
  broken(node: number, error: unknown): void;
  /** The checkpoint of that name on another server, and how long its transfer takes; undefined when it cannot be had. */
  fetch(node: number, from: number, id: string): { checkpoint: Checkpoint; micros: number } | undefined;
  /** Nothing more is heard of the core that runs: another one is about to recover. */
  replacing(node: number): void;
  replaced(node: number): void;
  /** Whether a loss of everything after `remaining` is sure to be noticed, and leaves a quorum that has lost nothing. */
  mayLose(node: number, remaining: LogPosition): boolean;
  durable(node: number, written: readonly Step[], facts: DurableFacts): void;
}

/** What is on stable storage, as far as the process can know: a disk may lie. */
export interface DurableFacts {
  readonly header: Readonly<LogHeader>;
  readonly last: LogPosition;
}

/** What recovery hands over: the state of consensus, and the transactions for the state machine. */
export interface DiskRecovered {
  readonly state: DurableState;
  readonly committed: readonly Row[];
  readonly tail: readonly Row[];
}

/** How long the log after a checkpoint is kept for those who install it, microseconds. */
const servedFor = 5_000_000;

interface Commit {
  readonly steps: readonly Step[];
  readonly undo: () => void;
  /** Its persisted was told, though it was not synced: the disk lied. */
  told: boolean;
  /** Rows before it, to tell which of them a torn write damages. */
  readonly lengthBefore: number;
}

type Job =
  | { readonly kind: "commit"; readonly steps: Step[] }
  | { readonly kind: "read"; readonly ticket: number; readonly after: number; readonly maxBytes: number }
  | {
      readonly kind: "history";
      readonly ticket: number;
      readonly after: number;
      readonly upTo: number;
      readonly maxBytes: number;
    }
  | { readonly kind: "swap"; readonly install: Installation };

interface Installation {
  readonly ticket: number;
  readonly offer: SnapshotOffer;
  readonly boundaries: readonly LogPosition[];
  readonly checkpoint: Checkpoint;
}

export class SimDisk {
  readonly node: number;
  image = new LogImage();
  /** The state a fault set aside, to be brought back later. */
  backup: SimDisk | undefined;
  // faults
  trap: { point: string; skip: number; mode: CrashMode } | undefined;
  failingSync: { skip: number; variant: SyncFailure } | undefined;
  lying = false;
  slowness = 1;
  stalledUntil = 0;

  private readonly scheduler: Scheduler;
  private readonly chance: Prng;
  private readonly params: DiskParams;
  private readonly host: DiskHost;
  private readonly coverage: Coverage;
  /** Written, and not synced for certain. */
  private unsynced: Commit[] = [];
  private facts: DurableFacts = { header: this.image.header, last: zero };
  private watermark = { written: zero, durable: zero };
  private tree: Checkpoint | undefined;
  private older: Checkpoint | undefined;
  /** A checkpoint that is being installed: fetched, verified and synced. */
  private incoming: Checkpoint | undefined;
  private readonly offered = new Map<string, Checkpoint>();
  private snapshots = 0;
  /** The checkpoint served last: whoever installs it needs the log after it. */
  private served = { zxid: 0, until: 0 };
  // one life
  private endpoint: Endpoint | undefined;
  private turn: Step[] = [];
  private asked: Job[] = [];
  private lastTell = 0;
  private queue: Job[] = [];
  private busy: Job | undefined;
  private writing: Step[] = [];

  constructor(
    node: number,
    world: { scheduler: Scheduler; chance: Prng; coverage: Coverage },
    params: DiskParams,
    host: DiskHost,
  ) {
    this.node = node;
    this.scheduler = world.scheduler;
    this.chance = world.chance;
    this.coverage = world.coverage;
    this.params = params;
    this.host = host;
  }

  get durable(): DurableFacts {
    return this.facts;
  }

  get isEmpty(): boolean {
    const { image } = this;
    return image.isEmpty && image.header.clusterId === "";
  }

  // ---- the ports of one life

  attach(endpoint: Endpoint): { log: DurableLog; source: LogSource; snapshots: SnapshotSource; history: HistoryPort } {
    this.endpoint = endpoint;
    const add = (step: Step) => {
      if (this.endpoint === endpoint) this.turn.push(step);
    };
    const log: DurableLog = {
      acceptEpoch: (write, epoch) => add(steps.acceptEpoch(write, epoch)),
      establishEpoch: (write, step) => add(steps.establishEpoch(write, step)),
      append: (write, step) => add(steps.append(write, step)),
      truncate: (write, to) => add(steps.truncate(write, to)),
      commit: (write, point) => add(steps.commit(write, point)),
      rememberAcks: (write, acks) => add(steps.rememberAcks(write, acks)),
      form: (write, forming) => add(steps.form(write, forming)),
      markRecovering: (write, reason) => add(steps.markRecovering(write, reason)),
    };
    const oldest = () => this.image.header.base.at.zxid + 1;
    const ask = (job: Job) => {
      if (this.endpoint === endpoint) this.asked.push(job);
    };
    const source: LogSource = {
      get oldestZxid() {
        return oldest();
      },
      readLog: (ticket, after, maxBytes) => ask({ kind: "read", ticket, after, maxBytes }),
    };
    const history: HistoryPort = {
      readAfter: (ticket, after, upTo, maxBytes) => ask({ kind: "history", ticket, after, upTo, maxBytes }),
    };
    const snapshots: SnapshotSource = {
      prepareSnapshot: (ticket) => {
        if (this.endpoint !== endpoint) return;
        this.scheduler.after(this.time(this.params.syncTime * 4), this, Event.prepared, endpoint.life, ticket);
      },
      installSnapshot: (ticket, from, offer, boundaries) => {
        if (this.endpoint === endpoint) this.fetch(ticket, from, offer, boundaries);
      },
    };
    return { log, source, snapshots, history };
  }

  /** The end of a turn: its steps are one commit, and what it wants to read is read after that. */
  endTurn(): void {
    if (this.turn.length > 0) {
      this.queue.push({ kind: "commit", steps: this.turn });
      this.turn = [];
    }
    if (this.asked.length > 0) this.queue.push(...this.asked.splice(0));
    this.next();
  }

  /** Whether steps wait that are not durable. */
  get hasUnsynced(): boolean {
    return this.queue.length > 0 || this.busy !== undefined || this.unsynced.length > 0;
  }

  // ---- the writer

  private next(): void {
    if (this.busy !== undefined || this.endpoint === undefined) return;
    const job = this.queue.shift();
    if (job === undefined) return;
    this.busy = job;
    const { life } = this.endpoint;
    if (job.kind === "commit") {
      this.writing = this.gather(job.steps);
      for (const { kind } of this.writing) if (this.passes(`before ${kind}`)) return;
      this.later(this.params.writeTime, Event.written, life);
    } else if (job.kind === "swap") {
      if (this.passes("before swap")) return;
      this.later(this.params.writeTime, Event.swapped, life);
    } else this.later(this.params.writeTime, Event.read, life);
  }

  private gather(first: Step[]): Step[] {
    const gathered = [...first];
    const most = this.chance.below(this.params.maxGathered);
    for (let i = 0; i < most && this.queue[0]?.kind === "commit"; i++) {
      gathered.push(...(this.queue.shift() as Job & { kind: "commit" }).steps);
    }
    return gathered;
  }

  private later(mean: number, event: number, life: number): void {
    const at = Math.max(this.scheduler.now + this.time(mean), this.stalledUntil);
    this.scheduler.at(Math.floor(at), this, event, life);
  }

  private time(mean: number): number {
    return mean * this.slowness * (0.5 + this.chance.exponential(0.5));
  }

  fire(what: number, a: number, payload: unknown): void {
    if (this.endpoint?.life !== a) return;
    switch (what) {
      case Event.written:
        this.written();
        break;
      case Event.synced:
        this.synced();
        break;
      case Event.read:
        this.answerRead();
        break;
      case Event.prepared:
        this.prepared(payload as number);
        break;
      case Event.fetched:
        this.fetched(payload as Installation);
        break;
      case Event.stored:
        this.stored(payload as Installation);
        break;
      case Event.swapped:
        this.swapped();
        break;
      default: {
        const told = payload as { what: number; a: number; payload: unknown };
        this.endpoint.deliver(told.what, told.a, told.payload);
      }
    }
  }

  private written(): void {
    const { image } = this;
    for (const { cut } of this.writing) {
      // What is about to be cut off may be missing from here on; the file says so before the log does.
      if (cut !== undefined && this.lowerWatermark(cut) && this.passes("lowered watermark")) return;
    }
    const lengthBefore = image.rows.length;
    let undo: () => void;
    try {
      undo = image.apply(this.writing);
    } catch (error) {
      this.host.broken(this.node, error);
      return;
    }
    this.unsynced.push({ steps: this.writing, undo, told: false, lengthBefore });
    for (const { kind } of this.writing) if (this.passes(`written ${kind}`)) return;
    this.later(this.params.syncTime, Event.synced, this.endpoint!.life);
  }

  private synced(): void {
    const commit = this.unsynced.at(-1)!;
    if (this.failingSync !== undefined && this.failingSync.skip-- <= 0) {
      const { variant } = this.failingSync;
      this.failingSync = undefined;
      this.coverage.hit("fault", "failed fsync");
      if (variant === "old") {
        this.unsynced.pop();
        commit.undo();
      }
      this.host.crashed(this.node, "kill", `fsync failed, the cache has the ${variant} content`);
      return;
    }
    if (this.lying) commit.told = true;
    else this.unsynced = [];
    this.believeDurable(commit.steps);
    for (const { kind } of commit.steps) if (this.passes(`synced ${kind}`)) return;
    const { last } = this.image;
    const { written } = this.watermark;
    if (last.zxid > written.zxid || last.epoch > written.epoch) {
      this.watermark.written = { zxid: last.zxid, epoch: last.epoch };
      if (this.chance.chance(0.3)) this.watermark.durable = this.watermark.written;
    }
    const write = commit.steps.reduce((highest, step) => Math.max(highest, step.write), 0);
    if (write > 0) this.tell(Input.persisted, write, undefined);
    this.done();
    this.checkpoint();
  }

  /** Everything written so far is on stable storage, as far as anybody can know. */
  private believeDurable(written: readonly Step[]): void {
    const { header, last } = this.image;
    this.facts = { header, last: { zxid: last.zxid, epoch: last.epoch } };
    this.host.durable(this.node, written, this.facts);
  }

  private done(): void {
    this.busy = undefined;
    this.next();
  }

  /** Says something to the process: a message from one thread to another, which takes a moment. */
  private tell(what: number, a: number, payload: unknown): void {
    this.lastTell = Math.max(this.scheduler.now + this.chance.below(100), this.lastTell + 1);
    this.scheduler.at(this.lastTell, this, Event.tell, this.endpoint!.life, { what, a, payload });
  }

  /** Durably; returns whether it stood higher. */
  private lowerWatermark(to: LogPosition): boolean {
    const { written } = this.watermark;
    if (to.zxid >= written.zxid && to.epoch >= written.epoch) return false;
    this.watermark = { written: to, durable: to };
    return true;
  }

  // ---- reads

  private answerRead(): void {
    const job = this.busy!;
    if (job.kind === "read") {
      const { base } = this.image.header;
      let result: LogReadResult;
      if (job.after >= base.at.zxid) {
        const rows = this.some(job.after, Infinity, job.maxBytes);
        assert(rows.length > 0, "the log is read where it does not reach");
        result = { bytes: joinRows(rows), firstZxid: job.after + 1, boundaries: boundariesOf(rows) };
      }
      this.tell(Input.logRead, job.ticket, result);
    } else if (job.kind === "history") {
      const { base } = this.image.header;
      const result =
        job.after < base.at.zxid
          ? { truncated: base.at.zxid + 1 }
          : { rows: this.some(job.after, job.upTo, job.maxBytes) };
      this.tell(Input.historyRead, job.ticket, result);
    }
    this.done();
  }

  private some(after: number, upTo: number, maxBytes: number): Row[] {
    const rows: Row[] = [];
    let bytes = 0;
    for (let zxid = after + 1; zxid <= upTo && (rows.length === 0 || bytes < maxBytes); zxid++) {
      const row = this.image.row(zxid);
      if (row === undefined) break;
      rows.push(row);
      bytes += row.bytes.length;
    }
    return rows;
  }

  // ---- checkpoints

  /** Folds what is committed and durable into the checkpoint, and purges what the older one makes needless. */
  private checkpoint(): void {
    const { header } = this.facts;
    const { zxid } = header.committed;
    const from = this.tree?.at.zxid ?? 0;
    if (header.install !== undefined || header.recovering !== undefined) return;
    if (zxid - from < this.params.checkpointEvery || this.unsynced.length > 0) return;
    if (this.passes("before fold")) return;
    this.fold();
    if (this.passes("after fold")) return;
    const upTo = Math.min(
      this.older?.at.zxid ?? 0,
      this.served.until > this.scheduler.now ? this.served.zxid : Infinity,
    );
    if (upTo > this.image.header.base.at.zxid) {
      this.coverage.hit("log", "purge");
      this.turn.push(steps.purge(upTo));
    }
    this.older = this.tree;
  }

  private fold(): void {
    const { header } = this.facts;
    const from = this.tree?.at.zxid ?? 0;
    const rows = this.image.between(from, header.committed.zxid);
    if (rows.length === 0) return;
    const all = [...(this.tree?.rows ?? []), ...rows];
    this.tree = { rows: all, at: positionOf(all.at(-1))!, clusterId: header.clusterId };
  }

  /** Every transaction up to the durable commit point, from the checkpoint and the log. */
  committedRows(): Row[] {
    const { header } = this.image;
    const kept = this.tree?.rows ?? [];
    assert(kept.length >= header.base.at.zxid, "the checkpoint reaches the beginning of the log");
    return [...kept.slice(0, header.committed.zxid), ...this.image.between(kept.length, header.committed.zxid)];
  }

  private prepared(ticket: number): void {
    const { header } = this.facts;
    if (header.install !== undefined || header.recovering !== undefined || this.unsyncedRows()) {
      this.tell(Input.snapshotReady, ticket, undefined);
      return;
    }
    this.fold();
    const made = this.tree;
    if (made === undefined) {
      this.tell(Input.snapshotReady, ticket, undefined);
      return;
    }
    // The copy served takes the place of the older checkpoint, and the log from it on is kept.
    this.older = made;
    this.served = { zxid: made.at.zxid, until: this.scheduler.now + servedFor };
    const id = `${this.node}/${++this.snapshots}`;
    this.offered.set(id, made);
    const { crc } = made.rows.at(-1)!;
    const bytes = made.rows.reduce((sum, row) => sum + row.bytes.length, 0);
    const offer: SnapshotOffer = { id, at: made.at, bytes, digest: crc, chainCrc: crc };
    this.tell(Input.snapshotReady, ticket, offer);
  }

  private unsyncedRows(): boolean {
    return this.unsynced.some(({ steps: written }) => written.some(({ kind }) => kind === "install"));
  }

  offeredCheckpoint(id: string): Checkpoint | undefined {
    return this.offered.get(id);
  }

  // ---- installing a checkpoint of another server

  private fetch(ticket: number, from: number, offer: SnapshotOffer, boundaries: readonly LogPosition[]): void {
    const { life } = this.endpoint!;
    const found = this.host.fetch(this.node, from, offer.id);
    if (found === undefined) {
      this.scheduler.after(1000, this, Event.fetched, life, { ticket, offer, boundaries, checkpoint: undefined });
      return;
    }
    const { checkpoint, micros } = found;
    this.scheduler.after(micros, this, Event.fetched, life, { ticket, offer, boundaries, checkpoint, from });
  }

  private fetched(install: Installation & { readonly from?: number }): void {
    const { ticket, offer, from } = install;
    const isThere = from !== undefined && this.host.fetch(this.node, from, offer.id) !== undefined;
    if (!isThere || this.incoming !== undefined) {
      this.tell(Input.snapshotFailed, ticket, undefined);
      return;
    }
    const { at, rows } = install.checkpoint;
    assert(at.zxid === offer.at.zxid && rows.at(-1)!.crc === offer.chainCrc, "the checkpoint is the one offered");
    if (this.passes("before checkpoint stored")) return;
    this.scheduler.after(this.time(this.params.syncTime * 2), this, Event.stored, this.endpoint!.life, install);
  }

  /** (a) is done: the file is complete and synced. */
  private stored(install: Installation): void {
    this.incoming = install.checkpoint;
    if (this.passes("after checkpoint stored")) return;
    // What the core still wants is nobody's business: it ends here.
    this.host.replacing(this.node);
    this.turn = [];
    const { offer, boundaries, checkpoint } = install;
    this.queue.push({ kind: "commit", steps: [steps.install(offer, checkpoint.clusterId, boundaries)] });
    this.queue.push({ kind: "swap", install });
    this.next();
  }

  /** (c): the new checkpoint takes the place of the old one. */
  private swapped(): void {
    if (this.passes("while swapping")) return;
    this.swap();
    if (this.passes("after swap")) return;
    this.busy = undefined;
    this.coverage.hit("sync", "SNAP installed");
    this.host.replaced(this.node);
  }

  private swap(): void {
    this.tree = this.incoming;
    this.older = undefined;
    this.incoming = undefined;
    this.offered.clear();
  }

  // ---- crashes

  /** A fault may end the process here. */
  private passes(point: string): boolean {
    const { trap } = this;
    if (trap === undefined || (trap.point !== "" && trap.point !== point)) return false;
    if (trap.skip-- > 0) return false;
    this.trap = undefined;
    this.coverage.hit("crash", point);
    this.host.crashed(this.node, trap.mode, point);
    return true;
  }

  /** The process is gone, and with it whatever it only had in memory. */
  detach(): void {
    this.endpoint = undefined;
    this.turn = [];
    this.asked = [];
    this.queue = [];
    this.busy = undefined;
    this.writing = [];
  }

  /** Power is gone too: of what was not synced, some commits survive, the next one may be torn, the rest is lost. */
  losePower(): void {
    const { unsynced } = this;
    if (!this.chance.chance(0.5)) this.watermark.written = this.watermark.durable;
    else this.watermark.durable = this.watermark.written;
    let keep = this.chance.between(0, unsynced.length);
    keep = Math.max(keep, this.leastToKeep());
    const torn = keep < unsynced.length && this.chance.chance(0.5) ? unsynced[keep] : undefined;
    while (unsynced.length > keep + (torn === undefined ? 0 : 1)) unsynced.pop()!.undo();
    if (torn !== undefined) this.tear(torn);
  }

  /** Commits that the disk lied about are lost only where that will be noticed. */
  private leastToKeep(): number {
    const { unsynced, image } = this;
    const told = unsynced.findLastIndex((commit) => commit.told);
    if (told < 0) return 0;
    for (let keep = 0; keep <= told; keep++) {
      const onlyAppends = unsynced
        .slice(keep)
        .every(
          ({ told: was, steps: done }) => !was || done.every(({ kind }) => kind === "append" || kind === "commit"),
        );
      if (!onlyAppends) continue;
      const remaining = image.rows[unsynced[keep]!.lengthBefore - 1] ?? image.header.base.at;
      if (remaining.zxid < (this.tree?.at.zxid ?? 0) || !this.host.mayLose(this.node, remaining)) continue;
      this.coverage.hit("fault", "acknowledged data lost by a disk that lied");
      return keep;
    }
    return told + 1;
  }

  private tear(commit: Commit): void {
    const { rows } = this.image;
    const at = rows.length - 1;
    if (at < commit.lengthBefore || commit.steps.some(({ kind }) => kind !== "append" && kind !== "commit")) {
      // Pages of the database without rows: the checksum of their frame does not match.
      this.unsynced.pop()!.undo();
      return;
    }
    const row = rows[at]!;
    const bytes = row.bytes.slice();
    bytes[this.chance.below(bytes.length)]! ^= 1 << this.chance.below(8);
    rows[at] = { ...row, bytes };
  }

  // ---- faults of whole directories

  setAside(): void {
    const { scheduler, chance, coverage } = this;
    const copy = new SimDisk(this.node, { scheduler, chance, coverage }, this.params, this.host);
    copy.image = this.durableImage();
    copy.facts = this.facts;
    copy.tree = this.tree;
    copy.older = this.older;
    copy.watermark = { written: this.watermark.durable, durable: this.watermark.durable };
    this.backup = copy;
  }

  private durableImage(): LogImage {
    const copy = this.image.copy();
    copy.header = { ...this.facts.header };
    copy.rows = copy.rows.slice(0, Math.max(0, this.facts.last.zxid - copy.header.base.at.zxid));
    return copy;
  }

  /** Whether a copy was set aside that can be restored now. */
  get canSetAside(): boolean {
    return this.unsynced.length === 0 && this.incoming === undefined && this.facts.header.install === undefined;
  }

  restore(copy: SimDisk): void {
    this.image = copy.image.copy();
    this.facts = { header: this.image.header, last: { ...copy.facts.last } };
    this.unsynced = [];
    this.tree = copy.tree;
    this.older = copy.older;
    this.incoming = undefined;
    this.watermark = { ...copy.watermark };
    this.offered.clear();
  }

  wipe(): void {
    this.image = new LogImage();
    this.facts = { header: this.image.header, last: zero };
    this.unsynced = [];
    this.tree = this.older = this.incoming = undefined;
    this.watermark = { written: zero, durable: zero };
    this.offered.clear();
    this.backup = undefined;
  }

  // ---- recovery

  /** What a new process finds; undefined when a fault ends it meanwhile. */
  recover(): DiskRecovered | undefined {
    if (this.passes("before recovery")) return undefined;
    this.cutTornTail();
    // After a failed sync the cache may hold what the disk does not: it is made durable anew before anybody relies on it.
    const written = this.unsynced.flatMap((commit) => commit.steps);
    this.unsynced = [];
    this.believeDurable(written);
    if (this.passes("recovered log made durable")) return undefined;
    this.recoverCheckpoint();
    if (this.passes("after recovery")) return undefined;
    this.offered.clear();
    return this.recovered();
  }

  private cutTornTail(): void {
    const { image } = this;
    for (;;) {
      const { base } = image.header;
      let good: number;
      try {
        good = verifiedRows(image.rows, base.at, base.crc);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        good = -1;
      }
      if (good === image.rows.length) return;
      const commit = this.unsynced.pop();
      assert(commit !== undefined, "a synced row fails its checksum");
      this.coverage.hit("fault", "torn tail");
      commit.undo();
    }
  }

  private recoverCheckpoint(): void {
    const { header } = this.image;
    // The mark may be that of an earlier checkpoint, whose successor was stored and not yet made the base.
    if (this.incoming !== undefined && header.install?.crc === this.incoming.rows.at(-1)!.crc) {
      this.coverage.hit("sync", "SNAP finished by recovery");
      this.swap();
    }
    this.incoming = undefined;
    const { at } = header.base;
    assert((this.tree?.at.zxid ?? 0) >= at.zxid, "the log continues the checkpoint");
    assert((this.tree?.at.zxid ?? 0) <= this.image.last.zxid, "the checkpoint holds only what is logged");
  }

  private recovered(): DiskRecovered {
    const { header, last } = this.image;
    const { committed } = header;
    const tail = this.image.between(committed.zxid, Infinity);
    const state: DurableState = {
      clusterId: header.clusterId,
      acceptedEpoch: header.acceptedEpoch,
      currentEpoch: header.currentEpoch,
      last: { zxid: last.zxid, epoch: last.epoch },
      committed,
      boundaries: header.boundaries,
      logStart: header.base.at.zxid + 1,
      tail: tail.length > 0 ? joinRows(tail) : undefined,
      forming: header.forming,
      recovering: header.recovering ?? this.lossFound(last),
      memberAcks: [...header.memberAcks].map(([member, position]) => ({ member, position })),
    };
    return { state, committed: this.committedRows(), tail };
  }

  private lossFound(last: LogPosition): string | undefined {
    const { written } = this.watermark;
    if (written.zxid <= last.zxid && written.epoch <= last.epoch) return undefined;
    this.coverage.hit("recovering", "watermark above the log");
    return `transactions up to ${written.zxid} of epoch ${written.epoch} were durable here, the log ends at ${last.zxid}`;
  }
}
