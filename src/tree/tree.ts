/**
 * The tree of znodes: the replicated state that clients see. `apply` is total and deterministic; it is the only thing
 * that changes the tree.
 *
 * Invariant: every znode but the root has a parent in the tree; counts, indexes and the digest equal what a walk over
 * all znodes would compute (`verify` does just that).
 */
import { assert } from "../base/assert.ts";
import { AclTable, openAclId, readOnlyAclId } from "./acl.ts";
import { ChildIndex } from "./child-index.ts";
import { DigestSum, znodeDigest } from "./digest.ts";
import { NameTable } from "./name-table.ts";
import { hashPath, PathIndex } from "./path-index.ts";
import { childPath, isAtOrBelow, nameOf, parentPath } from "./path.ts";
import { noData, Slab } from "./slab.ts";
import { SparseSlots } from "./sparse-slots.ts";
import { emptyStat, ZnodeKind, type Stat } from "./stat.ts";
import { OpKind, type TxnOp } from "./txn.ts";
import type { ZnodeChunk } from "./znode-chunk.ts";
import { Narrow, Wide, ZnodeTable } from "./znode-table.ts";

/** Slot of the root. */
export const rootSlot = 0;

/** One znode as a checkpoint stores it. */
export interface ZnodeRow {
  readonly id: number;
  /** Identity of the parent; 0 for the root. */
  readonly parent: number;
  readonly name: string;
  readonly data: Uint8Array | null;
  readonly dataCrc: number;
  readonly acl: number;
  readonly rowZxid: number;
  readonly stat: Readonly<Stat>;
}

type Content = Pick<ZnodeRow, "data" | "dataCrc" | "acl" | "stat">;

/** What a setData changes in a Stat. */
export interface DataChange {
  readonly zxid: number;
  readonly mtime: number;
  readonly version: number;
}

/** What a walk does after a znode. */
export type WalkStep = "descend" | "skip" | "stop";

/** Identities of the znodes that exist from the start. */
const initialZnodes = [
  { id: 1, path: "/", acl: openAclId },
  { id: 2, path: "/zookeeper", acl: openAclId },
  { id: 3, path: "/zookeeper/config", acl: readOnlyAclId },
  { id: 4, path: "/zookeeper/quota", acl: openAclId },
] as const;

const noSlots: ReadonlySet<number> = new Set();

export class Tree {
  readonly acls = new AclTable();
  /** Identity the next created znode gets. */
  nextId = 1;
  /** Znodes, the root included. */
  count = 0;
  /** Length of all data together. */
  dataBytes = 0;
  ephemeralCount = 0;

  private readonly table = new ZnodeTable();
  private readonly names = new NameTable();
  private readonly children = new SparseSlots<ChildIndex>();
  private readonly index = new PathIndex(this.table, this.names);
  private readonly slab = new Slab();
  private readonly ephemerals = new Map<number, Set<number>>();
  private readonly digestSum = new DigestSum();
  private readonly scratch = emptyStat();

  /** The tree of a new ensemble. */
  static initial(): Tree {
    const tree = new Tree();
    for (const { id, path, acl } of initialZnodes) {
      const parent = path === "/" ? 0 : tree.id(tree.find(parentPath(path)));
      const children = initialZnodes.filter((other) => other.path !== "/" && parentPath(other.path) === path).length;
      tree.load({
        id,
        parent,
        name: path === "/" ? "" : nameOf(path),
        data: null,
        dataCrc: 0,
        acl,
        rowZxid: 0,
        stat: {
          czxid: 0,
          mzxid: 0,
          pzxid: 0,
          ctime: 0,
          mtime: 0,
          version: 0,
          aversion: 0,
          owner: 0,
          sequence: children,
          children,
          kind: ZnodeKind.persistent,
          dataLength: 0,
        },
      });
    }
    tree.finishLoading(initialZnodes.length + 1);
    return tree;
  }

  // ---- reading

  /** The slot of a well-formed path; -1 when there is no such znode. Valid until the next `apply`. */
  find(path: string): number {
    return path.length === 1 ? rootSlot : this.index.find(path, path.length);
  }

  name(slot: number): string {
    return this.names.name(slot);
  }

  path(slot: number): string {
    if (slot === rootSlot) return "/";
    let path = "";
    for (let at = slot; at !== rootSlot; at = this.parent(at)) path = `/${this.names.name(at)}${path}`;
    return path;
  }

  id(slot: number): number {
    return this.table.wide(slot, Wide.id);
  }

  parent(slot: number): number {
    return this.table.narrow(slot, Narrow.parent);
  }

  acl(slot: number): number {
    return this.table.narrow(slot, Narrow.acl);
  }

