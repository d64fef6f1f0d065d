/** What a start does when the disk lost or spoiled something: it refuses, names it, and goes on only when told to. */
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";
import { Watermark } from "./watermark.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let crashed: string;
let history: SampleHistory;
beforeEach(async () => {
  dir = temporaryDirectory();
  crashed = join(dir.path, "crashed");
  history = new SampleHistory();
  const live = join(dir.path, "live");
  const fixture = await StorageFixture.open(live);
  await fixture.establish();
  history.found();
  for (let i = 0; i < 20; i++) {
    history.create(`/n${i}`, bytesOf(`value ${i}`));
    await fixture.append(history);
  }
  await expect.poll(() => watermarkOf(live)).toBe(history.zxid);
  // The files as they are while the server runs: what a crash leaves.
  cpSync(live, crashed, { recursive: true });
  rmSync(join(crashed, "log.db-shm"));
  await fixture.storage.close();
});
afterEach(() => dir.remove());

function watermarkOf(path: string): number {
  const watermark = new Watermark(join(path, "watermark"));
  watermark.close();
  return watermark.current.zxid;
}

/** Changes bytes near the end of the WAL, as a torn write does. */
function tearWal(fromEnd: number): void {
  const path = join(crashed, "log.db-wal");
  const bytes = readFileSync(path);
  expect(statSync(path).size).toBeGreaterThan(fromEnd);
  bytes[bytes.length - fromEnd] = bytes[bytes.length - fromEnd]! ^ 0x55;
  writeFileSync(path, bytes);
}

test("a crash alone loses nothing", async () => {
  const fixture = await StorageFixture.open(crashed);
  expect(fixture.storage.recovered.durable.last.zxid).toBe(history.zxid);
  await fixture.storage.close();
});

test("a torn tail of the WAL, which SQLite drops without a word, is noticed and named", async () => {
  tearWal(100);
  const missing = /^acknowledged transactions are missing: (\d+) to 21 of epoch 1 \(the log ends at \d+ of epoch 1\)/;
  await expect(StorageFixture.open(crashed)).rejects.toThrow(missing);
  // Refusing is no repair: it is the same at the next start.
  await expect(StorageFixture.open(crashed)).rejects.toThrow("--accept-loss");
});

test("with the loss accepted the server goes on without the missing transactions", async () => {
  tearWal(100);
  const fixture = await StorageFixture.open(crashed, { acceptLoss: true });
  const { recovered } = fixture.storage;
  expect(recovered.durable.last.zxid).toBeLessThan(history.zxid);
  expect(recovered.durable.last.zxid).toBeGreaterThan(10);
  const { tree, sessions, lastTime } = recovered;
  const { last } = recovered.durable;
  const next = new SampleHistory({ tree, sessions, zxid: last.zxid, time: lastTime });
  next.epoch = await fixture.establish();
  next.create("/after", null);
  await fixture.append(next);
  await fixture.storage.close();
  const again = await StorageFixture.open(crashed);
  expect(again.storage.recovered.durable.last.zxid).toBe(next.zxid);
  await again.storage.close();
});

test("a lost log is noticed, and with the loss accepted continues from the checkpoint", async () => {
  const first = await StorageFixture.open(crashed);
  await first.storage.close({ zxid: history.zxid, epoch: 1 });
  rmSync(join(crashed, "log.db"));
  await expect(StorageFixture.open(crashed)).rejects.toThrow(
    "acknowledged transactions are missing: 1 to 21 of epoch 1 (the log is empty)",
  );
  rmSync(join(crashed, "watermark"));
  await expect(StorageFixture.open(crashed)).rejects.toThrow("acknowledged transactions are missing: 1 to 21");

  const fixture = await StorageFixture.open(crashed, { acceptLoss: true });
  const { recovered } = fixture.storage;
  expect(recovered.tree.digest).toBe(history.tree.digest);
  expect(recovered.durable.last).toEqual({ zxid: 21, epoch: 1 });
  expect(recovered.durable.currentEpoch).toBe(1);
  const { tree, sessions, lastTime } = recovered;
  const { last } = recovered.durable;
  const next = new SampleHistory({ tree, sessions, zxid: last.zxid, time: lastTime });
  next.epoch = await fixture.establish();
  next.create("/after", null);
  await fixture.append(next);
  expect(await fixture.history(20, 22)).toEqual({ kind: "truncated", oldestZxid: 22 });
  await fixture.storage.close({ zxid: next.zxid, epoch: 2 });
  const again = await StorageFixture.open(crashed);
  expect(again.storage.recovered.tree.digest).toBe(next.tree.digest);
  await again.storage.close();
});

test("damage in the middle of the log is refused, never cut off", async () => {
  const db = new Database(join(crashed, "log.db"));
  db.exec("UPDATE proposal SET data = x'00' WHERE zxid = 7");
  db.close();
  await expect(StorageFixture.open(crashed)).rejects.toThrow("row 0 of transaction 7 fails its checksum");
  await expect(StorageFixture.open(crashed, { acceptLoss: true })).rejects.toThrow("transaction 7 fails its checksum");
  const after = new Database(join(crashed, "log.db"));
  expect(after.prepare("SELECT max(zxid) FROM proposal").pluck().get()).toBe(history.zxid);
  after.close();
});

test("a missing committed transaction at the end is refused, even without a watermark", async () => {
  const db = new Database(join(crashed, "log.db"));
  db.exec(`DELETE FROM proposal WHERE zxid >= ${history.zxid - 2}`);
  db.close();
  rmSync(join(crashed, "watermark"));
  await expect(StorageFixture.open(crashed)).rejects.toThrow("transactions 19 to 21 are missing from the log");
});

test("a foreign reader that keeps both write-ahead logs does not keep the server from starting", async () => {
  const first = await StorageFixture.open(crashed);
  await first.storage.close({ zxid: history.zxid, epoch: 1 });
  const readers = ["log.db", "tree.db"].map((name) => {
    const path = join(crashed, name);
    const writer = new Database(path);
    writer.exec("UPDATE state SET id = id");
    const reader = new Database(path, { readonly: true });
    reader.exec("BEGIN; SELECT * FROM state");
    writer.exec("UPDATE state SET id = id");
    writer.close();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    return reader;
  });
  const fixture = await StorageFixture.open(crashed);
  expect(fixture.storage.recovered.tree.digest).toBe(history.tree.digest);
  expect(fixture.storage.recovered.durable.last.zxid).toBe(history.zxid);
  await fixture.storage.close();
  for (const reader of readers) reader.close();
});
