/** Servers die and stand still, alone and together; the ensemble goes on as soon as a quorum is there. */
import { expect, it } from "vitest";
import { pause } from "../harness.ts";
import { check, Ensemble, Reader, Writer, type EnsembleServer } from "./harness.ts";

const some = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

function shuffled<T>(list: readonly T[]): T[] {
  const result = [...list];
  for (let at = result.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [result[at], result[other]] = [result[other]!, result[at]!];
  }
  return result;
}

it("kill -9 of the leader, and of a follower, again and again", async () => {
  const ensemble = await Ensemble.start(3);
  const writers = [await Writer.start(ensemble, "/a"), await Writer.start(ensemble, "/b")];
  const reader = new Reader(ensemble, writers[0]!);
  for (let round = 0; round < 8; round++) {
    for (const writer of writers) await writer.progress(30);
    const victim = round % 2 === 0 ? await ensemble.leader() : some(await ensemble.followers());
    await victim.kill();
    if (round % 3 !== 2) for (const writer of writers) await writer.progress(30);
    await pause(Math.random() * 300);
    victim.start();
    await ensemble.untilServing();
  }
  await check(ensemble, writers, reader);
  await ensemble.checkLogs();
}, 180_000);

it("kill -9 of all, in any order, and a start in any order", async () => {
  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/all");
  const reader = new Reader(ensemble, writer);
  for (let round = 0; round < 5; round++) {
    await writer.progress(30);
    for (const server of shuffled(ensemble.servers)) {
      await server.kill();
      await pause(Math.random() * 200);
    }
    for (const server of shuffled(ensemble.servers)) {
      server.start();
      await pause(Math.random() * 400);
    }
    await ensemble.untilServing();
  }
  await check(ensemble, [writer], reader);
  await ensemble.checkLogs();
}, 180_000);

it("a server that is killed while it starts, or while the others elect", async () => {
  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/starts");
  for (let round = 0; round < 6; round++) {
    await writer.progress(20);
    const leader = await ensemble.leader();
    const other = some(await ensemble.followers());
    await leader.kill();
    await pause(Math.random() * 60);
    await other.kill();
    for (const server of shuffled([leader, other])) {
      server.start();
      await pause(Math.random() * 700);
      if (Math.random() < 0.5) continue;
      await server.kill();
      server.start();
    }
    await ensemble.untilServing();
  }
  await check(ensemble, [writer]);
  await ensemble.checkLogs();
}, 180_000);

it("a leader that stands still is replaced, and follows when it goes on", async () => {
  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/still");
  const reader = new Reader(ensemble, writer);
  for (let round = 0; round < 3; round++) {
    await writer.progress(30);
    const leader = await ensemble.leader();
    writer.restartGap();
    leader.signal("SIGSTOP");
    const next = await ensemble.leader(leader);
    await writer.progress(30);
    expect(writer.longestGapMs).toBeLessThan(5000);
    await pause(some([0, 500, 2500]));
    // It may still take itself for the leader, and must not answer as one.
    leader.signal("SIGCONT");
    await ensemble.untilServing();
    expect(await ensemble.leader()).toBe(next);
  }
  await check(ensemble, [writer], reader);
  await ensemble.checkLogs();
}, 120_000);

it("a follower that stands still for a second, again and again, topples nobody", async () => {
  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/pauses");
  const leader = await ensemble.leader();
  const { header } = (await leader.status())!;
  const follower = some(await ensemble.followers());
  for (let round = 0; round < 5; round++) {
    follower.signal("SIGSTOP");
    await pause(1000);
    follower.signal("SIGCONT");
    await pause(700);
  }
  await ensemble.untilServing();
  expect((await leader.status())?.header?.epoch).toBe(header?.epoch);
  await check(ensemble, [writer]);
}, 60_000);

it("five servers survive any two", async () => {
  const ensemble = await Ensemble.start(5, { observers: 1 });
  const writer = await Writer.start(ensemble, "/five");
  const reader = new Reader(ensemble, writer);
  for (let round = 0; round < 3; round++) {
    await writer.progress(20);
    const leader = await ensemble.leader();
    const others = shuffled(ensemble.servers.filter((server) => server !== leader));
    const victims: EnsembleServer[] = [leader, others[0]!];
    await Promise.all(victims.map((server) => server.kill()));
    await writer.progress(20);
    for (const server of victims) server.start();
    await ensemble.untilServing();
  }
  await check(ensemble, [writer], reader);
  await ensemble.checkLogs();
}, 180_000);

it("without a quorum nothing is answered, and with one again everything goes on", async () => {
  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/minority");
  await writer.progress(20);
  const [one, two, three] = shuffled(ensemble.servers) as [EnsembleServer, EnsembleServer, EnsembleServer];
  await Promise.all([one.kill(), two.kill()]);
  await pause(2500);
  expect(await three.serves()).toBe(false);
  const { tree } = await three.newConnection();
  await expect(tree.getData({ path: "/minority" })).rejects.toMatchObject({ reason: "NO_LEADER" });
  await expect(tree.setData({ path: "/minority" })).rejects.toMatchObject({ reason: "NO_LEADER" });
  one.start();
  await ensemble.untilServing([one, three]);
  await writer.progress(20);
  two.start();
  await check(ensemble, [writer]);
  await ensemble.checkLogs();
}, 60_000);