  rowZxid(slot: number): number {
    return this.table.wide(slot, Wide.rowZxid);
  }

  descendants(slot: number): number {
    return this.table.narrow(slot, Narrow.descendants);
  }

  /** Bytes; -1 when there is no data. */
  dataLength(slot: number): number {
    return this.table.narrow(slot, Narrow.dataLength);
  }

  dataCrc(slot: number): number {
    return this.table.narrow(slot, Narrow.dataCrc) >>> 0;
  }

  /** The data as a view valid until the next `apply`; null when there is none. */
  data(slot: number): Uint8Array | null {
    const length = this.table.narrow(slot, Narrow.dataLength);
    return length < 0 ? null : this.slab.read(this.table.narrow(slot, Narrow.dataAddress), length);
  }

  /** Fills in `stat` and returns it. */
  readStat(slot: number, stat: Stat): Stat {
    const { table } = this;
    stat.czxid = table.wide(slot, Wide.czxid);
    stat.mzxid = table.wide(slot, Wide.mzxid);
    stat.pzxid = table.wide(slot, Wide.pzxid);
    stat.ctime = table.wide(slot, Wide.ctime);
    stat.mtime = table.wide(slot, Wide.mtime);
    stat.version = table.narrow(slot, Narrow.version);
    stat.aversion = table.narrow(slot, Narrow.aversion);
    stat.owner = table.wide(slot, Wide.owner);
    stat.sequence = table.wide(slot, Wide.sequence);
    stat.children = table.narrow(slot, Narrow.children);
    stat.kind = table.narrow(slot, Narrow.kind);
    stat.dataLength = Math.max(0, table.narrow(slot, Narrow.dataLength));
    return stat;
  }

  /** Visits the children whose names come after `name` ("" for all), in byte order, until `visit` returns false. */
  forEachChildAfter(slot: number, name: string, visit: (child: number) => boolean): void {
    this.children.get(slot)?.forEachAfter(name, visit);
  }

  /** The slots of a session's ephemeral znodes. */
  ephemeralsOf(session: number): ReadonlySet<number> {
    return this.ephemerals.get(session) ?? noSlots;
  }

  /**
   * Walks the subtree at `root`, parents before children, siblings in byte order. Without `after` it begins at the
   * root; with it, at the first znode that comes after that path, which need not exist any more.
   */
  walk(root: string, after: string | undefined, visit: (slot: number, path: string) => WalkStep): void {
    const top = this.find(root);
    if (top < 0) return;
    let slot = top;
    let path = root;
    let step: WalkStep = "descend";
    if (after === undefined) step = visit(slot, path);
    else if (!isAtOrBelow(after, root)) return;
    else {
      path = after;
      slot = this.find(after);
    }
    while (step !== "stop") {
      let next = slot >= 0 && step === "descend" ? this.firstChildAfter(slot, "") : -1;
      if (next >= 0) path = childPath(path, this.names.name(next));
      while (next < 0) {
        if (path === root) return;
        const parent = parentPath(path);
        const parentSlot = this.find(parent);
        if (parentSlot >= 0) next = this.firstChildAfter(parentSlot, nameOf(path));
        path = next >= 0 ? childPath(parent, this.names.name(next)) : parent;
      }
      slot = next;
      step = visit(slot, path);
    }
  }

  private firstChildAfter(slot: number, name: string): number {
    return this.children.get(slot)?.firstAfter(name) ?? -1;
  }

  /** Digest of all znodes: 53 bits, equal on every replica at the same zxid. */
  get digest(): number {
    return this.digestSum.value;
  }

  // ---- changing

  /** Carries out one operation of a committed transaction. */
  apply(zxid: number, op: TxnOp): void {
    switch (op.kind) {
      case OpKind.create:
        this.applyCreate(zxid, op);
        return;
      case OpKind.delete:
        this.applyDelete(zxid, op);
        return;
      case OpKind.setData:
        this.applySetData(zxid, op);
        return;
      case OpKind.setAcl:
        this.applySetAcl(zxid, op);
        return;
      default:
        return;
    }
  }

  private applyCreate(zxid: number, op: TxnOp): void {
    const parent = this.existing(parentPath(op.path));
    if (op.newAcl !== "") this.acls.add(op.acl, op.newAcl);
    assert(op.znode === this.nextId, "a created znode does not have the next identity");
    this.nextId++;
    const { table } = this;
    const slot = this.insert(parent, nameOf(op.path), op.znode, hashPath(op.path, op.path.length), op);
    this.setStat(slot, op.stat);
    table.setWide(slot, Wide.rowZxid, zxid);
    table.setNarrow(parent, Narrow.children, table.narrow(parent, Narrow.children) + 1);
    table.setWide(parent, Wide.sequence, table.wide(parent, Wide.sequence) + 1);
    table.setWide(parent, Wide.pzxid, zxid);
    this.addDescendants(parent, 1);
    this.updateDigest(parent);
    this.updateDigest(slot);
  }

