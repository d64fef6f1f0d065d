/** Directories that are not what they were: empty, old, somebody else's, or used twice. None of that may cost a write. */
import { cp, rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { ServerRole } from "../../../src/client/index.ts";
import { freePort, Running } from "../../cli/harness.ts";
import { cleanUp, pause, until } from "../harness.ts";
import { check, Ensemble, Reader, Writer, type EnsembleServer } from "./harness.ts";

type Three = [EnsembleServer, EnsembleServer, EnsembleServer];

/** For so long two servers, one of which must not count, get nowhere. */
async function staysSilent(server: EnsembleServer): Promise<void> {
  for (let look = 0; look < 30; look++) {
    expect(await server.serves()).toBe(false);
    await pause(100);
  }
}

it("an empty directory under a known id counts nowhere until it is synchronized", async () => {
  const ensemble = await Ensemble.start(3);
  const [one, two, three] = ensemble.servers as unknown as Three;
  const writer = await Writer.start(ensemble, "/empty");
  await writer.progress(50);

  await three.kill();
  await writer.progress(20);
  await rm(three.data, { recursive: true });
  three.start();
  await ensemble.untilServing();
  await writer.progress(20);

  // With one that knows everything and one that knows nothing there is no quorum.
  await Promise.all([one.kill(), two.kill(), three.kill()]);
  await rm(three.data, { recursive: true });
  two.start();
  three.start();
  await until("the empty one knows what it is", async () => (await three.status())?.role === ServerRole.RECOVERING);
  await staysSilent(two);
  await staysSilent(three);
  one.start();
  await ensemble.untilServing();
  await check(ensemble, [writer]);
  await ensemble.checkLogs();
}, 90_000);

it("a directory restored from an old copy counts nowhere until it is synchronized", async () => {
  const ensemble = await Ensemble.start(3);
  const [one, two, three] = ensemble.servers as unknown as Three;
  const writer = await Writer.start(ensemble, "/old");
  await writer.progress(50);
  await three.end("SIGTERM");
  const copy = `${three.data}.copy`;
  await cp(three.data, copy, { recursive: true });
  three.start();
  await ensemble.untilServing();
  await writer.progress(100);
  // Everybody stores what everybody has acknowledged.
  await pause(2500);

  await Promise.all([one.kill(), two.kill(), three.kill()]);
  await rm(three.data, { recursive: true });
  await cp(copy, three.data, { recursive: true });
  three.start();
  two.start();
  await until("the old one knows what it is", async () => (await three.status())?.role === ServerRole.RECOVERING);
  await staysSilent(two);
  await staysSilent(three);
  one.start();
  await ensemble.untilServing();
  await writer.progress(20);
  await check(ensemble, [writer]);
  await ensemble.checkLogs();
}, 90_000);

it("a second server under one id is refused, and disturbs nobody", async () => {
  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/twice");
  const reader = new Reader(ensemble, writer);
  await writer.progress(20);
  const leader = await ensemble.leader();
  const { header } = (await leader.status())!;
  for (const victim of ensemble.servers) {
    const address = `127.0.0.1:${await freePort()}`;
    const own = ["--id", String(victim.id), "--members", victim.members, "--data", `${victim.data}.impostor`];
    const ports = ["--listen", address, "--peer-listen", `127.0.0.1:${await freePort()}`, "--http", "off"];
    const impostor = new Running(["serve", ...own, ...ports]);
    cleanUp(() => {
      impostor.stop("SIGKILL");
    });
    await impostor.until(/listens to clients/);
    await impostor.until(/DUPLICATE_MEMBER/);
    await pause(1000);
    expect(impostor.output).not.toContain("is ready");
    await writer.progress(20);
    impostor.stop("SIGKILL");
    await impostor.result;
  }
  for (const server of ensemble.servers) expect((await server.status())?.peerCallsRefused).toBeGreaterThan(0n);
  expect((await leader.status())?.header?.epoch).toBe(header?.epoch);
  await check(ensemble, [writer], reader);
}, 90_000);

it("a server of another ensemble is refused, and disturbs nobody", async () => {
  const other = await Ensemble.start(3);
  await (await other.server(3).connect()).tree.create({ path: "/other" });
  await Promise.all(other.servers.map((server) => server.end("SIGTERM")));

  const ensemble = await Ensemble.start(3);
  const writer = await Writer.start(ensemble, "/own");
  await writer.progress(20);
  const three = ensemble.server(3);
  await three.end("SIGTERM");
  const own = three.data;
  three.data = other.server(3).data;
  const stranger = three.start();
  await stranger.until(/WRONG_CLUSTER/);
  await pause(1500);
  expect(await three.serves()).toBe(false);
  await writer.progress(20);
  await three.kill();
  three.data = own;
  three.start();
  await check(ensemble, [writer]);
  await ensemble.checkLogs();
}, 90_000);

it("a directory is not used for another list of members", async () => {
  const ensemble = await Ensemble.start(3);
  const [one] = ensemble.servers as unknown as Three;
  await Promise.all(ensemble.servers.map((server) => server.end("SIGTERM")));
  const alone = await new Running(["serve", "--data", one.data, "--listen", one.address, "--http", "off"]).result;
  expect(alone).toMatchObject({ code: 1, stdout: "" });
  expect(alone.stderr).toContain("members 1, 2, 3");
  const fewer = one.members.split(",").slice(0, 2).join(",");
  const flags = ["--id", "1", "--members", fewer, "--data", one.data, "--listen", one.address, "--http", "off"];
  const smaller = await new Running(["serve", ...flags]).result;
  expect(smaller).toMatchObject({ code: 1, stdout: "" });
  expect(smaller.stderr).toContain("--members says 1, 2");
}, 60_000);
