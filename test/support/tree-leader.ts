/**
 * Drives the tree the way a leader does, without a replica around it: form check, prepare, hold the transaction back,
 * apply later. For tests of the tree.
 */
import type { Refusal } from "../../src/base/reasons.ts";
import { isRefusal, Preparer, type Caller } from "../../src/tree/prepare.ts";
import { hashPath } from "../../src/tree/path-index.ts";
import { requestProblem, type CreateRequest, type WriteRequest } from "../../src/tree/request.ts";
import { emptyStat, type Stat } from "../../src/tree/stat.ts";
import { Tree, type ZnodeRow } from "../../src/tree/tree.ts";
import type { Acl, Identity } from "../../src/tree/acl.ts";
import type { TxnOp } from "../../src/tree/txn.ts";
import { ZnodeChunkPacker, znodesPerChunk } from "../../src/tree/znode-chunk.ts";

export const anyone: Caller = caller(0);

/** A caller, with identities written `scheme:id`. */
export function caller(session: number, ...identities: string[]): Caller {
  return { session, identities: identities.map(identity), who: identities.join(", ") };
}

export function identity(text: string): Identity {
  const at = text.indexOf(":");
  return { scheme: text.slice(0, at), id: text.slice(at + 1) };
}

/** What came of a request: its rows, or the refusal. */
export type Answer = { ops: TxnOp[]; refusal: undefined } | { ops: undefined; refusal: Refusal };

export class TreeLeader {
  readonly tree: Tree;
  readonly preparer: Preparer;
  zxid = 0;
  /** Prepared and not applied. */
  private readonly ahead: { zxid: number; ops: TxnOp[] }[] = [];

  constructor(tree = Tree.initial(), options = { creatorOwned: false }) {
    this.tree = tree;
    this.preparer = new Preparer(tree, options);
  }

  /** The clock: some time that passes with the transactions. */
  get time(): number {
    return 1_700_000_000_000 + this.zxid * 10;
  }

  /** Prepares a request and holds its transaction back. */
  propose(request: WriteRequest, by: Caller = anyone): Answer {
    const problem = requestProblem(request, by.identities);
    if (problem !== undefined) return { ops: undefined, refusal: problem };
    this.zxid++;
    const prepared = this.preparer.prepare(request, by, { zxid: this.zxid, time: this.time });
    if (isRefusal(prepared)) return { ops: undefined, refusal: prepared };
    this.ahead.push({ zxid: this.zxid, ops: prepared });
    return { ops: prepared, refusal: undefined };
  }

  /** Applies what was held back. */
  apply(): void {
    for (const { zxid, ops } of this.ahead.splice(0)) {
      for (const op of ops) this.tree.apply(zxid, op);
      for (const op of ops) this.preparer.applied(zxid, op);
    }
  }

  /** Prepares and applies. */
  run(request: WriteRequest, by: Caller = anyone): Answer {
    const answer = this.propose(request, by);
    this.apply();
    return answer;
  }

  /** Runs a request that must succeed; returns its rows. */
  do(request: WriteRequest, by: Caller = anyone): TxnOp[] {
    const { ops, refusal } = this.run(request, by);
    if (ops === undefined) throw new Error(`${request.kind} was refused: ${refusal.reason} (${refusal.message})`);
    return ops;
  }

  /** Runs a request; "ok" or the reason of its refusal. */
  outcome(request: WriteRequest, by: Caller = anyone): string {
    return this.run(request, by).refusal?.reason ?? "ok";
  }

  endSession(session: number, expired = false): TxnOp[] {
    this.zxid++;
    const ops = this.preparer.endSession(session, expired, { zxid: this.zxid, time: this.time });
    this.ahead.push({ zxid: this.zxid, ops });
    this.apply();
    return ops;
  }

  stat(path: string): Stat {
    const slot = this.tree.find(path);
    if (slot < 0) throw new Error(`no znode at ${path}`);
    return this.tree.readStat(slot, emptyStat());
  }

  exists(path: string): boolean {
    return this.tree.find(path) >= 0;
  }

  aclText(path: string): string {
    return this.tree.acls.text(this.tree.acl(this.tree.find(path)));
  }

