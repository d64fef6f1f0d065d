/** Servers that are so far behind that the log does not reach back to them: they get a checkpoint, while writes go on. */
import { existsSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pause, random, until } from "../harness.ts";
import { check, Ensemble, Reader, Writer, type EnsembleServer } from "./harness.ts";

/** The log is kept as short as it may be. */
const flags = ["--log-keep-hours", "0", "--log-keep-transactions", "200", "--log-level", "info"];

/** Makes the tree large enough that a checkpoint takes a while. */
async function fill(ensemble: Ensemble, path: string): Promise<void> {
  const { tree } = await (await ensemble.leader()).connect();
  await tree.create({ path });
  for (let batch = 0; batch < 40; batch++) {
    const operations = Array.from({ length: 200 }, (_, index) => ({
      operation: { case: "create" as const, value: { path: `${path}/${batch}-${index}`, data: random(4000) } },
    }));
    await tree.multi({ operations }, { timeoutMs: 10_000 });
  }
}

/** Waits until no log of these servers reaches back to what the one that is behind has. */
async function untilPurged(servers: readonly EnsembleServer[], last: bigint): Promise<void> {
  await until(
    "the logs are purged",
    async () => {
      const statuses = await Promise.all(servers.map((server) => server.status()));
      return statuses.every((status) => status !== undefined && status.oldestZxid > last + 1n);
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
}

it("a follower far behind installs a checkpoint while writes go on, whenever it is killed", async () => {
  const ensemble = await Ensemble.start(3, { flags });
  const writers = [await Writer.start(ensemble, "/snap"), await Writer.start(ensemble, "/snap2")];
  const reader = new Reader(ensemble, writers[0]!);
  await fill(ensemble, "/large");
  const behind = (await ensemble.followers())[0]!;
  const others = ensemble.servers.filter((server) => server !== behind);
  const file = (name: string): string => join(behind.data, name);

  await writers[0]!.progress(50);

  // From here on it is left behind.
  const { lastLoggedZxid: last } = (await behind.status())!;
  await behind.kill();
  for (const writer of writers) await writer.progress(200);
  await untilPurged(others, last);
  const copy = `${behind.data}.copy`;
  await cp(behind.data, copy, { recursive: true });
  const installed = async (): Promise<void> => {
    await ensemble.untilServing();
    expect((await behind.status())!.oldestZxid).toBeGreaterThan(last + 1n);
    for (const writer of writers) await writer.progress(20);
  };
  behind.start();
  await installed();

  const moments: readonly (readonly [string, () => Promise<void>])[] = [
    [
      "the file is begun",
      async () => {
        await until("it is", () => existsSync(file("tree.fetch.db")), { everyMs: 1 });
      },
    ],
    [
      "a part has come",
      async () => {
        await until("it is begun", () => existsSync(file("tree.fetch.db")), { everyMs: 1 });
        await pause(Math.random() * 300);
      },
    ],
    [
      "it is verified",
      async () => {
        await until("it is", () => existsSync(file("tree.new.db")), { everyMs: 0 });
      },
    ],
    [
      "it takes its place",
      async () => {
        await until("it is verified", () => existsSync(file("tree.new.db")), { everyMs: 0 });
        await until("it is gone", () => !existsSync(file("tree.new.db")), { everyMs: 0 });
      },
    ],
    [
      "the history after it comes",
      async () => {
        await until("it is verified", () => existsSync(file("tree.new.db")), { everyMs: 0 });
        await pause(Math.random() * 150);
      },
    ],
  ];
  let met = 0;
  for (const [moment, comes] of moments) {
    await behind.kill();
    await rm(behind.data, { recursive: true });
    await cp(copy, behind.data, { recursive: true });
    behind.start();
    // The moment may be over before it is seen: then the server serves, which is as good.
    const came = comes().then(() => met++);
    await Promise.race([came, ensemble.untilServing([behind])]).catch((error: unknown) => {
      throw new Error(`${moment}: ${behind.errors}`, { cause: error });
    });
    await behind.kill();
    for (const writer of writers) await writer.progress(20);
    behind.start();
    await installed();
  }

  expect(met, "moments that were met").toBeGreaterThanOrEqual(3);

  // With an empty directory too.
  await behind.kill();
  await rm(behind.data, { recursive: true });
  behind.start();
  await ensemble.untilServing();
  await check(ensemble, writers, reader);
  await ensemble.checkLogs();
}, 300_000);
