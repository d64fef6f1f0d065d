/** Something that few slots have: an array in pieces that are made where there is something to keep. */
import { chunkSlots } from "./znode-table.ts";

const slotBits = Math.log2(chunkSlots);

export class SparseSlots<Value> {
  private readonly pieces: ((Value | undefined)[] | undefined)[] = [];

  get(slot: number): Value | undefined {
    return this.pieces[slot >>> slotBits]?.[slot & (chunkSlots - 1)];
  }

  set(slot: number, value: Value): void {
    const index = slot >>> slotBits;
    while (this.pieces.length <= index) this.pieces.push(undefined);
    (this.pieces[index] ??= new Array<Value | undefined>(chunkSlots).fill(undefined))[slot & (chunkSlots - 1)] = value;
  }

  delete(slot: number): void {
    const piece = this.pieces[slot >>> slotBits];
    if (piece !== undefined) piece[slot & (chunkSlots - 1)] = undefined;
  }

  *values(): Generator<Value, void> {
    for (const piece of this.pieces) {
      for (const value of piece ?? []) if (value !== undefined) yield value;
    }
  }
}
