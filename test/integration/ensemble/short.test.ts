/** The short form, for every run of the suite: three servers, the leader killed and back, and nothing lost. */
import { expect, it } from "vitest";
import { ServerRole } from "../../../src/client/index.ts";
import { Consistency } from "../../../gen/ts/zabtree/v1/common_pb.js";
import { text, until, untext } from "../harness.ts";
import { check, Ensemble, Reader, Writer } from "./harness.ts";

it("three servers form an ensemble, every one of them serves, and the death of the leader loses nothing", async () => {
  const ensemble = await Ensemble.start(3, { observers: 1 });
  const leader = await ensemble.leader();
  const [follower] = (await ensemble.followers()) as [(typeof ensemble.servers)[number]];
  // A write on one server is read on every other.
  const written = await (await follower.connect()).tree.create({ path: "/hello", data: text("world") });
  for (const server of ensemble.servers) {
    const { tree } = await server.connect();
    const { data } = await tree.getData({ path: "/hello", consistency: Consistency.LINEARIZABLE });
    expect(untext(data)).toBe("world");
    const sequential = { path: "/hello", consistency: Consistency.SEQUENTIAL, minZxid: written.header!.zxid };
    expect(untext((await tree.getData(sequential)).data)).toBe("world");
  }

  const { members, leaderId } = await (await follower.connect()).cluster.listMembers({});
  expect(leaderId).toBe(BigInt(leader.id));
  expect(members.map(({ memberId, voter, role, clientAddress }) => [memberId, voter, role, clientAddress])).toEqual(
    ensemble.servers.map((server) => [
      BigInt(server.id),
      server.id <= 3,
      server.id === 4 ? ServerRole.OBSERVING : server === leader ? ServerRole.LEADING : ServerRole.FOLLOWING,
      server.address,
    ]),
  );

  const writer = await Writer.start(ensemble, "/short");
  const reader = new Reader(ensemble, writer);
  await writer.progress();
  writer.restartGap();
  await leader.kill();
  await writer.progress();
  expect(writer.longestGapMs, "without a leader").toBeLessThan(3000);
  expect(await ensemble.leader()).not.toBe(leader);
  leader.start();
  await ensemble.untilServing();
  await until("it follows", async () => (await leader.status())?.role === ServerRole.FOLLOWING);
  await writer.progress();
  await check(ensemble, [writer], reader);
  await ensemble.checkLogs();
}, 60_000);
