/**
 * Formation: how empty servers become an ensemble, once. All founders must be in reach, each empty or already a founder
 * of the same ensemble; the lowest id chooses the cluster id, or adopts one that a founder has stored; each founder
 * stores the mark before it votes. From then on everything is ordinary ZAB.
 *
 * A server that is empty while the ensemble is not has lost its data, or is new: it counts nowhere until it is
 * synchronized, because it may have acknowledged what is gone.
 */
import type { Forming } from "./durable-log.ts";
import type { Notification } from "./message.ts";
import type { Neighbour } from "./neighbours.ts";

export type FormationStep =
  | { readonly kind: "wait"; readonly problem: string }
  | { readonly kind: "form"; readonly forming: Forming }
  /** The ensemble exists already. */
  | { readonly kind: "join" };

/** What an empty server without a mark does next. `founders` are the voters as configured, ascending. */
export function formationStep(
  self: { readonly id: number; readonly founders: readonly number[]; readonly newClusterId: string },
  neighbours: readonly Neighbour[],
): FormationStep {
  if (neighbours.some(({ said }) => hasHistory(said))) return { kind: "join" };
  const others = self.founders.filter((id) => id !== self.id);
  // An observer has nothing to found: it waits for an ensemble to join.
  if (!self.founders.includes(self.id)) return { kind: "wait", problem: "waiting for the ensemble to be formed" };
  const said = new Map(neighbours.map((neighbour) => [neighbour.id, neighbour.said]));
  const missing = others.filter((id) => !said.has(id));
  if (missing.length > 0) return { kind: "wait", problem: `forming: waiting for ${missing.join(", ")}` };
  const marks = others.map((id) => said.get(id)!.forming).filter((mark) => mark !== undefined);
  const other = marks.find((mark) => !sameFounders(mark.founders, self.founders));
  if (other !== undefined) {
    return { kind: "wait", problem: `forming: another server was given the founders ${other.founders.join(", ")}` };
  }
  const lowest = Math.min(...self.founders);
  const mark = lowest === self.id ? marks[0] : said.get(lowest)!.forming;
  if (mark !== undefined) return { kind: "form", forming: mark };
  if (lowest !== self.id) return { kind: "wait", problem: `forming: waiting for ${lowest} to choose the cluster id` };
  return { kind: "form", forming: { clusterId: self.newClusterId, founders: self.founders } };
}

/** Whether what a server says of itself is possible only in an ensemble that exists. */
function hasHistory({ last, currentEpoch }: Notification): boolean {
  return last.zxid > 0 || currentEpoch > 0;
}

function sameFounders(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
