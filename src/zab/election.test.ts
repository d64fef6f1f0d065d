import { describe, expect, it } from "vitest";
import { decide, hasQuorumInReach, isBetter, type Standing } from "./election.ts";
import { formationStep } from "./formation.ts";
import type { Notification } from "./message.ts";
import type { Neighbour } from "./neighbours.ts";
import { Quorum } from "./quorum.ts";

const nothing = { zxid: 0, epoch: 0 };

function said(id: number, what: Partial<Notification> = {}): Neighbour {
  const usual: Notification = {
    clusterId: "c",
    state: "looking",
    canLead: true,
    counts: true,
    currentEpoch: 3,
    last: { zxid: 10, epoch: 2 },
    vote: 0,
    epoch: 0,
    hears: [1, 2, 3, 4, 5],
    remembers: nothing,
    forming: undefined,
  };
  return { id, heardAt: 0, said: { ...usual, ...what } };
}

function standing(what: Partial<Standing> = {}): Standing {
  return { id: 1, currentEpoch: 3, last: { zxid: 10, epoch: 2 }, canLead: true, counts: true, ...what };
}

function deciding(
  self: Standing,
  neighbours: Neighbour[],
  voters = [1, 2, 3],
  avoided: number[] = [],
  lost: number[] = [],
) {
  return decide(self, {
    quorum: new Quorum(voters),
    neighbours,
    avoids: (member) => avoided.includes(member),
    hasLost: ({ id }) => lost.includes(id),
  });
}

describe("the order of candidates", () => {
  it("is the stored epoch first, whatever the epoch of the last row", () => {
    const stale = { id: 9, currentEpoch: 3, last: { zxid: 99, epoch: 3 } };
    const current = { id: 1, currentEpoch: 4, last: { zxid: 5, epoch: 2 } };
    expect([isBetter(current, stale), isBetter(stale, current)]).toEqual([true, false]);
  });

  it("then the length of the history, then the id", () => {
    const a = { id: 1, currentEpoch: 4, last: { zxid: 6, epoch: 1 } };
    expect(isBetter(a, { id: 9, currentEpoch: 4, last: { zxid: 5, epoch: 4 } })).toBe(true);
    expect(isBetter(a, { ...a, id: 2 })).toBe(false);
    expect(isBetter(a, a)).toBe(false);
  });
});

describe("a server that is looking", () => {
  it("votes for the best candidate that it hears and that hears it", () => {
    expect(deciding(standing(), [said(2), said(3, { last: { zxid: 9, epoch: 2 } })])).toEqual({
      kind: "vote",
      vote: 2,
    });
    expect(deciding(standing(), [said(2), said(3)])).toEqual({ kind: "vote", vote: 3 });
    expect(deciding(standing(), [said(2), said(3, { hears: [2] })])).toEqual({ kind: "vote", vote: 2 });
    expect(deciding(standing(), [said(2, { canLead: false }), said(3, { state: "following" })])).toEqual({
      kind: "vote",
      vote: 1,
    });
  });

  it("leads with the votes of a quorum that looks and counts", () => {
    const worse = { last: { zxid: 9, epoch: 2 }, vote: 1 };
    expect(deciding(standing(), [said(2, worse)])).toEqual({ kind: "lead" });
    for (const not of [{ vote: 3 }, { counts: false }, { state: "following" as const }]) {
      expect(deciding(standing(), [said(2, { ...worse, ...not })])).toEqual({ kind: "vote", vote: 1 });
    }
    expect(deciding(standing(), [said(2, worse)], [1, 2, 3, 4, 5])).toEqual({ kind: "vote", vote: 1 });
    expect(deciding(standing(), [said(2, worse), said(9, worse)], [1, 2, 3, 4, 5])).toEqual({ kind: "vote", vote: 1 });
  });

  it("neither counts nor chooses a server that has lost what it acknowledged", () => {
    expect(deciding(standing(), [said(2, { vote: 1 })], [1, 2, 3], [], [2])).toEqual({ kind: "vote", vote: 1 });
  });

  it("follows who is established, and does not vote while it counts nowhere", () => {
    const leading = said(2, { state: "leading", epoch: 4, currentEpoch: 4 });
    expect(deciding(standing(), [leading])).toEqual({ kind: "follow", leader: 2 });
    expect(deciding(standing(), [leading], [1, 2, 3], [2])).toEqual({ kind: "vote", vote: 1 });
    expect(deciding(standing({ counts: false, canLead: false }), [said(3)])).toEqual({ kind: "vote", vote: 0 });
    const deaf = said(2, { state: "leading", epoch: 4, hears: [3] });
    expect(deciding(standing(), [deaf])).toEqual({ kind: "vote", vote: 1 });
  });

  it("follows a leader that is not established only when it has no better history itself", () => {
    const elected = said(2, { state: "leading", last: { zxid: 9, epoch: 2 } });
    expect(deciding(standing(), [elected])).toEqual({ kind: "vote", vote: 1 });
    expect(deciding(standing({ last: { zxid: 8, epoch: 2 } }), [elected])).toEqual({ kind: "follow", leader: 2 });
  });

  it("prefers the leader of the later epoch", () => {
    const old = said(2, { state: "leading", epoch: 4 });
    const young = said(3, { state: "leading", epoch: 5 });
    expect(deciding(standing(), [old, young])).toEqual({ kind: "follow", leader: 3 });
    expect(deciding(standing(), [young, old])).toEqual({ kind: "follow", leader: 3 });
  });

  it("can lead only with a quorum in reach both ways", () => {
    const quorum = new Quorum([1, 2, 3]);
    expect(hasQuorumInReach(1, quorum, [said(2)])).toBe(true);
    expect(hasQuorumInReach(1, quorum, [said(2, { hears: [3] })])).toBe(false);
    expect(hasQuorumInReach(1, quorum, [said(7)])).toBe(false);
  });
});

describe("formation", () => {
  const empty = { clusterId: "", currentEpoch: 0, last: nothing, state: "forming" as const };
  const self = (id: number) => ({ id, founders: [1, 2, 3], newClusterId: "new" });
  const forming = { clusterId: "old", founders: [1, 2, 3] };

  it("waits for every founder", () => {
    expect(formationStep(self(1), [said(2, empty)])).toMatchObject({ kind: "wait", problem: "forming: waiting for 3" });
  });

  it("is begun by the lowest id alone", () => {
    const all = (not: number) => [1, 2, 3].filter((id) => id !== not).map((id) => said(id, empty));
    expect(formationStep(self(1), all(1))).toEqual({
      kind: "form",
      forming: { clusterId: "new", founders: [1, 2, 3] },
    });
    expect(formationStep(self(2), all(2))).toMatchObject({ kind: "wait" });
    expect(formationStep(self(2), [said(1, { ...empty, forming }), said(3, empty)])).toEqual({ kind: "form", forming });
  });

  it("adopts a cluster id that a founder has stored", () => {
    expect(formationStep(self(1), [said(2, empty), said(3, { ...empty, forming })])).toEqual({ kind: "form", forming });
  });

  it("does not go on with founders that were told otherwise", () => {
    const other = { clusterId: "old", founders: [1, 2] };
    const step = formationStep(self(1), [said(2, { ...empty, forming: other }), said(3, empty)]);
    expect(step).toMatchObject({ kind: "wait" });
  });

  it("never happens beside an ensemble that exists", () => {
    for (const history of [{ currentEpoch: 1 }, { last: { zxid: 1, epoch: 1 } }]) {
      expect(formationStep(self(1), [said(2, { ...empty, ...history }), said(3, empty)])).toEqual({ kind: "join" });
    }
  });
});