  children(path: string): string[] {
    const names: string[] = [];
    this.tree.forEachChildAfter(this.tree.find(path), "", (child) => {
      names.push(this.tree.name(child));
      return true;
    });
    return names;
  }
}

// ---- requests, with defaults for what a test does not care about

export function create(path: string, more: Partial<Omit<CreateRequest, "kind" | "path">> = {}): CreateRequest {
  return { kind: "create", path, data: null, mode: 1, acl: null, ...more };
}

export function del(path: string, version: number | null = null): WriteRequest & { kind: "delete" } {
  return { kind: "delete", path, version };
}

export function deleteSubtree(path: string): WriteRequest & { kind: "deleteSubtree" } {
  return { kind: "deleteSubtree", path };
}

export function setData(
  path: string,
  data: Uint8Array | null = null,
  version: number | null = null,
): WriteRequest & { kind: "setData" } {
  return { kind: "setData", path, data, version };
}

export function setAcl(path: string, acl: Acl, version: number | null = null): WriteRequest & { kind: "setAcl" } {
  return { kind: "setAcl", path, acl, version };
}

export function checkVersion(
  path: string,
  version: number,
): { kind: "check"; path: string; version: number; exists: true } {
  return { kind: "check", path, version, exists: true };
}

export function checkExists(
  path: string,
  exists: boolean,
): { kind: "check"; path: string; version: null; exists: boolean } {
  return { kind: "check", path, version: null, exists };
}

// ---- checkpoints

/** Everything of a tree, as a checkpoint holds it: the znodes in the order of their ids. */
export function rowsOf(tree: Tree): ZnodeRow[] {
  const rows = tree.slots().map((slot): ZnodeRow => {
    const data = tree.data(slot);
    return {
      id: tree.id(slot),
      parent: tree.path(slot) === "/" ? 0 : tree.id(tree.parent(slot)),
      name: tree.name(slot),
      data: data === null ? null : data.slice(),
      dataCrc: tree.dataCrc(slot),
      acl: tree.acl(slot),
      rowZxid: tree.rowZxid(slot),
      stat: tree.readStat(slot, emptyStat()),
    };
  });
  return rows.sort((a, b) => a.id - b.id);
}

/** Fills an empty tree from another one's rows, as a restart does. */
export function loadFrom<T extends Tree>(from: Tree, to: T, change: (row: ZnodeRow) => ZnodeRow = (row) => row): T {
  for (const { id, entries } of from.acls.rows()) if (id >= to.acls.nextId) to.acls.add(id, entries);
  for (const row of rowsOf(from)) to.load(change(row));
  to.finishLoading(from.nextId);
  return to;
}

/** Fills an empty tree as a restart from packed chunks does; each chunk has at most `size` znodes. */
export function adoptFrom<T extends Tree>(from: Tree, to: T, size = znodesPerChunk): T {
  for (const { id, entries } of from.acls.rows()) if (id >= to.acls.nextId) to.acls.add(id, entries);
  const rows = rowsOf(from);
  const paths = new Map(from.slots().map((slot) => [from.id(slot), from.path(slot)]));
  for (let at = 0; at < rows.length; at += size) {
    const packer = new ZnodeChunkPacker();
    for (const row of rows.slice(at, at + size)) {
      const path = paths.get(row.id)!;
      packer.add(row, path === "/" ? 0 : hashPath(path, path.length));
    }
    to.adopt(packer.finish());
  }
  to.finishLoading(from.nextId);
  return to;
}

/** A leader whose tree has one znode's Stat changed: for values that take long to reach. */
export function leaderWith(path: string, stat: Partial<Stat>): TreeLeader {
  const leader = new TreeLeader();
  const made: string[] = [];
  for (let at = path.indexOf("/", 1); ; at = path.indexOf("/", at + 1)) {
    const prefix = at < 0 ? path : path.slice(0, at);
    if (!leader.exists(prefix)) leader.do(create(prefix));
    made.push(prefix);
    if (at < 0) break;
  }
  const id = leader.tree.id(leader.tree.find(path));
  const tree = loadFrom(leader.tree, new Tree(), (row) =>
    row.id === id ? { ...row, stat: { ...row.stat, ...stat } } : row,
  );
  const next = new TreeLeader(tree);
  next.zxid = leader.zxid;
  return next;
}
