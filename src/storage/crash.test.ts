import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

const writer = fileURLToPath(new URL("testing/crash-writer.ts", import.meta.url));

interface Report {
  readonly recovered?: number;
  readonly persisted?: number;
  readonly failed?: string;
}

/** Runs a writer until it said `persisted` so many times, and kills it in the midst of its work. */
async function writeAndKill(child: ChildProcess, reports: number): Promise<{ recovered: number; persisted: number }> {
  let recovered = -1;
  let persisted = 0;
  let count = 0;
  const ended = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout! })) {
    const report = JSON.parse(line) as Report;
    if (report.failed !== undefined) throw new Error(report.failed);
    if (report.recovered !== undefined) recovered = report.recovered;
    if (report.persisted === undefined) continue;
    persisted = report.persisted;
    // What it still says after the signal was durable, too: the loop goes on to the end of the stream.
    if (++count === reports) child.kill("SIGKILL");
  }
  await ended;
  return { recovered, persisted };
}

test("kill -9 at any moment loses nothing that was persisted", { timeout: 120_000 }, async () => {
  let known = 0;
  for (let kill = 0; kill < 20; kill++) {
    const child = spawn(process.execPath, [writer, dir.path], { stdio: ["ignore", "pipe", "inherit"] });
    // From right after the start to the midst of folding.
    const { recovered, persisted } = await writeAndKill(child, 1 + ((kill * 37) % 100));
    expect(recovered).toBeGreaterThanOrEqual(known);
    known = persisted;
  }
  const fixture = await StorageFixture.open(dir.path);
  const { recovered } = fixture.storage;
  expect(recovered.durable.last.zxid).toBeGreaterThanOrEqual(known);
  recovered.tree.verify();
  expect(known).toBeGreaterThan(500);
  await fixture.storage.close();
});
