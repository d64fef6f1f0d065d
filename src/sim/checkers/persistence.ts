/** What stable storage and recovery promise. */
import type { LogPosition } from "../../zab/durable-log.ts";
import type { DurableFacts } from "../disk.ts";
import type { Checker } from "./checker.ts";

const p01: Checker = {
  id: "P01",
  says: "recovery finds everything that the server ever acknowledged, or says that it is recovering",
  begin: (fail) => {
    const acked = new Map<number, number>();
    return {
      sent: ({ node, message }) => {
        if (message.type !== "ack" && message.type !== "ackNewLeader") return;
        acked.set(node, Math.max(acked.get(node) ?? 0, message.zxid));
      },
      durable: ({ node, steps, facts }) => {
        // A leader that has its own history had the rest cut off, or has replaced all of it.
        if (steps.includes("truncate") || steps.includes("install")) acked.set(node, facts.last.zxid);
      },
      lost: ({ node }) => void acked.delete(node),
      booted: ({ node, state }) => {
        const promised = acked.get(node) ?? 0;
        if (state.recovering === undefined && state.last.zxid < promised) {
          fail(`server ${node} had acknowledged ${promised}, and recovers ${state.last.zxid}`);
        }
      },
    };
  },
};

const p02: Checker = {
  id: "P02",
  says: "a crash leaves the state before or after a commit, never less than what was durable",
  begin: (fail) => {
    const known = new Map<number, DurableFacts>();
    return {
      durable: ({ node, facts }) => void known.set(node, facts),
      lost: ({ node }) => void known.delete(node),
      booted: ({ node, state }) => {
        const before = known.get(node);
        if (before === undefined) return;
        const { header, last } = before;
        if (state.acceptedEpoch < header.acceptedEpoch || state.currentEpoch < header.currentEpoch) {
          fail(`server ${node} recovers epochs ${state.acceptedEpoch}, ${state.currentEpoch}, less than were durable`);
        }
        if (state.committed.zxid < header.committed.zxid) {
          fail(
            `server ${node} recovers the commit point ${state.committed.zxid}, ${header.committed.zxid} was durable`,
          );
        }
        // Written steps that survive may have cut the log; then they carry a later epoch or nothing is missing.
        if (state.last.zxid < last.zxid && state.acceptedEpoch === header.acceptedEpoch && sameEnd(state, last)) {
          fail(`server ${node} recovers a log to ${state.last.zxid}, ${last.zxid} was durable`);
        }
      },
    };
  },
};

function sameEnd(state: { readonly boundaries: readonly LogPosition[] }, last: LogPosition): boolean {
  return state.boundaries.some(({ zxid, epoch }) => zxid >= last.zxid && epoch === last.epoch);
}

const p07: Checker = {
  id: "P07",
  says: "after a failed write or sync nothing leaves that process any more",
  begin: (fail) => {
    const down = new Set<number>();
    return {
      crashed: ({ node }) => void down.add(node),
      booted: ({ node }) => void down.delete(node),
      sent: ({ node, message }) => {
        if (down.has(node)) fail(`server ${node} sends ${message.type} after its end`);
      },
      acknowledged: ({ node, zxid }) => {
        if (down.has(node)) fail(`server ${node} answers ${zxid} after its end`);
      },
    };
  },
};

const t01: Checker = {
  id: "T01",
  says: "the state after a transaction has the same digest on every server, also when it is rebuilt (P05)",
  begin: (fail) => {
    const digests: number[] = [];
    return {
      digest: ({ node, zxid, digest }) => {
        const known = (digests[zxid] ??= digest);
        if (known !== digest) fail(`server ${node} has digest ${digest} at ${zxid}, others have ${known}`);
      },
    };
  },
};

export const persistenceCheckers: readonly Checker[] = [p01, p02, p07, t01];
