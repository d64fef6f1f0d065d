/** What consensus promises. The numbers are those of docs/testing.md. */
import { crc32 } from "../../base/crc32.ts";
import type { LogPosition } from "../../zab/durable-log.ts";
import type { Row } from "../rows.ts";
import { getOrMake, isMajority, type Checker } from "./checker.ts";

const z01: Checker = {
  id: "Z01",
  says: "at most one server is ever established as the leader of an epoch",
  begin: (fail) => {
    const leaders = new Map<number, number>();
    return {
      leading: ({ node, epoch }) => {
        const other = getOrMake(leaders, epoch, () => node);
        if (other !== node) fail(`servers ${other} and ${node} both lead epoch ${epoch}`);
      },
    };
  },
};

const z02: Checker = {
  id: "Z02",
  says: "acceptedEpoch and currentEpoch never go back, across restarts too, and currentEpoch <= acceptedEpoch",
  begin: (fail) => {
    const known = new Map<number, { accepted: number; current: number }>();
    const check = (node: number, accepted: number, current: number) => {
      const before = known.get(node);
      if (current > accepted) fail(`server ${node} has currentEpoch ${current} above acceptedEpoch ${accepted}`);
      if (before !== undefined && (accepted < before.accepted || current < before.current)) {
        fail(`server ${node} went from epochs ${before.accepted}, ${before.current} back to ${accepted}, ${current}`);
      }
      known.set(node, { accepted, current });
    };
    return {
      durable: ({ node, facts }) => check(node, facts.header.acceptedEpoch, facts.header.currentEpoch),
      booted: ({ node, state }) => check(node, state.acceptedEpoch, state.currentEpoch),
      lost: ({ node }) => void known.delete(node),
    };
  },
};

const z03: Checker = {
  id: "Z03",
  says: "after durably accepting an epoch, a server acknowledges nothing to a leader of an earlier one",
  begin: (fail) => ({
    sent: ({ node, message, durable }) => {
      const { type } = message;
      if (type !== "ackEpoch" && type !== "ackDiff" && type !== "ackNewLeader" && type !== "ack") return;
      const { acceptedEpoch } = durable.header;
      if (message.epoch < acceptedEpoch) {
        fail(`server ${node} sends ${type} of epoch ${message.epoch}, having promised ${acceptedEpoch}`);
      }
    },
  }),
};

const z04: Checker = {
  id: "Z04",
  says: "ACK of NEWLEADER leaves only after the history and then currentEpoch are on stable storage",
  begin: (fail) => ({
    sent: ({ node, message, durable }) => {
      if (message.type !== "ackNewLeader") return;
      const { header, last } = durable;
      if (last.zxid < message.zxid) {
        fail(`server ${node} acks NEWLEADER at ${message.zxid}, only ${last.zxid} is durable`);
      }
      if (header.currentEpoch !== message.epoch) {
        fail(
          `server ${node} acks NEWLEADER of epoch ${message.epoch}, its durable currentEpoch is ${header.currentEpoch}`,
        );
      }
    },
  }),
};

const z05: Checker = {
  id: "Z05",
  says: "ACKEPOCH and LEADERINFO leave only after acceptedEpoch is on stable storage",
  begin: (fail) => ({
    sent: ({ node, message, durable }) => {
      if (message.type !== "ackEpoch" && message.type !== "leaderInfo") return;
      const { acceptedEpoch } = durable.header;
      if (acceptedEpoch < message.epoch) {
        fail(`server ${node} sends ${message.type} of epoch ${message.epoch}, ${acceptedEpoch} is durable`);
      }
    },
  }),
};

const z06: Checker = {
  id: "Z06",
  says: "the ACK of a transaction leaves only when everything up to it is on stable storage, after that of NEWLEADER",
  begin: (fail) => ({
    sent: ({ node, message, durable }) => {
      if (message.type !== "ack" && message.type !== "ackDiff") return;
      if (durable.last.zxid < message.zxid) {
        fail(`server ${node} acks ${message.zxid}, only ${durable.last.zxid} is durable`);
      }
      if (durable.last.epoch > message.epoch) {
        fail(
          `server ${node} acks ${message.zxid} to epoch ${message.epoch}, its log is of epoch ${durable.last.epoch}`,
        );
      }
      if (message.type === "ack" && durable.header.currentEpoch !== message.epoch) {
        fail(`server ${node} acks ${message.zxid} to epoch ${message.epoch} before NEWLEADER`);
      }
    },
  }),
};

