/**
 * Watches that stream: from now on, from the current state, or from a cursor in the history.
 *
 * Registration at applied transaction A is atomic: what came before A is sent from the state or the log, what comes
 * after A is live, and nothing is sent twice or left out.
 *
 *   walking   The tree is walked in pieces, in walk order. A change of a znode the walk has passed is an event at once;
 *             one of a znode ahead is left to the walk. When the walk is over, the sum is exact as of that transaction.
 *   resuming  Rows after the cursor are read from the log in scans that all resuming watches share, oldest cursor
 *             first. When the ring of recent transactions reaches back far enough, the rest is sent from there in one
 *             step, and the watch is live.
 *
 * A sink with much unread is passed over until it has been read (`drained`).
 */
import { assert } from "../base/assert.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { childPath, compareWalkOrder, nameOf, pathProblem } from "../tree/path.ts";
import type { Caller } from "../tree/prepare.ts";
import { emptyStat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import type { Txn } from "../tree/txn.ts";
import { WatchTable, type MayRead, type Watch } from "../watches/watch-table.ts";
import type { WatchSink } from "../watches/watch-event.ts";
import type { HistoryPort, HistoryResult } from "./ports.ts";
import type { RecentTxns } from "./recent-txns.ts";

/** The last row of a transaction, where it is not known how many it has. */
export const wholeTxn = 0x7fffffff;

/** How long a watch may be quiet before a progress mark is sent, milliseconds. */
const progressMs = 10_000;
/** Znodes walked before the sink is asked again. */
const usualWalkPiece = 256;
/** Bytes of history read at once. */
const scanBytes = 1024 * 1024;

export interface WatchSpec {
  readonly path: string;
  readonly scope: "node" | "children" | "subtree";
  readonly includeData: boolean;
  readonly start: WatchStart;
}

export type WatchStart =
  | { readonly kind: "now" }
  | { readonly kind: "currentState" }
  | { readonly kind: "resume"; readonly clusterId: string; readonly zxid: number; readonly op: number };

export interface WatchRegistration {
  readonly sink: WatchSink;
  readonly id: number;
  readonly spec: WatchSpec;
  readonly caller: Caller;
  /** Called when the watch is accepted, before anything is sent to it. */
  readonly accepted?: () => void;
  /** Called when the watch has ended by itself. */
  readonly ended?: () => void;
}

interface Feed {
  readonly watch: Watch;
  readonly ended: (() => void) | undefined;
  state:
    | { readonly kind: "live" }
    | { readonly kind: "walking"; position: string | undefined }
    | { readonly kind: "resuming"; zxid: number; op: number };
}

/** What feeds need to know of their replica. */
export interface FeedHost {
  readonly clusterId: string;
  readonly appliedZxid: number;
  readonly now: number;
  readonly mayRead: MayRead;
}

export class WatchFeeds {
  readonly table = new WatchTable();
  private readonly host: FeedHost;
  private readonly tree: Tree;
  private readonly recent: RecentTxns;
  private readonly history: HistoryPort;
  private readonly feeds = new Map<Watch, Feed>();
  /** Feeds that wait for their sink to be read. */
  private readonly stalled = new Set<Feed>();
  /** Feeds that wait for a scan, in a table of their own that scans are matched against. */
  private readonly resuming = new Set<Feed>();
  private readonly resumingTable = new WatchTable();
  private scan: { readonly ticket: number; readonly after: number } | undefined;
  private tickets = 0;
  private lastProgress = 0;
  private readonly stat = emptyStat();
  private readonly walkPieceSize: number;

  constructor(
    host: FeedHost,
    state: { tree: Tree; recent: RecentTxns; history: HistoryPort },
    walkPieceSize = usualWalkPiece,
  ) {
    this.host = host;
    this.walkPieceSize = walkPieceSize;
    this.tree = state.tree;
    this.recent = state.recent;
    this.history = state.history;
  }

  /** Watches of all kinds, those that still catch up included. */
  get count(): number {
    let resuming = 0;
    for (const { state } of this.feeds.values()) if (state.kind === "resuming") resuming++;
    return this.table.count + resuming;
  }

  add(registration: WatchRegistration): Watch | Refusal {
    const { sink, id, spec, caller } = registration;
    const problem = this.problem(spec);
    if (problem !== undefined) return problem;
    registration.accepted?.();
    const watch: Watch = {
      id,
      kind: spec.scope,
      path: spec.path,
      includeData: spec.includeData,
      identities: caller.identities,
      sink,
      admits: undefined,
      lastToldMs: this.host.now,
    };
    const feed: Feed = { watch, ended: registration.ended, state: { kind: "live" } };
    this.feeds.set(watch, feed);
    const { start } = spec;
    if (start.kind === "now") {
      this.table.add(watch);
      this.goLive(feed, false);
    } else if (start.kind === "currentState") this.startWalk(feed);
    else this.startResume(feed, start.zxid, start.op);
    return watch;
  }

  private problem(spec: WatchSpec): Refusal | undefined {
    const malformed = pathProblem(spec.path);
    if (malformed !== undefined) return refusal("BAD_ARGUMENTS", malformed, { field: "path" });
    const { start } = spec;
    if (start.kind !== "resume") return undefined;
    if (start.clusterId !== this.host.clusterId) {
      return refusal("WRONG_CLUSTER", "the cursor belongs to another ensemble", { cluster_id: this.host.clusterId });
    }
    if (start.zxid <= this.host.appliedZxid) return undefined;
    return refusal("ZXID_NOT_REACHED", "the cursor lies beyond what this server has applied", {
      zxid: String(this.host.appliedZxid),
      min_zxid: String(start.zxid),
    });
  }

  remove(watch: Watch): void {
    const feed = this.feeds.get(watch);
    if (feed === undefined) {
      this.table.remove(watch);
      return;
    }
    this.feeds.delete(watch);
    this.stalled.delete(feed);
    if (this.resuming.delete(feed)) this.resumingTable.remove(watch);
    this.table.remove(watch);
  }

  /** Ends every watch. */
  endAll(problem: Refusal): void {
    for (const feed of [...this.feeds.values()]) {
      this.remove(feed.watch);
      feed.ended?.();
      feed.watch.sink.watchEnded(feed.watch.id, problem);
    }
  }

  /** An applied transaction, before anything that reflects it is answered. */
  applied(txn: Txn, gone: (watch: Watch) => void): void {
    this.table.fire(txn, this.host.now, this.host.mayRead, gone);
  }

  /** A sink has been read: whatever waits for it goes on. */
  drained(sink: WatchSink): void {
    if (this.stalled.size === 0) return;
    for (const feed of [...this.stalled]) {
      if (feed.watch.sink !== sink) continue;
      this.stalled.delete(feed);
      if (feed.state.kind === "walking") this.walk(feed);
      else this.joinScan(feed);
    }
  }

  /** Sends progress marks to those that have been quiet. */
  tick(): void {
    const { now, appliedZxid } = this.host;
    if (now - this.lastProgress < 1000) return;
    this.lastProgress = now;
    for (const { watch, state } of this.feeds.values()) {
      if (state.kind !== "live" || now - watch.lastToldMs < progressMs) continue;
      watch.lastToldMs = now;
      watch.sink.watchCursor(watch.id, appliedZxid, this.recent.opsOf(appliedZxid) - 1, false);
    }
  }

  private goLive(feed: Feed, synced: boolean): void {
    const { watch } = feed;
    feed.state = { kind: "live" };
    watch.admits = undefined;
    const { appliedZxid } = this.host;
    watch.sink.watchCursor(watch.id, appliedZxid, this.recent.opsOf(appliedZxid) - 1, synced);
  }

  // ---- the current state

  private startWalk(feed: Feed): void {
    const walking = { kind: "walking" as const, position: undefined as string | undefined };
    feed.state = walking;
    feed.watch.admits = (path) => walking.position !== undefined && compareWalkOrder(path, walking.position) <= 0;
    this.table.add(feed.watch);
    this.walk(feed);
  }

  private walk(feed: Feed): void {
    const { watch, state } = feed;
    assert(state.kind === "walking", "a feed walks that should not");
    for (;;) {
      if (watch.sink.backlogged()) {
        this.stalled.add(feed);
        return;
      }
      if (!this.walkPiece(watch, state)) break;
    }
    this.goLive(feed, true);
  }

  /** Sends the next znodes; false when there are none. */
  private walkPiece(watch: Watch, walk: { position: string | undefined }): boolean {
    const { tree } = this;
    let left = this.walkPieceSize;
    const visit = (slot: number, path: string): boolean => {
      // Data may be large: a client that reads slowly must not be sent a whole piece of it.
      if (left-- === 0 || watch.sink.backlogged()) {
        left = -1;
        return false;
      }
      walk.position = path;
      if (this.host.mayRead(watch.identities, tree.acl(slot), path)) {
        const data = watch.includeData ? tree.data(slot) : null;
        watch.sink.watchState(watch.id, path, tree.readStat(slot, this.stat), data);
      }
      return true;
    };
    if (watch.kind === "subtree") {
      tree.walk(watch.path, walk.position, (slot, path) => (visit(slot, path) ? "descend" : "stop"));
    } else this.walkFlat(watch, walk.position, visit);
    return left < 0;
  }

  /** Visits the znode of a watch and, if it covers them, its children, after `position`. */
  private walkFlat(watch: Watch, position: string | undefined, visit: (slot: number, path: string) => boolean): void {
    const { tree } = this;
    const { path } = watch;
    const slot = tree.find(path);
    if (slot < 0 || (position === undefined && !visit(slot, path)) || watch.kind === "node") return;
    const after = position === undefined || position === path ? "" : nameOf(position);
    tree.forEachChildAfter(slot, after, (child) => visit(child, childPath(path, tree.name(child))));
  }

  // ---- the history

  private startResume(feed: Feed, zxid: number, op: number): void {
    feed.state = { kind: "resuming", zxid, op };
    this.joinScan(feed);
  }

  private joinScan(feed: Feed): void {
    if (this.finishFromRing(feed)) return;
    const { watch } = feed;
    watch.admits = (_path, zxid, op) => {
      const { state } = feed;
      if (state.kind !== "resuming" || !this.scanServes(state)) return false;
      return zxid > state.zxid || (zxid === state.zxid && op > state.op);
    };
    this.resuming.add(feed);
    this.resumingTable.add(watch);
    this.startScan();
  }

  /** If the ring holds everything after the cursor: sends it and goes live, in one step. */
  private finishFromRing(feed: Feed): boolean {
    const { watch, state } = feed;
    assert(state.kind === "resuming", "a feed resumes that should not");
    const { appliedZxid, now, mayRead } = this.host;
    const complete = state.op >= this.recent.opsOf(state.zxid) - 1;
    if (state.zxid < appliedZxid || !complete) {
      if (!this.recent.reachesBackTo(complete ? state.zxid + 1 : state.zxid)) return false;
      const alone = new WatchTable();
      watch.admits = (_path, zxid, op) => zxid > state.zxid || op > state.op;
      alone.add(watch);
      this.recent.forEachFrom(state.zxid, (txn) => {
        alone.fire(txn, now, mayRead, unexpected);
      });
    }
    this.table.add(watch);
    this.goLive(feed, false);
    return true;
  }

  private startScan(): void {
    if (this.scan !== undefined || this.resuming.size === 0) return;
    let after = Infinity;
    for (const { state } of this.resuming) {
      assert(state.kind === "resuming", "a feed that is scanned for does not resume");
      after = Math.min(after, lastWhole(state));
    }
    this.scan = { ticket: ++this.tickets, after };
    this.history.readAfter(this.scan.ticket, after, this.host.appliedZxid, scanBytes);
  }

  /** Whether this ticket belongs to a scan; then its result is taken. */
  historyRead(ticket: number, result: HistoryResult): boolean {
    if (this.scan?.ticket !== ticket) return false;
    if (result.kind === "truncated") this.endTruncated(result.oldestZxid);
    else this.scanned(result.txns);
    this.scan = undefined;
    this.startScan();
    return true;
  }

  /** Whether the scan began early enough for a cursor: a feed with an older one may have joined while it ran. */
  private scanServes(cursor: { zxid: number; op: number }): boolean {
    return this.scan !== undefined && this.scan.after <= lastWhole(cursor);
  }

  private endTruncated(oldestZxid: number): void {
    for (const feed of [...this.resuming]) {
      assert(feed.state.kind === "resuming", "a feed that is scanned for does not resume");
      const next = feed.state.op === wholeTxn ? feed.state.zxid + 1 : feed.state.zxid;
      if (next >= oldestZxid) continue;
      this.remove(feed.watch);
      feed.ended?.();
      const problem = refusal("LOG_TRUNCATED", `the log begins at transaction ${oldestZxid}`, {
        oldest_zxid: String(oldestZxid),
      });
      feed.watch.sink.watchEnded(feed.watch.id, problem);
    }
  }

  private scanned(txns: readonly Txn[]): void {
    const { now, mayRead } = this.host;
    for (const txn of txns) this.resumingTable.fire(txn, now, mayRead, unexpected);
    const last = txns.at(-1);
    assert(last !== undefined, "a scan found nothing although transactions were applied");
    for (const feed of [...this.resuming]) {
      const { watch, state } = feed;
      assert(state.kind === "resuming", "a feed that is scanned for does not resume");
      if (last.zxid >= state.zxid && this.scanServes(state)) {
        // Noted as whole: the ring may begin right behind it and not know how many rows it had.
        state.zxid = last.zxid;
        state.op = wholeTxn;
        watch.sink.watchCursor(watch.id, last.zxid, last.ops.length - 1, false);
      }
      if (watch.sink.backlogged()) this.stalled.add(feed);
      else if (!this.finishFromRing(feed)) continue;
      this.resuming.delete(feed);
      this.resumingTable.remove(watch);
    }
  }
}

/** The last transaction that lies whole before a cursor: one that it stands inside is read again. */
function lastWhole(cursor: { readonly zxid: number; readonly op: number }): number {
  return cursor.op === wholeTxn ? cursor.zxid : Math.max(0, cursor.zxid - 1);
}

function unexpected(): void {
  assert(false, "a one-shot watch was fed from the history");
}
