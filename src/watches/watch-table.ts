/**
 * All watches of one server, found by the paths a change concerns. Costs of a change: one look-up for its znode and one
 * for its parent, and one for each ancestor while watches of subtrees exist; nothing for watches elsewhere.
 *
 * One-shot watches are ZooKeeper's: left by a read, told of one change, gone. A `data` watch (exists, getData) sees
 * creation, change and deletion of its znode; a `child` watch (list children) sees children come and go, and the
 * deletion of the znode. They are consumed by any change of their table, even one withheld for lack of permission.
 */
import { assert } from "../base/assert.ts";
import type { Identity } from "../tree/acl.ts";
import { parentPath } from "../tree/path.ts";
import { OpKind, type Txn, type TxnOp } from "../tree/txn.ts";
import { EventKind, eventKindOf, type WatchEvent, type WatchSink } from "./watch-event.ts";

/** What a watch covers: a one-shot table, or a scope numbered as in the contract. */
export type WatchKind = "oneShotData" | "oneShotChild" | "node" | "children" | "subtree";

export interface Watch {
  readonly id: number;
  readonly kind: WatchKind;
  readonly path: string;
  readonly includeData: boolean;
  readonly identities: readonly Identity[];
  readonly sink: WatchSink;
  /** Which rows concern it while it is not live yet; undefined: all. */
  admits: ((path: string, zxid: number, opIndex: number) => boolean) | undefined;
  /** When the last event or mark was sent, by the replica's clock. */
  lastToldMs: number;
}

/** Decides whether a watch may be told of a row: READ under the ACL in force then, and now if the znode exists. */
export type MayRead = (identities: readonly Identity[], rowAcl: number, path: string) => boolean;

type WatchSet = Map<string, Set<Watch>>;

export class WatchTable {
  private readonly tables: Readonly<Record<WatchKind, WatchSet>> = {
    oneShotData: new Map(),
    oneShotChild: new Map(),
    node: new Map(),
    children: new Map(),
    subtree: new Map(),
  };
  private size = 0;

  get count(): number {
    return this.size;
  }

  add(watch: Watch): void {
    const table = this.tables[watch.kind];
    let watches = table.get(watch.path);
    if (watches === undefined) table.set(watch.path, (watches = new Set()));
    assert(!watches.has(watch), "a watch is added twice");
    watches.add(watch);
    this.size++;
  }

  /** Removes a watch; does nothing when it is not there (a one-shot may have fired). */
  remove(watch: Watch): void {
    const table = this.tables[watch.kind];
    const watches = table.get(watch.path);
    if (watches?.delete(watch) !== true) return;
    this.size--;
    if (watches.size === 0) table.delete(watch.path);
  }

  /** Tells all watches of an applied transaction, row by row. Calls `gone` with each one-shot that is consumed. */
  fire(txn: Txn, nowMs: number, mayRead: MayRead, gone: (watch: Watch) => void): void {
    if (this.size === 0) return;
    for (let index = 0; index < txn.ops.length; index++) {
      const op = txn.ops[index]!;
      if (eventKindOf(op) !== 0) this.fireRow(txn, index, op, { nowMs, mayRead, gone });
    }
  }

  private fireRow(
    txn: Txn,
    opIndex: number,
    op: TxnOp,
    context: { nowMs: number; mayRead: MayRead; gone: (watch: Watch) => void },
  ): void {
    const kind = eventKindOf(op);
    const { path } = op;
    // ZooKeeper's order: watches on the znode, then on its children, then on the children of its parent.
    const onZnode = this.takeOneShots("oneShotData", path, context.gone);
    if (kind === EventKind.deleted) onZnode.push(...this.takeOneShots("oneShotChild", path, context.gone));
    collect(this.tables.node.get(path), onZnode);
    collect(this.tables.children.get(path), onZnode);
    if (path !== "/") collect(this.tables.children.get(parentPath(path)), onZnode);
    if (this.tables.subtree.size > 0) {
      for (let at = path; ; at = parentPath(at)) {
        collect(this.tables.subtree.get(at), onZnode);
        if (at === "/") break;
      }
    }
    const base = { path, zxid: txn.zxid, opIndex, session: txn.session, op };
    tell(onZnode, op.acl, path, { ...base, kind, includeData: false }, { ...base, kind, includeData: true }, context);
    if (op.kind !== OpKind.create && op.kind !== OpKind.delete) return;
    const parent = parentPath(path);
    const onParent = this.takeOneShots("oneShotChild", parent, context.gone);
    if (onParent.length === 0) return;
    const event = { ...base, path: parent, kind: EventKind.childrenChanged, includeData: false };
    tell(onParent, op.parentAcl, parent, event, event, context);
  }

  private takeOneShots(kind: "oneShotData" | "oneShotChild", path: string, gone: (watch: Watch) => void): Watch[] {
    const table = this.tables[kind];
    if (table.size === 0) return [];
    const watches = table.get(path);
    if (watches === undefined) return [];
    table.delete(path);
    this.size -= watches.size;
    const taken = [...watches];
    for (const watch of taken) gone(watch);
    return taken;
  }
}

function collect(watches: ReadonlySet<Watch> | undefined, into: Watch[]): void {
  if (watches !== undefined) for (const watch of watches) into.push(watch);
}

/** Tells watches of one event; those of one sink together, so that a connection hears of a deletion once. */
function tell(
  watches: readonly Watch[],
  rowAcl: number,
  path: string,
  plain: WatchEvent,
  withData: WatchEvent,
  context: { nowMs: number; mayRead: MayRead },
): void {
  if (watches.length === 0) return;
  const idsBySink = new Map<WatchSink, { plain: number[]; withData: number[] }>();
  for (const watch of watches) {
    if (watch.admits?.(path, plain.zxid, plain.opIndex) === false) continue;
    if (!context.mayRead(watch.identities, rowAcl, path)) continue;
    watch.lastToldMs = context.nowMs;
    let ids = idsBySink.get(watch.sink);
    if (ids === undefined) idsBySink.set(watch.sink, (ids = { plain: [], withData: [] }));
    (watch.includeData ? ids.withData : ids.plain).push(watch.id);
  }
  for (const [sink, ids] of idsBySink) {
    if (ids.plain.length > 0) sink.watchEvent(ids.plain, plain);
    if (ids.withData.length > 0) sink.watchEvent(ids.withData, withData);
  }
}