const z07: Checker = {
  id: "Z07",
  says: "a log has no hole and no transaction of an earlier epoch after a later one",
  begin: (fail) => ({
    booted: ({ node, state, committed }) => {
      let epoch = 0;
      committed.forEach((row, index) => {
        if (row.zxid !== index + 1) fail(`server ${node} recovers transaction ${row.zxid} at place ${index + 1}`);
        if (row.epoch < epoch) fail(`server ${node} recovers ${row.zxid}@${row.epoch} after epoch ${epoch}`);
        epoch = row.epoch;
      });
      if (committed.length !== state.committed.zxid) {
        fail(`server ${node} recovers ${committed.length} transactions, ${state.committed.zxid} are committed`);
      }
    },
    durable: ({ node, facts }) => {
      let before: LogPosition = { zxid: 0, epoch: 0 };
      for (const end of facts.header.boundaries) {
        if (end.zxid <= before.zxid || end.epoch <= before.epoch) {
          fail(`server ${node} has the boundary ${end.zxid}@${end.epoch} after ${before.zxid}@${before.epoch}`);
        }
        before = end;
      }
    },
  }),
};

/** A transaction, named so that it means something before it is committed. */
function nameOf({ zxid, epoch }: LogPosition): string {
  return `${zxid}@${epoch}`;
}

function keyOf({ zxid, epoch }: LogPosition): number {
  return epoch * 0x1_0000_0000 + zxid;
}

const z08: Checker = {
  id: "Z08",
  says: "a transaction of one zxid and epoch has the same bytes wherever it is",
  begin: (fail) => {
    const known = new Map<number, number>();
    const check = (node: number, row: Row) => {
      const hash = crc32(row.bytes);
      const before = getOrMake(known, keyOf(row), () => hash);
      if (before !== hash) fail(`server ${node} has other bytes in ${nameOf(row)}`);
    };
    return {
      proposed: ({ node, rows }) => {
        for (const row of rows) check(node, row);
      },
      delivered: ({ node, row }) => check(node, row),
      booted: ({ node, committed }) => {
        for (const row of committed.slice(-20)) check(node, row);
      },
    };
  },
};

const z09: Checker = {
  id: "Z09",
  says: "of any two committed histories one is the beginning of the other",
  begin: (fail) => {
    const history: number[] = [];
    const check = (node: number, row: LogPosition) => {
      const epoch = (history[row.zxid] ??= row.epoch);
      if (epoch !== row.epoch) fail(`server ${node} delivers ${nameOf(row)}, another one ${row.zxid}@${epoch}`);
    };
    return {
      delivered: ({ node, row }) => check(node, row),
      booted: ({ node, committed }) => {
        for (const row of committed) check(node, row);
      },
    };
  },
};

const z10: Checker = {
  id: "Z10",
  says: "only what the leader of its epoch has proposed is delivered",
  begin: (fail) => {
    const proposed = new Set<number>();
    const leaders = new Map<number, number>();
    return {
      leading: ({ node, epoch }) => void leaders.set(epoch, node),
      proposed: ({ node, epoch, rows }) => {
        if (leaders.get(epoch) !== node) fail(`server ${node} proposes in epoch ${epoch}, which it does not lead`);
        for (const row of rows) {
          if (row.epoch !== epoch) fail(`server ${node} proposes ${nameOf(row)} in epoch ${epoch}`);
          proposed.add(keyOf(row));
        }
      },
      delivered: ({ node, row }) => {
        if (!proposed.has(keyOf(row))) fail(`server ${node} delivers ${nameOf(row)}, which nobody has proposed`);
      },
    };
  },
};

