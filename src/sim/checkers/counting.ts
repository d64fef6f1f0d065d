/** Who counts, and for what: that promises, votes and acknowledgements stand for what they say. */
import { getOrMake, isMajority, type Checker } from "./checker.ts";

const z30: Checker = {
  id: "Z30",
  says: "a leader ends discovery by promises of a quorum that were given to it first",
  begin: (fail, { voters }) => {
    /** By voter and epoch: the leader to which it gave its promise first. */
    const promised = new Map<string, number>();
    /** By leader and epoch: whose promises have arrived. */
    const arrived = new Map<string, Set<number>>();
    const judged = new Set<string>();
    return {
      sent: ({ node, to, message }) => {
        const { type } = message;
        if (type === "leaderInfo") getOrMake(promised, `${node} ${message.epoch}`, () => node);
        else if (type === "ackEpoch") getOrMake(promised, `${node} ${message.epoch}`, () => to);
        else if (type === "trunc" || type === "snap" || type === "diff" || type === "newLeader") {
          const { epoch } = message;
          const key = `${node} ${epoch}`;
          if (judged.has(key)) return;
          judged.add(key);
          const has = (voter: number) =>
            promised.get(`${voter} ${epoch}`) === node && (voter === node || arrived.get(key)?.has(voter) === true);
          if (!isMajority(voters, has)) fail(`server ${node} leads epoch ${epoch} by promises given to others`);
        }
      },
      received: ({ node, from, message }) => {
        if (message.type !== "ackEpoch") return;
        getOrMake(arrived, `${node} ${message.epoch}`, () => new Set<number>()).add(from);
      },
    };
  },
};

const z31: Checker = {
  id: "Z31",
  says: "a vote, and the rank of a candidate, speak of what is on stable storage",
  begin: (fail) => {
    const durable = new Map<number, { last: number; epoch: number }>();
    return {
      booted: ({ node, state }) => void durable.set(node, { last: state.last.zxid, epoch: state.currentEpoch }),
      durable: ({ node, facts }) => {
        durable.set(node, { last: facts.last.zxid, epoch: facts.header.currentEpoch });
      },
      notifying: ({ node, notification }) => {
        const { counts, canLead, last, currentEpoch } = notification;
        const has = durable.get(node);
        if ((!counts && !canLead) || has === undefined) return;
        if (last.zxid > has.last || currentEpoch > has.epoch) {
          fail(
            `server ${node} votes with ${last.zxid} and epoch ${currentEpoch}, durable are ${has.last}, ${has.epoch}`,
          );
        }
      },
    };
  },
};

interface Round {
  readonly epoch: number;
  readonly round: number;
}

const z32: Checker = {
  id: "Z32",
  says: "a voter that has lost its data is synchronized only by a leader that a quorum without it follows since it came",
  begin: (fail, { voters }) => {
    const lost = new Set<number>();
    const pinged = new Map<number, Round>();
    /** By leader and learner: the last round before the learner came, and who has echoed a later one. */
    const came = new Map<string, { readonly after: Round; readonly echoed: Set<number> }>();
    return {
      lost: ({ node }) => void lost.add(node),
      durable: ({ node, steps }) => {
        if (steps.includes("establishEpoch")) lost.delete(node);
      },
      sent: ({ node, to, message }) => {
        if (message.type === "ping") pinged.set(node, message);
        if (message.type === "learnerInfo") {
          const after = pinged.get(to) ?? { epoch: 0, round: 0 };
          came.set(`${to} ${node}`, { after, echoed: new Set() });
        }
        if (message.type !== "newLeader" || !lost.has(to)) return;
        const echoed = came.get(`${node} ${to}`)?.echoed;
        if (!isMajority(voters, (voter) => voter === node || (voter !== to && echoed?.has(voter) === true))) {
          fail(`server ${node} makes ${to}, which has lost its data, a member of epoch ${message.epoch}`);
        }
      },
      received: ({ node, from, message }) => {
        if (message.type !== "pong" || lost.size === 0) return;
        for (const learner of lost) {
          const known = came.get(`${node} ${learner}`);
          if (known !== undefined && isLater(message, known.after)) known.echoed.add(from);
        }
      },
    };
  },
};

function isLater(a: Round, b: Round): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.round > b.round);
}

export const countingCheckers: readonly Checker[] = [z30, z31, z32];
