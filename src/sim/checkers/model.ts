/** The committed history, replayed in the most obvious way: what checkers compare with. */
import { parentPath } from "../../tree/path.ts";
import { emptyStat } from "../../tree/stat.ts";
import { Tree } from "../../tree/tree.ts";
import { Cause, OpKind, type Txn, type TxnOp } from "../../tree/txn.ts";
import { eventKindOf } from "../../watches/watch-event.ts";

export interface ModelNode {
  readonly czxid: number;
  readonly owner: number;
  mzxid: number;
  pzxid: number;
  version: number;
  aversion: number;
  /** Children ever created. */
  created: number;
  readonly children: Set<string>;
}

export interface ModelSession {
  readonly timeoutMs: number;
  lastSeq: number;
  /** When it ended; 0 while it lives. */
  end: number;
}

/** A row that watches tell of. */
export interface Change {
  readonly zxid: number;
  readonly op: number;
  readonly path: string;
}

export class Model {
  zxid = 0;
  time = 0;
  /** By path; what every tree begins with is there from the start. */
  readonly nodes = new Map<string, ModelNode>();
  readonly sessions = new Map<number, ModelSession>();
  readonly changes: Change[] = [];
  /** By session and seq: the transaction. */
  readonly outcomes = new Map<string, number>();

  constructor() {
    const tree = Tree.initial();
    for (const slot of tree.slots()) {
      const stat = tree.readStat(slot, emptyStat());
      const path = tree.path(slot);
      const node = { ...stat, created: stat.sequence, children: new Set<string>() };
      this.nodes.set(path, node);
      if (path !== "/") this.nodes.get(parentPath(path))!.children.add(path);
    }
  }

  /** Ephemeral znodes of a session. */
  ephemeralsOf(session: number): string[] {
    const paths: string[] = [];
    for (const [path, { owner }] of this.nodes) if (owner === session) paths.push(path);
    return paths;
  }

  applyOp(txn: Txn, op: TxnOp, index: number): void {
    const { zxid } = txn;
    if (eventKindOf(op) !== 0) this.changes.push({ zxid, op: index, path: op.path });
    const node = this.nodes.get(op.path);
    switch (op.kind) {
      case OpKind.create: {
        this.nodes.set(op.path, newNode(zxid, op.stat.owner));
        this.changeChildren(op.path, zxid, (parent) => {
          parent.created++;
          parent.children.add(op.path);
        });
        break;
      }
      case OpKind.delete:
        this.nodes.delete(op.path);
        this.changeChildren(op.path, zxid, (parent) => void parent.children.delete(op.path));
        break;
      case OpKind.setData:
        if (node === undefined) break;
        node.version = op.stat.version;
        node.mzxid = zxid;
        break;
      case OpKind.setAcl:
        if (node !== undefined) node.aversion = op.stat.aversion;
        break;
      case OpKind.openSession:
        this.sessions.set(zxid, { timeoutMs: timeoutOf(op), lastSeq: 0, end: 0 });
        break;
      case OpKind.closeSession: {
        const session = this.sessions.get(txn.session);
        if (session !== undefined) session.end = zxid;
        break;
      }
    }
  }

  /** After the last row. */
  applied(txn: Txn): void {
    this.zxid = txn.zxid;
    this.time = txn.time;
    if (txn.seq === 0) return;
    const session = this.sessions.get(txn.session);
    if (session !== undefined) session.lastSeq = txn.seq;
    this.outcomes.set(`${txn.session} ${txn.seq}`, txn.zxid);
  }

  private changeChildren(path: string, zxid: number, change: (parent: ModelNode) => void): void {
    const parent = this.nodes.get(parentPath(path));
    if (parent === undefined) return;
    parent.pzxid = zxid;
    change(parent);
  }
}

function newNode(zxid: number, owner: number): ModelNode {
  return { czxid: zxid, owner, mzxid: zxid, pzxid: zxid, version: 0, aversion: 0, created: 0, children: new Set() };
}

function timeoutOf(op: TxnOp): number {
  return (JSON.parse(op.detail) as { timeoutMs: number }).timeoutMs;
}

export function isExpiry(op: TxnOp): boolean {
  return op.kind === OpKind.closeSession && op.cause === Cause.sessionExpired;
}
