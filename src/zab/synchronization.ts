/**
 * Synchronization (phase 2): how a learner comes to the leader's history. The boundaries of both histories say exactly
 * where they part: what the learner has beyond that is cut off (TRUNC), what it lacks is sent (DIFF). When the log here
 * no longer reaches back that far, or the histories have nothing in common, it installs a checkpoint first (SNAP).
 */
import type { Boundaries } from "./boundaries.ts";
import type { LogPosition } from "./durable-log.ts";

export type SyncPlan =
  | { readonly method: "diff"; readonly after: LogPosition }
  | { readonly method: "trunc"; readonly after: LogPosition }
  | { readonly method: "snap" };

export function planSync(
  learner: { readonly last: LogPosition; readonly boundaries: readonly LogPosition[] },
  leader: { readonly boundaries: Boundaries; readonly logStart: number },
): SyncPlan {
  const common = leader.boundaries.lastCommon(learner.boundaries);
  // No match is no reason to cut everything off: a checkpoint takes the place of the whole history.
  if (common === undefined || common.zxid < leader.logStart - 1) return { method: "snap" };
  return { method: learner.last.zxid > common.zxid ? "trunc" : "diff", after: common };
}