  private applyDelete(zxid: number, op: TxnOp): void {
    const slot = this.existing(op.path);
    const { table } = this;
    assert(table.wide(slot, Wide.id) === op.znode, "a deletion names another incarnation of the znode");
    assert(table.narrow(slot, Narrow.children) === 0, "a deleted znode has children");
    const parent = table.narrow(slot, Narrow.parent);
    this.digestSum.subtract(table.wide(slot, Wide.digest));
    this.children.get(parent)!.remove(slot);
    this.index.remove(slot);
    this.freeData(slot);
    this.forgetEphemeral(slot);
    this.names.release(slot);
    this.children.delete(slot);
    table.setWide(slot, Wide.id, 0);
    table.release(slot);
    this.count--;
    table.setNarrow(parent, Narrow.children, table.narrow(parent, Narrow.children) - 1);
    table.setWide(parent, Wide.pzxid, zxid);
    this.addDescendants(parent, -1);
    this.updateDigest(parent);
  }

  private applySetData(zxid: number, op: TxnOp): void {
    const { mtime, version } = op.stat;
    this.changeData(this.existing(op.path), { zxid, mtime, version }, op.data, op.dataCrc);
  }

  /**
   * Carries out a setData on a znode that came with the checkpoint and is known by its identity; returns false when
   * there is none. Saves the search for its path where many transactions are replayed.
   */
  applySetDataById(id: number, change: DataChange, data: Uint8Array | null, dataCrc: number): boolean {
    const slot = this.findAdopted(id);
    if (slot < 0) return false;
    this.changeData(slot, change, data, dataCrc);
    return true;
  }

  private changeData(slot: number, change: DataChange, data: Uint8Array | null, dataCrc: number): void {
    const { table } = this;
    this.setData(slot, data, dataCrc);
    table.setNarrow(slot, Narrow.version, change.version);
    table.setWide(slot, Wide.mzxid, change.zxid);
    table.setWide(slot, Wide.mtime, change.mtime);
    table.setWide(slot, Wide.rowZxid, change.zxid);
    this.updateDigest(slot);
  }

  private applySetAcl(zxid: number, op: TxnOp): void {
    const slot = this.existing(op.path);
    if (op.newAcl !== "") this.acls.add(op.acl, op.newAcl);
    this.table.setNarrow(slot, Narrow.acl, op.acl);
    this.table.setNarrow(slot, Narrow.aversion, op.stat.aversion);
    this.table.setWide(slot, Wide.rowZxid, zxid);
    this.updateDigest(slot);
  }

  private existing(path: string): number {
    const slot = this.find(path);
    assert(slot >= 0, "a transaction names a znode that does not exist");
    return slot;
  }

  /** A new znode in all indexes, its Stat still empty. */
  private insert(parent: number, name: string, id: number, pathHash: number, content: Content): number {
    const { table } = this;
    const slot = table.allocate();
    this.names.set(slot, name);
    table.setWide(slot, Wide.id, id);
    table.setNarrow(slot, Narrow.parent, parent);
    table.setNarrow(slot, Narrow.acl, content.acl);
    table.setNarrow(slot, Narrow.dataLength, -1);
    table.setNarrow(slot, Narrow.dataAddress, noData);
    this.setData(slot, content.data, content.dataCrc);
    if (slot !== rootSlot) {
      table.setNarrow(slot, Narrow.pathHash, pathHash);
      this.index.insert(slot);
      this.childrenOf(parent).insert(slot);
    }
    if (content.stat.owner !== 0) this.addEphemeral(slot, content.stat.owner);
    this.count++;
    return slot;
  }

  private childrenOf(parent: number): ChildIndex {
    let children = this.children.get(parent);
    if (children === undefined) this.children.set(parent, (children = new ChildIndex(this.names)));
    return children;
  }

  private addEphemeral(slot: number, owner: number): void {
    let owned = this.ephemerals.get(owner);
    if (owned === undefined) this.ephemerals.set(owner, (owned = new Set()));
    owned.add(slot);
    this.ephemeralCount++;
  }

  private hashBelow(parent: number, name: string): number {
    const path = childPath(this.path(parent), name);
    return hashPath(path, path.length);
  }

