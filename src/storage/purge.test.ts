import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openForWriting } from "./database.ts";
import { chainPointAt, scanLog } from "./log-scan.ts";
import { LogChain } from "./log-chain.ts";
import { logFile } from "./log-schema.ts";
import { readLogState } from "./log-state.ts";
import { LogStore } from "./log-store.ts";
import { purgeable, type Retention } from "./retention.ts";
import { Scrub } from "./scrub.ts";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

const everything: Retention = { milliseconds: 0, transactions: 100, bytes: 1e12 };

/** A server that has purged its log, cleanly closed. */
async function purgedDirectory(): Promise<SampleHistory> {
  const fixture = await StorageFixture.open(dir.path, {
    checkpoint: { behindTransactions: 10, behindMs: 20 },
    retention: everything,
  });
  const history = new SampleHistory();
  await fixture.establish();
  history.found();
  for (let i = 0; i < 1000; i++) history.create(`/n${i}`, bytesOf(`value ${i}`));
  await fixture.append(history);
  await fixture.commit(history);
  await expect.poll(() => fixture.storage.stats().oldestZxid, { timeout: 10_000 }).toBe(history.zxid - 100 + 1);
  expect(await fixture.history(10, 20)).toEqual({ kind: "truncated", oldestZxid: history.zxid - 99 });
  const rest = await fixture.history(history.zxid - 100, history.zxid);
  expect(rest.kind === "read" && rest.txns.length).toBe(100);
  expect(fixture.failures).toEqual([]);
  await fixture.storage.close();
  return history;
}

test("a purge leaves a log that verifies, a checkpoint, and an older copy the log continues", async () => {
  const history = await purgedDirectory();
  const log = new Database(join(dir.path, "log.db"), { readonly: true });
  const state = readLogState(log);
  const older = new Database(join(dir.path, "tree.old.db"), { readonly: true });
  expect(older.prepare("SELECT zxid FROM state").pluck().get()).toBeGreaterThanOrEqual(state.log_start - 1);
  const chain = new LogChain(chainPointAt(log, state, state.log_start - 1));
  for (const stored of scanLog(log, state.log_start - 1, history.zxid)) chain.verify(stored);
  expect(chain.zxid).toBe(history.zxid);
  log.close();
  older.close();
  const fixture = await StorageFixture.open(dir.path);
  expect(fixture.storage.recovered.tree.digest).toBe(history.tree.digest);
  await fixture.storage.close();
});

test("when tree.db is rotten, the older copy and the log rebuild it", async () => {
  const history = await purgedDirectory();
  writeFileSync(join(dir.path, "tree.db"), "rotten");
  const damage: Error[] = [];
  const fixture = await StorageFixture.open(dir.path, { onDamage: (error) => damage.push(error) });
  expect(damage).toHaveLength(1);
  expect(fixture.storage.recovered.tree.digest).toBe(history.tree.digest);
  expect(existsSync(join(dir.path, "tree.damaged.db"))).toBe(true);
  await fixture.storage.close();
});

test("without any checkpoint a purged log is refused", async () => {
  await purgedDirectory();
  rmSync(join(dir.path, "tree.db"));
  rmSync(join(dir.path, "tree.old.db"));
  await expect(StorageFixture.open(dir.path)).rejects.toThrow(
    "tree.db is missing, and the log no longer reaches back to the beginning",
  );
});

function logOf(transactions: number): {
  store: LogStore;
  db: ReturnType<typeof openForWriting>;
  history: SampleHistory;
} {
  const db = openForWriting(join(dir.path, "log.db"), logFile);
  const store = new LogStore(db);
  const history = new SampleHistory();
  history.found();
  while (history.zxid < transactions) history.create(`/n${history.zxid}`, bytesOf("x".repeat(1000)));
  store.beginBatch();
  store.append(history.takeStep());
  store.commitBatch();
  return { store, db, history };
}

test("the log is kept while it is young, or among the newest, but never above its size", () => {
  const { db, history } = logOf(500);
  const now = history.time;
  const keepAll = { milliseconds: 1e9, transactions: 1e9, bytes: 1e12 };
  expect(purgeable(db, keepAll, now)).toBe(0);
  expect(purgeable(db, { ...keepAll, transactions: 100 }, now)).toBe(0);
  expect(purgeable(db, { ...keepAll, milliseconds: 100 }, now)).toBe(0);
  // One transaction a millisecond.
  expect(purgeable(db, { ...keepAll, transactions: 100, milliseconds: 200 }, now)).toBe(299);
  expect(purgeable(db, { ...keepAll, transactions: 300, milliseconds: 200 }, now)).toBe(200);
  // Too little to be worth it.
  expect(purgeable(db, { ...keepAll, transactions: 450, milliseconds: 0 }, now)).toBe(0);
  const half = (Number(db.pragma("page_count", { simple: true })) * 4096) / 2;
  expect(purgeable(db, { ...keepAll, bytes: half }, now)).toBeGreaterThan(250);
  // The last committed transaction always stays.
  expect(purgeable(db, { ...keepAll, bytes: 1 }, now)).toBe(history.zxid - 1);
  db.close();
});

test("a truncation cuts rows, ACLs and boundaries, and the log goes on from there", () => {
  const { db, store, history } = logOf(10);
  store.beginBatch();
  store.acceptEpoch(2);
  store.establishEpoch({ epoch: 2, last: { zxid: 10, epoch: 1 }, committed: { zxid: 10, epoch: 1 } });
  store.commitBatch();
  history.epoch = 2;
  history.create("/kept", null);
  const kept = history.takeStep(10);
  history.setAcl("/kept", [{ permissions: 31, scheme: "digest", id: "eve:x" }]);
  history.create("/cut", null);
  const cut = history.takeStep(10);
  store.beginBatch();
  store.append(kept);
  store.append(cut);
  store.establishEpoch({ epoch: 3, last: { zxid: 13, epoch: 2 }, committed: { zxid: 10, epoch: 1 } });
  store.commitBatch();
  expect(() => store.truncate({ zxid: 9, epoch: 1 })).toThrow("would cut committed transaction 10");
  store.beginBatch();
  store.truncate({ zxid: 11, epoch: 2 });
  store.commitBatch();
  expect(store.last).toEqual({ zxid: 11, epoch: 2 });
  expect(db.prepare("SELECT max(zxid) FROM proposal").pluck().get()).toBe(11);
  expect(db.prepare("SELECT count(*) FROM acl").pluck().get()).toBe(2);
  expect(db.prepare("SELECT epoch FROM epoch").pluck().all()).toEqual([1]);
  store.beginBatch();
  store.append(cut);
  store.commitBatch();
  const chain = new LogChain({ zxid: 0, epoch: 0, crc: 0 });
  for (const stored of scanLog(db, 0, 13)) chain.verify(stored);
  expect(chain.zxid).toBe(13);
  db.close();
});

test("the scrub finds a damaged row that nobody reads", () => {
  const { db } = logOf(1200);
  const scrub = new Scrub(db);
  const round = () => {
    while (!scrub.step());
  };
  round();
  db.exec("UPDATE proposal SET seq = seq + 1 WHERE zxid = 700");
  expect(round).toThrow("row 0 of transaction 700 fails its checksum");
  db.close();
});
