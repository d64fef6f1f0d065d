import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, encoded, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let fixture: StorageFixture;
let history: SampleHistory;
beforeEach(async () => {
  dir = temporaryDirectory();
  fixture = await StorageFixture.open(dir.path);
  history = new SampleHistory();
  await fixture.establish();
  history.found();
  for (let i = 0; i < 20; i++) history.create(`/n${i}`, bytesOf("x".repeat(i * 10)));
  await fixture.append(history);
});
afterEach(async () => {
  await fixture.storage.close();
  dir.remove();
});

test("reads exactly the range asked for", async () => {
  const result = await fixture.history(4, 9);
  if (result.kind !== "read") throw new Error(result.kind);
  expect(encoded(result.txns)).toEqual(encoded(history.txns.slice(4, 9)));
});

test("stops when it has enough, and goes on from there", async () => {
  const txns = [];
  let reads = 0;
  for (let after = 0; after < history.zxid; reads++) {
    const result = await fixture.history(after, history.zxid, 300);
    if (result.kind !== "read") throw new Error(result.kind);
    expect(result.txns.length).toBeGreaterThan(0);
    txns.push(...result.txns);
    after = txns.length;
  }
  expect(encoded(txns)).toEqual(encoded(history.txns));
  expect(reads).toBeGreaterThan(3);
});

test("rebuilds one transaction", async () => {
  const result = await fixture.history(6, 7);
  if (result.kind !== "read") throw new Error(result.kind);
  expect(result.txns.map((txn) => txn.ops[0]!.path)).toEqual(["/n5"]);
});

test("other servers are given what lies before damage, and then sent for a checkpoint", async () => {
  const damage: string[] = [];
  await fixture.storage.close();
  const db = new Database(join(dir.path, "log.db"));
  db.exec("UPDATE proposal SET seq = 99 WHERE zxid = 12");
  db.close();
  fixture = await StorageFixture.open(dir.path, { onDamage: (error) => damage.push(error.message) });
  const { source } = fixture.storage;
  expect(await fixture.readLog(4)).toEqual({
    bytes: encoded(history.txns.slice(4, 11)),
    firstZxid: 5,
    boundaries: [{ zxid: 11, epoch: 1 }],
  });
  expect(source.oldestZxid).toBe(1);
  expect(await fixture.readLog(11)).toBeUndefined();
  expect(source.oldestZxid).toBe(13);
  expect(damage).toEqual(["row 0 of transaction 12 fails its checksum"]);
  expect((await fixture.readLog(12))!.boundaries).toEqual([{ zxid: 21, epoch: 1 }]);
  expect((await fixture.storage.prepareSnapshot())!.at.zxid).toBe(21);
});
