import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

/** A directory with a few znodes, cleanly closed. */
async function cleanDirectory(): Promise<SampleHistory> {
  const fixture = await StorageFixture.open(dir.path);
  const history = new SampleHistory();
  await fixture.establish();
  history.found();
  const session = history.openSession();
  for (let i = 0; i < 10; i++) history.create(`/n${i}`, bytesOf(`value ${i}`), session);
  history.create("/n3/below", null);
  // The commit point in memory is further than the stored one.
  await fixture.append(history, 2);
  await fixture.storage.close({ zxid: history.zxid, epoch: history.epoch });
  return history;
}

test("a clean close folds the checkpoint to the commit point and leaves files that stand alone", async () => {
  const history = await cleanDirectory();
  for (const name of ["log.db", "tree.db"]) {
    for (const suffix of ["-wal", "-shm"]) expect(existsSync(join(dir.path, name + suffix))).toBe(false);
  }
  const log = new Database(join(dir.path, "log.db"), { readonly: true });
  const tree = new Database(join(dir.path, "tree.db"), { readonly: true });
  expect(tree.prepare("SELECT zxid FROM state").pluck().get()).toBe(history.zxid);
  expect(tree.prepare("SELECT digest FROM state").pluck().get()).toBe(history.tree.digest);
  expect(log.prepare("SELECT max(zxid) FROM txn").pluck().get()).toBe(history.zxid);
  const created = log.prepare("SELECT path FROM txn WHERE kind = 'create' ORDER BY path").pluck().all();
  const reserved = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
  expect(tree.prepare("SELECT path FROM znode_path ORDER BY path").pluck().all()).toEqual([
    ...reserved.slice(0, 1),
    ...created,
    ...reserved.slice(1),
  ]);
  log.close();
  tree.close();
});

test("a start after a clean close replays nothing and has the same state", async () => {
  const history = await cleanDirectory();
  const log = new Database(join(dir.path, "log.db"));
  // Without rows to replay, only the checkpoint can tell.
  expect(log.prepare("DELETE FROM proposal WHERE zxid < ?").run(history.zxid).changes).toBeGreaterThan(10);
  log.close();
  const fixture = await StorageFixture.open(dir.path);
  const { recovered } = fixture.storage;
  expect(recovered.tree.digest).toBe(history.tree.digest);
  expect(recovered.sessions.digest()).toBe(history.sessions.digest());
  expect(recovered.durable.committed).toEqual({ zxid: history.zxid, epoch: 1 });
  await fixture.storage.close();
});

test("a damaged checkpoint is put aside and rebuilt from the log", async () => {
  const history = await cleanDirectory();
  const tree = new Database(join(dir.path, "tree.db"));
  tree.exec("UPDATE znode SET version = version + 1 WHERE name = 'n4'");
  tree.close();
  const damage: Error[] = [];
  const fixture = await StorageFixture.open(dir.path, { onDamage: (error) => damage.push(error) });
  expect(damage.map((error) => error.message)).toEqual([expect.stringMatching(/znode \d+ in tree.db is damaged/)]);
  expect(fixture.storage.recovered.tree.digest).toBe(history.tree.digest);
  expect(existsSync(join(dir.path, "tree.damaged.db"))).toBe(true);
  await fixture.storage.close();
});

test("a checkpoint of another history is refused", async () => {
  const history = await cleanDirectory();
  const tree = new Database(join(dir.path, "log.db"));
  tree.exec(`UPDATE proposal SET crc = crc + 1 WHERE zxid = ${history.zxid}`);
  tree.close();
  await expect(StorageFixture.open(dir.path)).rejects.toThrow(/fails its checksum/);
});

test("the checkpoint follows a running server", async () => {
  const fixture = await StorageFixture.open(dir.path, { checkpoint: { behindTransactions: 10, behindMs: 60_000 } });
  const history = new SampleHistory();
  await fixture.establish();
  history.found();
  for (let i = 0; i < 100; i++) history.create(`/n${i}`, null);
  await fixture.append(history);
  await fixture.commit(history);
  await expect.poll(() => fixture.storage.stats().checkpointZxid, { timeout: 5000 }).toBe(history.zxid);
  expect(fixture.failures).toEqual([]);
  await fixture.storage.close();
});
