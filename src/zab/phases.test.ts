/** Parts of the leader's phases, each by itself. */
import { describe, expect, it } from "vitest";
import { Acknowledgements, ReadRounds } from "./broadcast.ts";
import { Boundaries } from "./boundaries.ts";
import { Discovery } from "./discovery.ts";
import { Quorum } from "./quorum.ts";
import { planSync } from "./synchronization.ts";

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
    expect(quorum.reached(new Map(ids.map((id) => [id, id * 10])))).toBe((voters - needed + 1) * 10);
  });

  it("counts nobody who is no voter, and has a voter", () => {
    const quorum = new Quorum([1, 2, 3]);
    expect(quorum.isMet(new Set([1, 8, 9]))).toBe(false);
    const values = [
      [1, 5],
      [8, 9],
      [9, 9],
    ] as const;
    expect(quorum.reached(new Map(values))).toBe(0);
    expect(() => new Quorum([])).toThrow("at least one voter");
  });
});

describe("discovery", () => {
  it("chooses an epoch above every promise of a quorum, once", () => {
    const discovery = new Discovery(new Quorum([1, 2, 3]));
    expect(discovery.came(1, 4)).toBe(false);
    expect(discovery.came(2, 7)).toBe(true);
    expect(discovery.epoch).toBe(8);
    expect(discovery.came(3, 200)).toBe(false);
    expect(discovery.epoch).toBe(8);
  });

  it("is done with the promises of a quorum, observers left out", () => {
    const discovery = new Discovery(new Quorum([1, 2, 3]));
    discovery.came(1, 0);
    discovery.left(1);
    expect(discovery.came(2, 0)).toBe(false);
    expect(discovery.came(3, 0)).toBe(true);
    discovery.promised(3);
    discovery.promised(9);
    expect(discovery.isDone).toBe(false);
    discovery.promised(2);
    expect(discovery.isDone).toBe(true);
  });
});

describe("acknowledgements", () => {
  it("commit what a quorum has, this server among it, and nothing beyond", () => {
    const acks = new Acknowledgements(1, new Quorum([1, 2, 3]));
    acks.acknowledged(2, 9);
    acks.acknowledged(3, 8);
    expect(acks.committed).toBe(0);
    acks.acknowledged(1, 5);
    expect(acks.committed).toBe(5);
    acks.acknowledged(1, 20);
    expect(acks.committed).toBe(9);
    acks.left(2);
    expect(acks.committed).toBe(8);
    acks.acknowledged(7, 99);
    expect(acks.committed).toBe(8);
  });
});

describe("rounds of reads", () => {
  it("answer with the commit point of the question, after a quorum echoed a round begun later", () => {
    let round = 5;
    const reads = new ReadRounds(1, new Quorum([1, 2, 3]), () => ++round);
    const answers: string[] = [];
    reads.ask(10, (zxid) => answers.push(`a ${String(zxid)}`));
    // This one came after the round was begun: it needs the next.
    reads.ask(12, (zxid) => answers.push(`b ${String(zxid)}`));
    reads.echo(2, 5);
    reads.echo(9, 6);
    expect(answers).toEqual([]);
    reads.echo(2, 6);
    expect(answers).toEqual(["a 10"]);
    reads.echo(3, 6);
    expect(answers).toEqual(["a 10"]);
    reads.echo(3, 7);
    expect(answers).toEqual(["a 10", "b 12"]);
  });

  it("need nobody where this server is a quorum, and end with the office", () => {
    const answers: (number | undefined)[] = [];
    new ReadRounds(1, new Quorum([1]), () => 1).ask(3, (zxid) => answers.push(zxid));
    const reads = new ReadRounds(1, new Quorum([1, 2]), () => 1);
    reads.ask(4, (zxid) => answers.push(zxid));
    reads.ask(4, (zxid) => answers.push(zxid));
    reads.abandon();
    expect(answers).toEqual([3, undefined, undefined]);
  });
});

describe("synchronization", () => {
  const boundaries = new Boundaries([
    { zxid: 10, epoch: 1 },
    { zxid: 20, epoch: 4 },
  ]);
  const plan = (ends: { zxid: number; epoch: number }[], logStart = 1) =>
    planSync({ last: ends.at(-1) ?? { zxid: 0, epoch: 0 }, boundaries: ends }, { boundaries, logStart });

  it("sends what is missing", () => {
    expect(plan([{ zxid: 7, epoch: 1 }])).toEqual({ method: "diff", after: { zxid: 7, epoch: 1 } });
    expect(plan([])).toEqual({ method: "diff", after: { zxid: 0, epoch: 0 } });
  });

  it("cuts off exactly what the leader does not have", () => {
    const other = [
      { zxid: 8, epoch: 1 },
      { zxid: 30, epoch: 3 },
    ];
    expect(plan(other)).toEqual({ method: "trunc", after: { zxid: 8, epoch: 1 } });
  });

  it("sends a checkpoint where the log does not reach, or nothing is common: it never cuts everything off", () => {
    expect(plan([{ zxid: 7, epoch: 1 }], 9)).toEqual({ method: "snap" });
    expect(plan([{ zxid: 7, epoch: 1 }], 8)).toMatchObject({ method: "diff" });
    expect(plan([], 2)).toEqual({ method: "snap" });
    expect(plan([{ zxid: 5, epoch: 2 }])).toEqual({ method: "snap" });
  });
});
