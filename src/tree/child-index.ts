/**
 * The children of one znode in the byte order of their names: what listings page through and walks follow.
 *
 * A list of sorted leaves of at most 512 slots. Finding, inserting and removing cost a binary search over the leaves
 * and one within a leaf; names that arrive in order, as sequential ones do, are appended without a search.
 *
 * While a tree is loaded, slots only gather; they are sorted when somebody first asks. Most parents of a large tree are
 * not asked for long after the start, and sorting all of them took most of it.
 */
import { assert } from "../base/assert.ts";
import type { Names } from "./name-table.ts";

const leafMax = 512;
/** Leaves that are made by sorting leave room for more. */
const leafSorted = 384;
/** Sorting this many takes a few milliseconds, which may be left to the first who asks. */
const fewGathered = 4096;

export class ChildIndex {
  /** Invariant: no leaf is empty; all names in one leaf are less than all names in the next. */
  private readonly leaves: number[][] = [];
  private readonly names: Names;
  /** Slots that are in no leaf yet. Invariant: there are none of them or no leaves. */
  private gathered: number[] = [];

  constructor(names: Names) {
    this.names = names;
  }

  /** Adds a slot while the tree is loaded. */
  gather(slot: number): void {
    assert(this.leaves.length === 0, "slots are gathered before anybody asks");
    this.gathered.push(slot);
  }

  /** Ends the loading: sorts at once what would take the first who asks too long. */
  finishGathering(): void {
    if (this.gathered.length > fewGathered) this.settle();
  }

  private settle(): void {
    const { gathered, leaves, names } = this;
    if (gathered.length === 0) return;
    gathered.sort((a, b) => names.compareSlots(a, b));
    for (let at = 0; at < gathered.length; at += leafSorted) leaves.push(gathered.slice(at, at + leafSorted));
    this.gathered = [];
  }

  insert(slot: number): void {
    this.settle();
    const { leaves, names } = this;
    const last = leaves.at(-1);
    if (last === undefined) {
      leaves.push([slot]);
      return;
    }
    if (names.compareSlots(last.at(-1)!, slot) < 0) {
      if (last.length < leafMax) last.push(slot);
      else leaves.push([slot]);
      return;
    }
    const name = names.name(slot);
    const at = this.leafFor(name);
    const leaf = leaves[at]!;
    leaf.splice(this.positionIn(leaf, name), 0, slot);
    if (leaf.length > leafMax) leaves.splice(at + 1, 0, leaf.splice(leafMax / 2));
  }

  remove(slot: number): void {
    this.settle();
    const name = this.names.name(slot);
    const at = this.leafFor(name);
    const leaf = this.leaves[at]!;
    const position = this.positionIn(leaf, name);
    assert(leaf[position] === slot, "a child is missing in its parent's index");
    if (leaf.length === 1) this.leaves.splice(at, 1);
    else leaf.splice(position, 1);
  }

  /** The slots of children whose names come after `name` ("" for all), in order, until `visit` returns false. */
  forEachAfter(name: string, visit: (slot: number) => boolean): void {
    this.settle();
    const { leaves, names } = this;
    if (leaves.length === 0) return;
    let at = name === "" ? 0 : this.leafFor(name);
    let position = 0;
    if (name !== "") {
      position = this.positionIn(leaves[at]!, name);
      const found = leaves[at]![position];
      if (found !== undefined && names.compare(found, name) === 0) position++;
    }
    for (; at < leaves.length; at++, position = 0) {
      const leaf = leaves[at]!;
      for (let i = position; i < leaf.length; i++) if (!visit(leaf[i]!)) return;
    }
  }

  /** The first child whose name comes after `name` ("" for the first of all); -1 when there is none. */
  firstAfter(name: string): number {
    let found = -1;
    this.forEachAfter(name, (slot) => {
      found = slot;
      return false;
    });
    return found;
  }

  /** The leaf a name belongs to: the first whose last name is not less, or the last leaf. */
  private leafFor(name: string): number {
    const { leaves, names } = this;
    let low = 0;
    let high = leaves.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (names.compare(leaves[middle]!.at(-1)!, name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The position of the first name in the leaf that is not less. */
  private positionIn(leaf: readonly number[], name: string): number {
    let low = 0;
    let high = leaf.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.names.compare(leaf[middle]!, name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
