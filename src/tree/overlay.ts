/**
 * The tree as it will be once everything in the pipeline is committed: what the leader validates against. Holds only
 * the znodes that transactions ahead of the commit point touch; all others are read from the tree.
 *
 * Invariant: an entry lives exactly until the last transaction that touched it is applied.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { ZnodeState } from "./delta.ts";
import { emptyStat } from "./stat.ts";
import { rootSlot, type Tree } from "./tree.ts";

/** Removals after which the map of entries is made anew; many times the entries there are. */
const removalsMax = 4096;

interface Entry {
  /** Undefined: the znode will not exist. */
  state: ZnodeState | undefined;
  /** The last transaction that touched it. */
  zxid: number;
}

interface Undo {
  readonly path: string;
  readonly entry: Entry | undefined;
}

export class Overlay {
  private readonly tree: Tree;
  private entries = new Map<string, Entry>();
  /** Entries removed since `entries` was made anew. */
  private removals = 0;
  /** ACLs that transactions in the pipeline add to the table. */
  private readonly newAcls = new Map<string, { id: number; zxid: number }>();
  private nextAclId: number;
  /** Identity the next created znode will get. */
  nextZnodeId: number;
  private undo: Undo[] | undefined;
  private undoNextZnodeId = 0;

  constructor(tree: Tree) {
    this.tree = tree;
    this.nextAclId = tree.acls.nextId;
    this.nextZnodeId = tree.nextId;
  }

  /** Nothing is ahead of the tree: begins anew from what it holds by now. */
  restart(): void {
    assert(this.entries.size === 0 && this.newAcls.size === 0, "the pipeline is not empty");
    this.nextAclId = this.tree.acls.nextId;
    this.nextZnodeId = this.tree.nextId;
  }

  /** The state of a znode: the caller may change it and hand it back to `put`. Undefined when it will not exist. */
  get(path: string): ZnodeState | undefined {
    const entry = this.entries.get(path);
    if (entry !== undefined) return this.undo === undefined ? entry.state : cloneState(entry.state);
    const slot = this.tree.find(path);
    return slot < 0 ? undefined : this.stateOf(slot);
  }

  private stateOf(slot: number): ZnodeState {
    const { tree } = this;
    const data = tree.dataLength(slot);
    return {
      id: tree.id(slot),
      parent: slot === rootSlot ? 0 : tree.id(tree.parent(slot)),
      acl: tree.acl(slot),
      rowZxid: tree.rowZxid(slot),
      dataCrc: tree.dataCrc(slot),
      dataLength: data,
      stat: tree.readStat(slot, emptyStat()),
    };
  }

  /** Sets what a znode will be after transaction `zxid`. */
  put(path: string, state: ZnodeState | undefined, zxid: number): void {
    const entry = this.entries.get(path);
    this.undo?.push({ path, entry: entry === undefined ? undefined : { ...entry } });
    if (entry === undefined) this.entries.set(path, { state, zxid });
    else {
      entry.state = state;
      entry.zxid = zxid;
    }
  }

  /** The number of an ACL, and its text if transaction `zxid` is the one that adds it. Undefined: the table is full. */
  aclId(entries: string, zxid: number): { id: number; added: string } | undefined {
    const known = this.tree.acls.find(entries) ?? this.newAcls.get(entries)?.id;
    if (known !== undefined) return { id: known, added: "" };
    if (this.nextAclId > limits.acls) return undefined;
    const id = this.nextAclId++;
    this.newAcls.set(entries, { id, zxid });
    return { id, added: entries };
  }

  /** Text of an ACL that is in the table or in the pipeline. */
  aclText(id: number): string {
    if (id < this.tree.acls.nextId) return this.tree.acls.text(id);
    for (const [entries, acl] of this.newAcls) if (acl.id === id) return entries;
    assert(false, "an ACL number is neither in the table nor in the pipeline");
  }

  /** Paths of a session's ephemeral znodes, in byte order. */
  ephemeralsOf(session: number): string[] {
    const paths: string[] = [];
    for (const slot of this.tree.ephemeralsOf(session)) {
      const path = this.tree.path(slot);
      if (!this.entries.has(path)) paths.push(path);
    }
    for (const [path, entry] of this.entries) if (entry.state?.stat.owner === session) paths.push(path);
    return paths.sort();
  }

  /** At least the number of a session's ephemeral znodes; exact when it matters. */
  countEphemerals(session: number, limit: number): number {
    const committed = this.tree.ephemeralsOf(session).size;
    return committed + this.entries.size < limit ? committed : this.ephemeralsOf(session).length;
  }

  /** Paths the pipeline creates or changes at or below `root`, and those it deletes. */
  *touched(isBelow: (path: string) => boolean): Generator<{ path: string; exists: boolean }> {
    for (const [path, entry] of this.entries) {
      if (isBelow(path)) yield { path, exists: entry.state !== undefined };
    }
  }

  get size(): number {
    return this.entries.size;
  }

  /** From here on, changes can be taken back by `rollBack`. */
  begin(): void {
    this.undo = [];
    this.undoNextZnodeId = this.nextZnodeId;
  }

  commit(): void {
    this.undo = undefined;
  }

  /** Takes back everything since `begin`, the ACLs that transaction `zxid` would have added included. */
  rollBack(zxid: number): void {
    const { undo } = this;
    assert(undo !== undefined, "nothing to roll back");
    for (let i = undo.length - 1; i >= 0; i--) {
      const { path, entry } = undo[i]!;
      if (entry === undefined) this.entries.delete(path);
      else this.entries.set(path, entry);
    }
    for (const [entries, acl] of this.newAcls) {
      if (acl.zxid !== zxid) continue;
      this.newAcls.delete(entries);
      this.nextAclId--;
    }
    this.nextZnodeId = this.undoNextZnodeId;
    this.undo = undefined;
  }

  /** Transaction `zxid`, which touched `path`, was applied: the tree says the same now. */
  applied(path: string, zxid: number): void {
    if (this.entries.get(path)?.zxid !== zxid) return;
    this.entries.delete(path);
    // A Map that is always filled and emptied leaves a chain of old tables that only a full garbage collection breaks;
    // see SeqMap. A new one has no past.
    if (++this.removals < removalsMax) return;
    this.removals = 0;
    this.entries = new Map(this.entries);
  }

  /** Transaction `zxid`, which added this ACL, was applied. */
  aclApplied(entries: string): void {
    this.newAcls.delete(entries);
  }
}

function cloneState(state: ZnodeState | undefined): ZnodeState | undefined {
  return state === undefined ? undefined : { ...state, stat: { ...state.stat } };
}