  private setStat(slot: number, stat: Readonly<Stat>): void {
    const { table } = this;
    table.setWide(slot, Wide.czxid, stat.czxid);
    table.setWide(slot, Wide.mzxid, stat.mzxid);
    table.setWide(slot, Wide.pzxid, stat.pzxid);
    table.setWide(slot, Wide.ctime, stat.ctime);
    table.setWide(slot, Wide.mtime, stat.mtime);
    table.setWide(slot, Wide.owner, stat.owner);
    table.setWide(slot, Wide.sequence, stat.sequence);
    table.setNarrow(slot, Narrow.version, stat.version);
    table.setNarrow(slot, Narrow.aversion, stat.aversion);
    table.setNarrow(slot, Narrow.children, stat.children);
    table.setNarrow(slot, Narrow.kind, stat.kind);
  }

  private setData(slot: number, data: Uint8Array | null, crc: number): void {
    const { table, slab } = this;
    const oldLength = Math.max(0, table.narrow(slot, Narrow.dataLength));
    const address = slab.rewrite(table.narrow(slot, Narrow.dataAddress), oldLength, data ?? emptyBytes);
    table.setNarrow(slot, Narrow.dataAddress, address);
    table.setNarrow(slot, Narrow.dataLength, data === null ? -1 : data.length);
    table.setNarrow(slot, Narrow.dataCrc, crc | 0);
    this.dataBytes += (data === null ? 0 : data.length) - oldLength;
  }

  private freeData(slot: number): void {
    const length = Math.max(0, this.table.narrow(slot, Narrow.dataLength));
    this.slab.free(this.table.narrow(slot, Narrow.dataAddress), length);
    this.dataBytes -= length;
  }

  private forgetEphemeral(slot: number): void {
    const owner = this.table.wide(slot, Wide.owner);
    if (owner === 0) return;
    const owned = this.ephemerals.get(owner);
    assert(owned?.delete(slot) === true, "an ephemeral znode is missing among its session's");
    if (owned.size === 0) this.ephemerals.delete(owner);
    this.ephemeralCount--;
  }

  private addDescendants(from: number, change: number): void {
    const { table } = this;
    for (let slot = from; ; slot = table.narrow(slot, Narrow.parent)) {
      table.setNarrow(slot, Narrow.descendants, table.narrow(slot, Narrow.descendants) + change);
      if (slot === rootSlot) return;
    }
  }

  private updateDigest(slot: number): void {
    this.digestSum.subtract(this.table.wide(slot, Wide.digest));
    const digest = this.digestOf(slot);
    this.table.setWide(slot, Wide.digest, digest);
    this.digestSum.add(digest);
  }

  private digestOf(slot: number): number {
    return znodeDigest(
      this.table.narrow(slot, Narrow.pathHash),
      this.id(slot),
      this.acl(slot),
      this.rowZxid(slot),
      this.table.narrow(slot, Narrow.dataCrc),
      this.dataLength(slot),
      this.readStat(slot, this.scratch),
    );
  }

  // ---- loading a checkpoint

  /** Adds a znode of a checkpoint. They come in the order of their ids, so parents come before their children. */
  load(row: ZnodeRow): void {
    const parent = row.parent === 0 ? rootSlot : this.slotOfLoaded(row.parent);
    const slot = this.insert(parent, row.name, row.id, row.parent === 0 ? 0 : this.hashBelow(parent, row.name), row);
    this.setStat(slot, row.stat);
    this.table.setWide(slot, Wide.rowZxid, row.rowZxid);
    this.updateDigest(slot);
  }

  /** An empty tree with room for a checkpoint of this many znodes, to be adopted in chunks. */
  static forLoading(count: number): Tree {
    const tree = new Tree();
    tree.index.reserve(count);
    return tree;
  }

  /** Adds a chunk of a checkpoint; chunks come in the order of ids, too. Digests in it are taken as they are. */
  adopt(chunk: ZnodeChunk): void {
    const { table } = this;
    const { count, parents } = chunk;
    const firstAddress = this.slab.adopt(chunk.data);
    const first = table.adopt(chunk.records, count);
    this.names.adopt(first, chunk.names);
    this.adopted.push({ firstId: table.wide(first, Wide.id), firstSlot: first, count });
    for (let i = 0; i < count; i++) {
      const slot = first + i;
      const address = table.narrow(slot, Narrow.dataAddress);
      if (address !== noData) table.setNarrow(slot, Narrow.dataAddress, address + firstAddress);
      this.dataBytes += Math.max(0, table.narrow(slot, Narrow.dataLength));
      const parent = slot === rootSlot ? rootSlot : this.findAdopted(parents[i]!);
      assert(parent >= 0, "a checkpoint has a znode without its parent");
      table.setNarrow(slot, Narrow.parent, parent);
      if (slot !== rootSlot) {
        this.index.insert(slot);
        this.childrenOf(parent).gather(slot);
      }
      const owner = table.wide(slot, Wide.owner);
      if (owner !== 0) this.addEphemeral(slot, owner);
    }
    this.count += count;
    this.digestSum.add(chunk.digest);
  }

