/** An invariant that can be checked: it sees facts of the kinds it names, and says when one contradicts it. */
import type { Model } from "./model.ts";
import type { FactKind, FactOf } from "../facts.ts";

export interface Surroundings {
  readonly voters: readonly number[];
  /** Virtual milliseconds. */
  readonly now: () => number;
  /** The committed history so far, as of just before what is being seen. */
  readonly model: Model;
}

export type Handlers = { readonly [K in FactKind]?: (fact: FactOf<K>) => void };

export interface Checker {
  /** As in the list of invariants: Z01, P02, … */
  readonly id: string;
  /** What must hold, in one sentence. */
  readonly says: string;
  begin(fail: (problem: string) => void, world: Surroundings): Handlers;
}

export function isMajority(voters: readonly number[], has: (voter: number) => boolean): boolean {
  let count = 0;
  for (const voter of voters) if (has(voter)) count++;
  return count > voters.length / 2;
}

/** Makes the value of a key where it is missing. */
export function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