const z11: Checker = {
  id: "Z11",
  says: "every server delivers every transaction once, in the order of the zxids",
  begin: (fail) => {
    const delivered = new Map<number, number>();
    return {
      booted: ({ node, committed }) => void delivered.set(node, committed.length),
      delivered: ({ node, row }) => {
        const before = delivered.get(node) ?? 0;
        if (row.zxid !== before + 1) fail(`server ${node} delivers ${row.zxid} after ${before}`);
        delivered.set(node, row.zxid);
      },
    };
  },
};

const z12: Checker = {
  id: "Z12",
  says: "primary order: a leader's transactions follow each other, and all those of earlier epochs that are delivered",
  begin: (fail) => {
    const next = new Map<number, number>();
    /** Where each epoch began: nothing of an earlier epoch is delivered from there on. */
    const began: { epoch: number; last: number }[] = [];
    return {
      leading: ({ epoch, last }) => {
        next.set(epoch, last.zxid + 1);
        began.push({ epoch, last: last.zxid });
      },
      proposed: ({ node, epoch, rows }) => {
        for (const { zxid } of rows) {
          if (zxid !== next.get(epoch)) fail(`server ${node} proposes ${zxid}, ${next.get(epoch) ?? 0} is next`);
          next.set(epoch, zxid + 1);
        }
      },
      delivered: ({ node, row }) => {
        for (let at = began.length - 1; at >= 0 && at >= began.length - 4; at--) {
          const { epoch, last } = began[at]!;
          if (row.epoch < epoch && row.zxid > last) {
            fail(`server ${node} delivers ${nameOf(row)}, but epoch ${epoch} began after ${last}`);
          }
        }
      },
    };
  },
};

const z13: Checker = {
  id: "Z13",
  says: "an established leader's log contains everything that was committed in earlier epochs",
  begin: (fail) => {
    /** The last committed transaction of each epoch. */
    const committed = new Map<number, number>();
    const delivered = new Map<number, number>();
    const note = (node: number, { zxid, epoch }: LogPosition) => {
      delivered.set(node, zxid);
      if (zxid > (committed.get(epoch) ?? 0)) committed.set(epoch, zxid);
    };
    return {
      booted: ({ node, committed: rows }) => {
        delivered.set(node, 0);
        const last = rows.at(-1);
        if (last !== undefined) note(node, last);
      },
      delivered: ({ node, row }) => note(node, row),
      leading: ({ node, epoch, last }) => {
        for (const [earlier, zxid] of committed) {
          if (earlier < epoch && zxid > last.zxid) {
            fail(`server ${node} leads epoch ${epoch} with a log to ${nameOf(last)}, committed is ${zxid}@${earlier}`);
          }
        }
        if ((delivered.get(node) ?? 0) !== last.zxid) {
          fail(`server ${node} leads epoch ${epoch} without having delivered its whole history`);
        }
      },
    };
  },
};

const z14: Checker = {
  id: "Z14",
  says: "what was ever committed anywhere, no TRUNC, SNAP or recovery takes from a server that has it",
  begin: (fail) => {
    const epochs: number[] = [];
    const kept = new Map<number, number>();
    const check = (node: number, boundaries: readonly LogPosition[], what: string) => {
      const has = canonical(boundaries, epochs);
      const before = kept.get(node) ?? 0;
      if (has < before) fail(`server ${node} had ${before} committed transactions, after ${what} it has ${has}`);
      kept.set(node, has);
    };
    return {
      delivered: ({ row }) => {
        epochs[row.zxid] ??= row.epoch;
      },
      durable: ({ node, steps, facts }) => {
        // Appends only add.
        if (steps.some((kind) => kind !== "append" && kind !== "commit")) {
          check(node, facts.header.boundaries, steps.join(" "));
        }
      },
      booted: ({ node, state }) => check(node, state.boundaries, "recovery"),
      lost: ({ node }) => void kept.delete(node),
    };
  },
};

/** How far a log, given by its boundaries, is the beginning of the committed history. */
function canonical(boundaries: readonly LogPosition[], epochs: readonly number[]): number {
  let length = 0;
  for (const { zxid, epoch } of boundaries) {
    for (; length < zxid; length++) if (epochs[length + 1] !== epoch) return length;
  }
  return length;
}

