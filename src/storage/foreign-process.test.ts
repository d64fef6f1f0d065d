/** What other processes may do to the files of a running server: read them. */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SampleHistory } from "./testing/sample-history.ts";
import { StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

const sqlite = createRequire(import.meta.url).resolve("better-sqlite3");

/** What a process of its own gets when it wants to take a file out of WAL mode, for which nobody else may have it open. */
function leaveWalFromOutside(file: string): string {
  const script = `
    const db = new (require(${JSON.stringify(sqlite)}))(${JSON.stringify(file)}, { timeout: 0 });
    try { console.log(db.pragma("journal_mode = delete", { simple: true })); }
    catch (error) { console.log(error.code); }`;
  return execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }).trim();
}

test("a server holds its files, however it has read them at its start", async () => {
  const history = new SampleHistory();
  history.keep = false;
  const first = await StorageFixture.open(join(dir.path, "first"));
  await first.establish();
  history.found();
  // Enough for threads: those that load the checkpoint, and the one that reads the end of the log.
  while (history.zxid < 25_000) history.create(`/n${history.zxid}`, null);
  await first.append(history);
  await first.storage.close({ zxid: history.zxid, epoch: 1 });
  const second = await StorageFixture.open(join(dir.path, "first"), { checkpoint: false });
  history.epoch = await second.establish();
  while (history.zxid < 32_000) history.set("/n5", null);
  await second.append(history);
  const crashed = join(dir.path, "crashed");
  cpSync(join(dir.path, "first"), crashed, { recursive: true });
  rmSync(join(crashed, "log.db-shm"));
  await second.storage.close();

  const fixture = await StorageFixture.open(crashed);
  expect(fixture.storage.recovered.tree.digest).toBe(history.tree.digest);
  // Without these locks a process that only looks would delete the write-ahead log when it closes the file.
  expect(leaveWalFromOutside(join(crashed, "log.db"))).toBe("SQLITE_BUSY");
  // The thread that folds opens it at leisure.
  await expect.poll(() => leaveWalFromOutside(join(crashed, "tree.db")), { timeout: 5000 }).toBe("SQLITE_BUSY");
  await fixture.storage.close();
});
