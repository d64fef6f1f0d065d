import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import Database from "better-sqlite3";
import { StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

const openAndWait = `
  const { openStorage } = await import(${JSON.stringify(new URL("index.ts", import.meta.url).href)});
  const nothing = () => {};
  await openStorage({ dataDir: process.argv[1], serverId: 1, onFailure: nothing, onPersisted: nothing, onHistory: nothing });
  console.log("open");
  setInterval(nothing, 1000);
`;

async function openInChild(): Promise<ReturnType<typeof spawn>> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", openAndWait, dir.path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

test("a second process is refused by name, and let in when the first was killed", async () => {
  const child = await openInChild();
  await expect(StorageFixture.open(dir.path)).rejects.toThrow(
    `data directory ${dir.path} is in use by another zabtree server (pid ${String(child.pid)})`,
  );
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  const fixture = await StorageFixture.open(dir.path);
  await fixture.storage.close();
});

test("a second server in the same process is refused, and the first keeps its lock", async () => {
  const first = await StorageFixture.open(dir.path);
  for (let i = 0; i < 2; i++) {
    await expect(StorageFixture.open(dir.path)).rejects.toThrow(`(pid ${process.pid})`);
  }
  // Only another process can tell whether the kernel still has the lock.
  const check = `
    const { DirectoryLock } = await import(${JSON.stringify(new URL("directory-lock.ts", import.meta.url).href)});
    new DirectoryLock(process.argv[1]);
  `;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", check, dir.path], { encoding: "utf8" });
  expect(stderr).toContain(`is in use by another zabtree server (pid ${process.pid})`);
  await first.storage.close();
});

test("the directory and its files are closed to other users", async () => {
  const fixture = await StorageFixture.open(dir.path);
  expect(statSync(dir.path).mode & 0o777).toBe(0o700);
  for (const name of ["log.db", "log.db-wal", "lock.db", "watermark"]) {
    expect(statSync(join(dir.path, name)).mode & 0o777).toBe(0o600);
  }
  await fixture.storage.close();
});

test("a directory of another server is refused", async () => {
  const first = await StorageFixture.open(dir.path);
  await first.storage.close();
  await expect(StorageFixture.open(dir.path, { serverId: 2 })).rejects.toThrow("belongs to server 1, not server 2");
});

test("files of another kind or another version are refused", async () => {
  const first = await StorageFixture.open(dir.path);
  await first.storage.close();
  const path = join(dir.path, "log.db");
  const db = new Database(path);
  db.pragma("user_version = 9");
  await expect(StorageFixture.open(dir.path)).rejects.toThrow(
    `${path} has version 9 of the transaction log format; this zabtree reads version 2`,
  );
  db.pragma("application_id = 9");
  await expect(StorageFixture.open(dir.path)).rejects.toThrow(`${path} is not a zabtree transaction log`);
  db.close();
});