  /** The chunks that were adopted, in the order of ids. */
  private readonly adopted: { firstId: number; firstSlot: number; count: number }[] = [];

  /** The slot of a znode that was adopted, by its identity; -1 when there is none, or no more. */
  private findAdopted(id: number): number {
    const { table, adopted } = this;
    let low = 0;
    let high = adopted.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (adopted[middle]!.firstId <= id) low = middle;
      else high = middle - 1;
    }
    const chunk = adopted[low];
    if (chunk === undefined) return -1;
    const { firstId, firstSlot, count } = chunk;
    // Where no znode was deleted, identities are dense.
    const likely = firstSlot + Math.min(count - 1, Math.max(0, id - firstId));
    if (table.wide(likely, Wide.id) === id) return likely;
    low = firstSlot;
    high = firstSlot + count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (table.wide(middle, Wide.id) < id) low = middle + 1;
      else high = middle;
    }
    return table.wide(low, Wide.id) === id ? low : -1;
  }

  /** Ends loading: counts descendants and takes over the next identity. */
  finishLoading(nextId: number): void {
    const { table } = this;
    for (const children of this.children.values()) children.finishGathering();
    for (let slot = table.slotCount - 1; slot > rootSlot; slot--) {
      // The unused end of an adopted chunk.
      if (table.wide(slot, Wide.id) === 0) continue;
      const parent = table.narrow(slot, Narrow.parent);
      const below = table.narrow(slot, Narrow.descendants) + 1;
      table.setNarrow(parent, Narrow.descendants, table.narrow(parent, Narrow.descendants) + below);
    }
    this.nextId = nextId;
  }

  private lastLoadedParent = rootSlot;

  /** While loading, slots are handed out in the order of ids: a binary search finds one. */
  private slotOfLoaded(id: number): number {
    const { table } = this;
    if (table.wide(this.lastLoadedParent, Wide.id) === id) return this.lastLoadedParent;
    let low = 0;
    let high = table.slotCount - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (table.wide(middle, Wide.id) < id) low = middle + 1;
      else high = middle;
    }
    assert(table.wide(low, Wide.id) === id, "a checkpoint has a znode without its parent");
    this.lastLoadedParent = low;
    return low;
  }

  /** All slots, parents before children. Valid until the next `apply`. */
  slots(): number[] {
    const slots: number[] = [];
    this.walk("/", undefined, (slot) => {
      slots.push(slot);
      return "descend";
    });
    return slots;
  }

  /** Recomputes every count, index and the digest by a walk, and compares. Costs the whole tree: for tests. */
  verify(): void {
    const stat = emptyStat();
    const sum = new DigestSum();
    let bytes = 0;
    let ephemerals = 0;
    const slots = this.slots();
    for (const slot of slots) {
      const digest = this.digestOf(slot);
      assert(digest === this.table.wide(slot, Wide.digest), "a cached digest is stale");
      sum.add(digest);
      this.readStat(slot, stat);
      bytes += stat.dataLength;
      if (stat.owner !== 0) {
        ephemerals++;
        assert(this.ephemeralsOf(stat.owner).has(slot), "an ephemeral znode is not among its session's");
        assert(stat.children === 0, "an ephemeral znode has children");
      }
      this.verifyChildren(slot, stat.children);
    }
    assert(slots.length === this.count, "the number of znodes is wrong");
    assert(bytes === this.dataBytes, "the length of all data is wrong");
    assert(ephemerals === this.ephemeralCount, "the number of ephemeral znodes is wrong");
    assert(sum.value === this.digest, "the digest is wrong");
  }

  private verifyChildren(slot: number, expected: number): void {
    let children = 0;
    let below = 0;
    let before = "";
    this.forEachChildAfter(slot, "", (child) => {
      children++;
      below += 1 + this.descendants(child);
      assert(this.parent(child) === slot, "a child has another parent");
      assert(this.name(child) > before, "children are out of order");
      before = this.name(child);
      assert(this.find(this.path(child)) === child, "a znode is not found by its path");
      return true;
    });
    assert(children === expected, "the number of children is wrong");
    assert(below === this.descendants(slot), "the number of descendants is wrong");
  }
}

const emptyBytes = new Uint8Array(0);
