/** The phases of ZAB, step by step, with peers in one thread. */
import { describe, expect, it } from "vitest";
import { three, ZabWorld } from "../../test/support/zab-world.ts";

function formed(): ZabWorld {
  const world = new ZabWorld(three);
  world.pass(1000);
  return world;
}

describe("an ensemble", () => {
  it("forms, elects one leader and commits", () => {
    const world = formed();
    const leader = world.leader()!;
    expect(leader.id).toBe(3);
    expect([1, 2].map((id) => world.node(id).told.at(-1))).toEqual(["following 3 1", "following 3 1"]);
    leader.propose("a", "b", "c");
    world.settle();
    for (const { applied } of world.nodes.values()) expect(applied).toEqual(["a", "b", "c"]);
    expect([...world.nodes.values()].map(({ peer }) => peer.refused.size)).toEqual([0, 0, 0]);
  });

  it("of one needs nobody", () => {
    const world = new ZabWorld([{ id: 1, voter: true }]);
    world.pass(100);
    expect(world.leader()?.told).toEqual(["leading 1"]);
    world.leader()!.propose("a");
    world.settle();
    expect(world.node(1).applied).toEqual(["a"]);
  });

  it("elects another leader when the first dies, and loses nothing", () => {
    const world = formed();
    world.leader()!.propose("a", "b");
    world.settle();
    world.crash(3);
    world.pass(300);
    const leader = world.leader()!;
    expect(leader.id).toBe(2);
    leader.propose("c");
    world.settle();
    world.node(3).boot();
    world.pass(500);
    for (const { applied } of world.nodes.values()) expect(applied).toEqual(["a", "b", "c"]);
    expect(world.leader()!.id).toBe(2);
  });

  it("cuts off what a leader proposed and nobody else had", () => {
    const world = formed();
    world.leader()!.propose("a");
    world.settle();
    const old = world.leader()!;
    for (const id of [1, 2]) world.cut.add(`3>${id}`).add(`${id}>3`);
    old.propose("lost", "too");
    world.settle();
    expect(old.applied).toEqual(["a"]);
    world.pass(2500);
    expect(old.peer.role).toBe("looking");
    const leader = world.leader()!;
    expect(leader.id).toBe(2);
    leader.propose("b");
    world.settle();
    world.cut.clear();
    world.pass(1500);
    expect(old.store.asked.some((step) => step === "truncate 1")).toBe(true);
    for (const { applied } of world.nodes.values()) expect(applied).toEqual(["a", "b"]);
  });

  it("answers a linearizable read only after a quorum has echoed", () => {
    const world = formed();
    const leader = world.leader()!;
    leader.propose("a");
    world.settle();
    const answers: (number | undefined)[] = [];
    leader.peer.confirmLeadership((zxid) => answers.push(zxid));
    leader.peer.confirmLeadership((zxid) => answers.push(zxid));
    expect(answers).toEqual([]);
    world.settle();
    expect(answers).toEqual([1, 1]);
    for (const id of [1, 2]) world.cut.add(`${id}>3`);
    leader.peer.confirmLeadership((zxid) => answers.push(zxid));
    world.pass(2500);
    expect(answers).toEqual([1, 1, undefined]);
  });

  it("does not let a server in that has lost its data, until it is synchronized", () => {
    const world = formed();
    world.leader()!.propose("a");
    world.settle();
    world.crash(1);
    const wiped = world.node(1);
    wiped.store.durable = {
      ...new ZabWorld([{ id: 9, voter: true }]).node(9).store.durable,
      log: [],
      clusterId: "",
      forming: undefined,
      acceptedEpoch: 0,
      currentEpoch: 0,
    };
    world.crash(2);
    wiped.boot();
    world.pass(3000);
    // Server 3 alone, and one that has forgotten everything: no quorum.
    expect(world.leader()).toBeUndefined();
    expect(wiped.peer.recovering).toContain("was empty");
    world.node(2).boot();
    world.pass(2000);
    expect(world.leader()).toBeDefined();
    expect(wiped.applied).toEqual(["a"]);
    expect(wiped.peer.recovering).toBeUndefined();
  });
});
