import { spawn } from "node:child_process";
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

test("a write that fails ends the process through onFailure, and nothing is acknowledged after it", async () => {
  // A real failure: the kernel refuses to let any file grow beyond 1 MiB.
  const limited = `trap "" XFSZ; ulimit -f 1024; exec "$0" "$@"`;
  const child = spawn("bash", ["-c", limited, process.execPath, writer, dir.path, "no-checkpoint"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const reports: Record<string, unknown>[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    reports.push(JSON.parse(line) as Record<string, unknown>);
  }
  const failure = reports.findIndex((report) => "failed" in report);
  expect(reports.slice(failure)).toEqual([{ failed: expect.stringMatching(/disk|full|I\/O/) as string }]);
  const acked = reports.slice(0, failure).map((report) => Number(report["persisted"] ?? 0));
  expect(Math.max(...acked)).toBeGreaterThan(10);

  const fixture = await StorageFixture.open(dir.path);
  expect(fixture.storage.recovered.durable.last.zxid).toBeGreaterThanOrEqual(Math.max(...acked));
  await fixture.storage.close();
});