const z15: Checker = {
  id: "Z15",
  says: "a leader commits only what a quorum of voters has acknowledged in its epoch, itself included",
  begin: (fail, { voters }) => {
    /** By epoch, then by member. */
    const acks = new Map<number, Map<number, number>>();
    return {
      received: ({ node, from, message }) => {
        if (message.type !== "ack" && message.type !== "ackNewLeader") return;
        const byMember = getOrMake(acks, message.epoch * 1024 + node, () => new Map<number, number>());
        byMember.set(from, Math.max(byMember.get(from) ?? 0, message.zxid));
      },
      committed: ({ node, role, epoch, committed, durable }) => {
        if (role !== "leading") return;
        const byMember = acks.get(epoch * 1024 + node);
        const own = durable.header.currentEpoch === epoch ? durable.last.zxid : 0;
        const has = (voter: number) => (voter === node ? own : (byMember?.get(voter) ?? 0)) >= committed.zxid;
        if (own < committed.zxid) fail(`leader ${node} commits ${committed.zxid}, its own log is durable to ${own}`);
        if (!isMajority(voters, has))
          fail(`leader ${node} commits ${committed.zxid} without a quorum of epoch ${epoch}`);
      },
    };
  },
};

const z16: Checker = {
  id: "Z16",
  says: "nothing is delivered beyond the server's own durable log",
  begin: (fail) => ({
    delivered: ({ node, row, durableZxid }) => {
      if (row.zxid > durableZxid) fail(`server ${node} delivers ${row.zxid}, its log is durable to ${durableZxid}`);
    },
  }),
};

const z17: Checker = {
  id: "Z17",
  says: "a follower's log, when it acks NEWLEADER, has the leader's history as its beginning",
  begin: (fail) => {
    const told = new Map<string, LogPosition>();
    return {
      sent: ({ node, to, message, durable }) => {
        if (message.type === "newLeader") told.set(`${node} ${to} ${message.epoch}`, message.last);
        if (message.type !== "ackNewLeader") return;
        const last = told.get(`${to} ${node} ${message.epoch}`);
        const { boundaries } = durable.header;
        const end = boundaries.find(({ zxid }) => zxid >= (last?.zxid ?? 0));
        if (last === undefined) fail(`server ${node} acks a NEWLEADER that was not sent`);
        else if (last.zxid > 0 && (end === undefined || end.epoch !== last.epoch)) {
          fail(`server ${node} acks NEWLEADER after ${nameOf(last)}, which its log does not have`);
        }
      },
    };
  },
};

const z18: Checker = {
  id: "Z18",
  says: "a follower's state contains only what a leader has committed",
  begin: (fail) => {
    let committed = 0;
    return {
      committed: ({ role, committed: { zxid } }) => {
        if (role === "leading") committed = Math.max(committed, zxid);
      },
      delivered: ({ node, role, row }) => {
        if (role === "leading") committed = Math.max(committed, row.zxid);
        else if (row.zxid > committed) fail(`server ${node} delivers ${row.zxid}, which no leader has committed`);
      },
    };
  },
};

const z19: Checker = {
  id: "Z19",
  says: "what is cut off the log was never in the state",
  begin: (fail) => {
    const delivered = new Map<number, number>();
    return {
      booted: ({ node, committed }) => void delivered.set(node, committed.length),
      delivered: ({ node, row }) => void delivered.set(node, row.zxid),
      durable: ({ node, steps, facts }) => {
        const applied = delivered.get(node) ?? 0;
        if (steps.includes("truncate") && facts.last.zxid < applied) {
          fail(`server ${node} cuts its log at ${facts.last.zxid}, its state is as of ${applied}`);
        }
      },
    };
  },
};

const z24: Checker = {
  id: "Z24",
  says: "a linearizable read reflects every write that any client knew of when it was asked for",
  begin: (fail) => ({
    read: ({ node, floor, zxid }) => {
      if (zxid < floor)
        fail(`a linearizable read on server ${node} reflects ${zxid}, ${floor} was known before it began`);
    },
  }),
};

