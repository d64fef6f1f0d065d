/** A disk that cannot be written: the server stops loudly, acknowledges nothing more, and comes back with everything. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Session } from "../../src/client/index.ts";
import { mebibyte, random, runProgram, Server, text, until, untext, within } from "./harness.ts";

function largest(directory: string): number {
  return Math.max(...readdirSync(directory).map((name) => statSync(join(directory, name)).size));
}

/** Writes numbers until the session breaks; the last one that was acknowledged. */
async function writeUntilItFails(session: Session): Promise<number> {
  let acknowledged = 0;
  const broken = new Promise<undefined>((resolve) =>
    session.onState(() => {
      resolve(undefined);
    }),
  );
  for (let number = 1; session.state === "CONNECTED" && number < 100_000; number += 8) {
    const batch = Array.from({ length: 8 }, async (_, offset) => {
      const data = Buffer.concat([text(`${number + offset} `), random(20_000)]);
      await session.request("setData", { path: "/number", data });
      acknowledged = number + offset;
    });
    await Promise.race([Promise.allSettled(batch), broken]);
  }
  return acknowledged;
}

it("writes that fail end the process with an error, and lose nothing acknowledged", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  await connection.tree.create({ path: "/number" });
  for (let round = 0; round < 3; round++) {
    // No file of the process may grow beyond this: what a full disk looks like to it.
    const limit = largest(server.data) + 2 * mebibyte;
    await runProgram("prlimit", ["--pid", String(server.pid), `--fsize=${limit}:unlimited`]);
    const session = await (await server.connect()).openSession({ timeoutMs: 60_000 });
    const acknowledged = await within(60_000, "writes fail", writeUntilItFails(session));
    const ended = await within(10_000, "the server ends", server.ended);
    expect(acknowledged).toBeGreaterThan(0);
    // Not by a signal, and not as if all were well.
    expect(ended.code).not.toBeNull();
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/cannot go on|SQLITE_(FULL|IOERR)|EFBIG|disk/);
    expect(session.state).not.toBe("CONNECTED");

    await server.start();
    const again = await server.connect();
    const { data } = await again.tree.getData({ path: "/number" });
    expect(Number(untext(data).split(" ")[0])).toBeGreaterThanOrEqual(acknowledged);
    await again.tree.setData({ path: "/number", data: text("0 ") });
    session.abandon();
  }
  expect(await server.stop()).toMatchObject({ code: 0 });
  const check = await runProgram("sqlite3", ["-readonly", join(server.data, "log.db"), "PRAGMA integrity_check"]);
  expect(check.trim()).toBe("ok");
}, 120_000);

it("a log that cannot be opened is a message and exit code 1, and nothing is changed", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  await connection.tree.create({ path: "/kept", data: text("safe") });
  connection.close();
  expect(await server.stop()).toMatchObject({ code: 0 });
  const files = ["log.db", "tree.db"].map((name) => join(server.data, name)).filter((path) => existsSync(path));
  expect(files.length).toBe(2);
  const { chmod, copyFile, rm, truncate, writeFile } = await import("node:fs/promises");
  const log = files[0]!;
  await copyFile(log, `${log}.good`);
  for (const damage of [
    async () => await truncate(log, statSync(log).size - 4096),
    async () => await writeFile(log, "this is no database, and nobody knows how it came here"),
  ]) {
    await damage();
    const refused = await within(20_000, "it ends", server.spawn().result);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^zabtree: .+\n$/);
    await rm(log);
    await copyFile(`${log}.good`, log);
    await chmod(log, 0o600);
  }
  await rm(`${log}.good`);
  await server.start();
  const again = await server.connect();
  await until("it is back", async () => untext((await again.tree.getData({ path: "/kept" })).data) === "safe");
}, 60_000);
