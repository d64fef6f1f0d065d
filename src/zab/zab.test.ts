/** The leader's phases by themselves, with more voters than one server has yet. */
import { describe, expect, it } from "vitest";
import { Broadcast } from "./broadcast.ts";
import type { AppendStep, DurableLog, EpochStep, LogPosition } from "./durable-log.ts";
import { Establishment } from "./establishment.ts";
import { Quorum } from "./quorum.ts";

/** Notes what it is asked for. */
class NotingLog implements DurableLog {
  readonly asked: string[] = [];
  readonly establishments: EpochStep[] = [];
  readonly appends: AppendStep[] = [];

  acceptEpoch(write: number, epoch: number): void {
    this.asked.push(`${write} accept ${epoch}`);
  }
  establishEpoch(write: number, step: EpochStep): void {
    this.asked.push(`${write} establish ${step.epoch}`);
    this.establishments.push(step);
  }
  append(write: number, step: AppendStep): void {
    this.asked.push(`${write} append ${step.firstZxid}-${step.lastZxid} committed ${step.committed.zxid}`);
    this.appends.push(step);
  }
  commit(write: number, point: LogPosition): void {
    this.asked.push(`${write} commit ${point.zxid}`);
  }
}

function counter(): () => number {
  let last = 0;
  return () => ++last;
}

describe("a quorum", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
  ])("of %i voters has %i", (voters, needed) => {
    const ids = Array.from({ length: voters }, (_, index) => index + 1);
    const quorum = new Quorum(ids);
    expect(quorum.isMet(new Set(ids.slice(0, needed)))).toBe(true);
    expect(quorum.isMet(new Set(ids.slice(0, needed - 1)))).toBe(false);
    const values = new Map(ids.map((id) => [id, id * 10]));
    expect(quorum.reached(values)).toBe((voters - needed + 1) * 10);
  });

  it("counts nobody who is no voter", () => {
    const quorum = new Quorum([1, 2, 3]);
    expect(quorum.isMet(new Set([1, 8, 9]))).toBe(false);
    expect(
      quorum.reached(
        new Map([
          [1, 5],
          [8, 9],
          [9, 9],
        ]),
      ),
    ).toBe(0);
    expect(
      quorum.reached(
        new Map([
          [1, 5],
          [2, 7],
          [9, 9],
        ]),
      ),
    ).toBe(5);
  });

  it("has a voter", () => {
    expect(() => new Quorum([])).toThrow("at least one voter");
  });
});

describe("establishment", () => {
  const state = { acceptedEpoch: 4, currentEpoch: 3, last: { zxid: 9, epoch: 3 }, committed: { zxid: 7, epoch: 2 } };

  function establishing(voters = [1], from = state) {
    const log = new NotingLog();
    const establishment = new Establishment(
      { self: 1, quorum: new Quorum(voters) },
      { log, state: from, nextWrite: counter() },
    );
    return { log, establishment };
  }

  it("goes above every accepted epoch, and continues the whole history with the epochs of its rows", () => {
    const { log, establishment } = establishing();
    establishment.persisted(1);
    establishment.persisted(2);
    expect(log.asked).toEqual(["1 accept 5", "2 establish 5"]);
    expect(log.establishments).toEqual([{ epoch: 5, last: state.last, committed: state.committed }]);
    expect(establishment.phase).toBe("done");
  });

  it("takes no step before the one before is durable, and none twice", () => {
    const { log, establishment } = establishing();
    establishment.persisted(0);
    expect([log.asked.length, establishment.phase]).toEqual([1, "discovery"]);
    establishment.persisted(1);
    establishment.persisted(1);
    expect([log.asked.length, establishment.phase]).toEqual([2, "synchronization"]);
    establishment.persisted(2);
    establishment.persisted(3);
    expect([log.asked.length, establishment.phase]).toEqual([2, "done"]);
  });

  it("does not come about by the leader alone where it is no quorum", () => {
    const { log, establishment } = establishing([1, 2, 3]);
    establishment.persisted(1);
    establishment.persisted(2);
    expect([log.asked.length, establishment.phase]).toEqual([1, "discovery"]);
  });

  it("refuses a state that cannot be", () => {
    expect(() => establishing([1], { ...state, currentEpoch: 5 })).toThrow("currentEpoch is above acceptedEpoch");
    expect(() => establishing([1], { ...state, committed: { zxid: 10, epoch: 3 } })).toThrow("beyond the log");
  });
});

describe("broadcast", () => {
  function leading(voters = [1]) {
    const log = new NotingLog();
    const broadcast = new Broadcast(
      { self: 1, quorum: new Quorum(voters) },
      { log, nextWrite: counter() },
      { epoch: 5, history: { zxid: 9, epoch: 4 } },
    );
    return { log, broadcast, bytes: new Uint8Array(0) };
  }

  it("commits in order what is durable, and nothing beyond", () => {
    const { log, broadcast, bytes } = leading();
    broadcast.propose(bytes, 10, 12);
    broadcast.propose(bytes, 13, 13);
    broadcast.propose(bytes, 14, 20);
    expect(broadcast.committed.zxid).toBe(9);
    const committed = [0, 1, 1, 2, 1, 3].map((write) => {
      broadcast.persisted(write);
      return broadcast.committed.zxid;
    });
    expect(committed).toEqual([9, 12, 12, 13, 13, 20]);
    expect(broadcast.lastProposed).toBe(20);
    broadcast.propose(bytes, 21, 21);
    expect(log.asked.at(-1)).toBe("4 append 21-21 committed 20");
  });

  it("commits nothing by the leader alone where it is no quorum", () => {
    const { broadcast, bytes } = leading([1, 2, 3]);
    broadcast.propose(bytes, 10, 10);
    broadcast.persisted(1);
    expect(broadcast.committed.zxid).toBe(9);
    expect(broadcast.isConfirmed).toBe(false);
    expect(() => broadcast.confirmLeadership(() => undefined)).toThrow("must ask its followers");
  });

  it("refuses a proposal that leaves a gap or goes back", () => {
    const { broadcast, bytes } = leading();
    for (const [first, last] of [
      [11, 11],
      [9, 10],
      [10, 9],
    ] as const) {
      expect(() => broadcast.propose(bytes, first, last)).toThrow("contiguous");
    }
  });

  it("stores the commit point by itself only when nothing carries it", () => {
    const { log, broadcast, bytes } = leading();
    broadcast.storeCommitPoint();
    broadcast.storeCommitPoint();
    broadcast.propose(bytes, 10, 10);
    broadcast.storeCommitPoint();
    broadcast.persisted(2);
    broadcast.storeCommitPoint();
    broadcast.storeCommitPoint();
    expect(log.asked).toEqual(["1 commit 9", "2 append 10-10 committed 9", "3 commit 10"]);
  });
});