/** Who has acknowledged NEWLEADER of an epoch to a leader. */
function newLeaderAcks() {
  const acks = new Map<number, Set<number>>();
  const of = (node: number, epoch: number) => getOrMake(acks, epoch * 1024 + node, () => new Set([node]));
  return { note: (node: number, from: number, epoch: number) => void of(node, epoch).add(from), of };
}

const z25: Checker = {
  id: "Z25",
  says: "a leader is established by a quorum of voters that acked NEWLEADER; observers never count",
  begin: (fail, { voters }) => {
    const acks = newLeaderAcks();
    return {
      received: ({ node, from, message }) => {
        if (message.type === "ackNewLeader") acks.note(node, from, message.epoch);
      },
      leading: ({ node, epoch, durable }) => {
        if (!isMajority(voters, (voter) => acks.of(node, epoch).has(voter))) {
          fail(`server ${node} leads epoch ${epoch} without a quorum of voters`);
        }
        if (durable.header.currentEpoch !== epoch) {
          fail(`server ${node} leads epoch ${epoch}, its durable currentEpoch is ${durable.header.currentEpoch}`);
        }
      },
    };
  },
};

const z27: Checker = {
  id: "Z27",
  says: "a server that has lost its data, and knows it, says that it does not count until it is synchronized",
  begin: (fail) => {
    const recovering = new Set<number>();
    return {
      booted: ({ node, state }) => {
        if (state.recovering !== undefined) recovering.add(node);
        else recovering.delete(node);
      },
      durable: ({ node, facts }) => {
        if (facts.header.recovering === undefined) recovering.delete(node);
        else recovering.add(node);
      },
      notifying: ({ node, notification }) => {
        if (
          recovering.has(node) &&
          notification.state !== "following" &&
          (notification.counts || notification.canLead)
        ) {
          fail(`server ${node} counts itself while it is recovering`);
        }
      },
      leading: ({ node, epoch }) => {
        if (recovering.has(node)) fail(`server ${node} leads epoch ${epoch} while it is recovering`);
      },
    };
  },
};

const z28: Checker = {
  id: "Z28",
  says: "no leader is established with the help of a server that has lost what it had acknowledged",
  begin: (fail, { voters }) => {
    const acks = newLeaderAcks();
    /** Servers that lost data and were not synchronized since; and who was synchronized by an epoch that it cannot help. */
    const lost = new Set<number>();
    const tainted = new Set<string>();
    return {
      lost: ({ node }) => void lost.add(node),
      leading: ({ node, epoch }) => {
        const counted = (voter: number) => acks.of(node, epoch).has(voter) && !tainted.has(`${voter} ${epoch}`);
        if (!isMajority(voters, counted)) fail(`server ${node} leads epoch ${epoch} by a server that lost data`);
        if (lost.has(node)) fail(`server ${node} leads epoch ${epoch}, having lost what it had acknowledged`);
      },
      durable: ({ node, steps, facts }) => {
        // A leader past discovery has everything committed, if its quorum has: from here on the server has it too.
        if (!steps.includes("establishEpoch") || !lost.delete(node)) return;
        tainted.add(`${node} ${facts.header.currentEpoch}`);
      },
      received: ({ node, from, message }) => {
        if (message.type === "ackNewLeader") acks.note(node, from, message.epoch);
      },
    };
  },
};

const z29: Checker = {
  id: "Z29",
  says: "all servers belong to one ensemble",
  begin: (fail) => {
    let known = "";
    return {
      leading: ({ node, durable }) => {
        const { clusterId } = durable.header;
        if (known === "") known = clusterId;
        else if (clusterId !== known) fail(`server ${node} leads an ensemble of its own, ${clusterId}`);
      },
    };
  },
};

export const zabCheckers: readonly Checker[] = [
  ...[z01, z02, z03, z04, z05, z06, z07, z08, z09, z10, z11, z12, z13, z14, z15, z16, z17, z18, z19],
  ...[z24, z25, z27, z28, z29],
];
