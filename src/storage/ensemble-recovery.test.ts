/** What a member of an ensemble does about damage and losses: it keeps what is proved, and starts as one that must not count. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { historyAt } from "../../test/support/storage-scenarios.ts";
import { SampleHistory, sampleClusterId } from "./testing/sample-history.ts";
import { bytesOf, decoded, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";
import { Watermark } from "./watermark.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let data: string;
let history: SampleHistory;
let damage: string[];
beforeEach(async () => {
  dir = temporaryDirectory();
  data = join(dir.path, "data");
  damage = [];
  history = new SampleHistory();
  const fixture = await StorageFixture.open(data);
  await fixture.establish();
  history.found();
  for (let i = 0; i < 29; i++) history.create(`/n${i}`, bytesOf(`value ${i}`));
  await fixture.append(history, 20);
  await fixture.storage.close();
});
afterEach(() => dir.remove());

const open = (): Promise<StorageFixture> => {
  return StorageFixture.open(data, { ensemble: true, onDamage: (error) => damage.push(error.message) });
};

function edit(file: string, sql: string): void {
  const db = new Database(join(data, file));
  db.exec(sql);
  db.close();
}

function spoil(file: string): void {
  const bytes = readFileSync(join(data, file));
  bytes.fill(0x55, 0, 4096);
  writeFileSync(join(data, file), bytes);
}

/** Only tree.db, as of 20, has what came before. */
function forgetEarlyLog(): void {
  const db = new Database(join(data, "log.db"));
  const { epoch, crc } = db.prepare("SELECT epoch, crc FROM proposal WHERE zxid = 15").get() as {
    epoch: number;
    crc: number;
  };
  db.exec("DELETE FROM proposal WHERE zxid <= 15");
  db.exec(`UPDATE state SET log_start = 16, log_start_epoch = ${epoch}, log_start_crc = ${crc}`);
  db.close();
}

/** Opens it once more: what was found must be the same, and nothing new is said to be damaged. */
async function opensAgainLike(before: StorageFixture): Promise<void> {
  const { durable, tree } = before.storage.recovered;
  await before.storage.close();
  damage = [];
  const again = await open();
  expect(again.storage.recovered.durable).toEqual(durable);
  expect(again.storage.recovered.tree.digest).toBe(tree.digest);
  await again.storage.close();
}

/** A later synchronization ends it. */
async function isWholeAfterSync(): Promise<void> {
  const fixture = await open();
  const { tree, sessions, lastTime, durable } = fixture.storage.recovered;
  for (const txn of decoded(durable.tail)) for (const op of txn.ops) tree.apply(txn.zxid, op);
  const next = new SampleHistory({ tree, sessions, zxid: durable.last.zxid, time: lastTime });
  next.epoch = await fixture.establish();
  if (durable.last.zxid === 0) next.found();
  next.create("/synchronized", null);
  await fixture.append(next);
  await fixture.storage.close();
  const again = await open();
  expect(again.storage.recovered.durable).toMatchObject({ recovering: undefined, last: { zxid: next.zxid } });
  await again.storage.close();
}

test("a damaged row and what follows it are cut off; what comes before stays", async () => {
  edit("log.db", "UPDATE proposal SET data = x'00' WHERE zxid = 25");
  const fixture = await open();
  const { durable, tree } = fixture.storage.recovered;
  expect(durable).toMatchObject({
    last: { zxid: 24, epoch: 1 },
    committed: { zxid: 20, epoch: 1 },
    recovering: "row 0 of transaction 25 fails its checksum",
    currentEpoch: 1,
  });
  expect(damage).toEqual(["row 0 of transaction 25 fails its checksum"]);
  expect(tree.digest).toBe(historyAt(history, 20).tree.digest);
  await opensAgainLike(fixture);
  await isWholeAfterSync();
});

test("a damaged row that was committed takes the commit point back", async () => {
  rmSync(join(data, "tree.db"));
  edit("log.db", "UPDATE proposal SET seq = 7 WHERE zxid = 12");
  const fixture = await open();
  const { durable, tree } = fixture.storage.recovered;
  expect(durable).toMatchObject({ last: { zxid: 11, epoch: 1 }, committed: { zxid: 11, epoch: 1 } });
  expect(durable.recovering).toContain("transaction 12");
  expect(tree.digest).toBe(historyAt(history, 11).tree.digest);
  await opensAgainLike(fixture);
  await isWholeAfterSync();
});

test("committed rows that are missing at the end", async () => {
  rmSync(join(data, "tree.db"));
  rmSync(join(data, "watermark"));
  edit("log.db", "DELETE FROM proposal WHERE zxid > 18");
  const fixture = await open();
  expect(fixture.storage.recovered.durable).toMatchObject({
    committed: { zxid: 18, epoch: 1 },
    recovering: "transactions 19 to 20 are missing from the log",
  });
  await opensAgainLike(fixture);
});

test("a log that cannot be read makes way for a new one after the checkpoint", async () => {
  spoil("log.db");
  const fixture = await open();
  const { durable, tree } = fixture.storage.recovered;
  expect(durable).toMatchObject({
    clusterId: sampleClusterId,
    last: { zxid: 20, epoch: 1 },
    committed: { zxid: 20, epoch: 1 },
    boundaries: [{ zxid: 20, epoch: 1 }],
    logStart: 21,
    // All that is known of it: the watermark and the checkpoint speak of epoch 1.
    acceptedEpoch: 1,
  });
  expect(durable.recovering).toMatch(/cannot read .*log\.db/);
  expect(tree.digest).toBe(historyAt(history, 20).tree.digest);
  expect(existsSync(join(data, "log.damaged.db"))).toBe(true);
  await opensAgainLike(fixture);
  await isWholeAfterSync();
});

test("promises in a log that cannot be used are kept", async () => {
  edit("log.db", "UPDATE state SET accepted_epoch = 9; INSERT INTO member_ack VALUES (2, 15, 1)");
  edit("log.db", "INSERT INTO epoch VALUES (7, 25)");
  const fixture = await open();
  expect(fixture.storage.recovered.durable).toMatchObject({
    acceptedEpoch: 9,
    memberAcks: [{ member: 2, position: { zxid: 15, epoch: 1 } }],
    last: { zxid: 20, epoch: 1 },
    recovering: "the ends of epochs in log.db are not those of its rows",
  });
  await opensAgainLike(fixture);
});

test("a lost log leaves the checkpoint", async () => {
  rmSync(join(data, "log.db"));
  const fixture = await open();
  expect(fixture.storage.recovered.durable).toMatchObject({ committed: { zxid: 20, epoch: 1 }, logStart: 21 });
  expect(fixture.storage.recovered.durable.recovering).toContain("1 to 30");
  await opensAgainLike(fixture);
});

test("a checkpoint that the log cannot replace, damaged, leaves nothing; the files stay for the operator", async () => {
  forgetEarlyLog();
  edit("tree.db", "UPDATE znode SET version = version + 1 WHERE name = 'n4'");
  const fixture = await open();
  expect(fixture.storage.recovered.durable).toMatchObject({
    clusterId: "",
    last: { zxid: 0, epoch: 0 },
    committed: { zxid: 0, epoch: 0 },
    logStart: 1,
    acceptedEpoch: 1,
  });
  expect(fixture.storage.recovered.durable.recovering).toMatch(/znode \d+ in tree.db is damaged/);
  expect(fixture.storage.recovered.tree.count).toBe(4);
  expect(readdirSync(data)).toEqual(expect.arrayContaining(["log.damaged.db", "tree.damaged.db"]));
  await opensAgainLike(fixture);
  await isWholeAfterSync();
});

test("with everything damaged it begins empty", async () => {
  cpSync(join(data, "tree.db"), join(data, "tree.old.db"));
  for (const file of ["log.db", "tree.db", "tree.old.db"]) spoil(file);
  const fixture = await open();
  expect(fixture.storage.recovered.durable).toMatchObject({ last: { zxid: 0, epoch: 0 }, clusterId: "" });
  expect(fixture.storage.recovered.durable.recovering).toMatch(/cannot read .*log\.db/);
  await opensAgainLike(fixture);
});

test("a directory of which only the watermark is left", async () => {
  for (const file of ["log.db", "tree.db"]) rmSync(join(data, file));
  const fixture = await open();
  expect(fixture.storage.recovered.durable.recovering).toBe(
    "acknowledged transactions are missing: 1 to 30 of epoch 1 (the log is empty)",
  );
  await opensAgainLike(fixture);
});

test("as long as data are known to be lost, the watermark goes on saying so", async () => {
  edit("log.db", "UPDATE proposal SET data = x'00' WHERE zxid = 25");
  const fixture = await open();
  const { tree, sessions, lastTime } = fixture.storage.recovered;
  const next = new SampleHistory({ tree, sessions, zxid: 20, time: lastTime });
  fixture.storage.log.truncate(100, { zxid: 24, epoch: 1 });
  next.epoch = 2;
  await fixture.storage.close();
  const watermark = new Watermark(join(data, "watermark"));
  watermark.close();
  expect(watermark.current).toEqual({ zxid: 24, epoch: 1 });
});

test("a server that is alone refuses what a member would mark, and its mark, until the loss is accepted", async () => {
  edit("log.db", "UPDATE state SET recovering = 'server 2 knows better'");
  await expect(StorageFixture.open(data)).rejects.toThrow(/^server 2 knows better\. Restore .*--accept-loss/);
  const fixture = await StorageFixture.open(data, { acceptLoss: true });
  expect(fixture.storage.recovered.durable.recovering).toBeUndefined();
  await fixture.storage.close();
  await (await StorageFixture.open(data)).storage.close();
  edit("log.db", "UPDATE state SET base_zxid = 20, install = '{}'");
  await expect(StorageFixture.open(data)).rejects.toThrow("a checkpoint was being installed");
});

test("a member with the loss accepted counts", async () => {
  edit("log.db", "DELETE FROM proposal WHERE zxid > 22");
  const options = { ensemble: true, acceptLoss: true };
  const fixture = await StorageFixture.open(data, options);
  expect(fixture.storage.recovered.durable).toMatchObject({ last: { zxid: 22 }, recovering: undefined });
  await fixture.storage.close();
});

test("a checkpoint that is not the one being installed proves nothing about the log after it", async () => {
  // As if a checkpoint as of 25 had been installed, and tree.db, as of 20, had come back from somewhere.
  const db = new Database(join(data, "log.db"));
  const { crc } = db.prepare("SELECT crc FROM proposal WHERE zxid = 25").get() as { crc: number };
  db.exec("DELETE FROM proposal WHERE zxid <= 25");
  db.prepare(
    `UPDATE state SET base_zxid = 25, base_epoch = 1, base_crc = @crc, base_digest = 1, committed_zxid = 25,
       log_start = 26, log_start_epoch = 1, log_start_crc = @crc, install = '{}'`,
  ).run({ crc });
  db.close();
  const fixture = await open();
  const { durable, tree } = fixture.storage.recovered;
  expect(durable).toMatchObject({ last: { zxid: 20, epoch: 1 }, logStart: 21 });
  expect(durable.recovering).toBe("tree.db is not the checkpoint that was being installed");
  expect(tree.digest).toBe(historyAt(history, 20).tree.digest);
  await opensAgainLike(fixture);
});

test("a log of version 1 is refused by name, also in an ensemble", async () => {
  edit("log.db", "PRAGMA user_version = 1");
  await expect(open()).rejects.toThrow(
    "log.db has version 1 of the transaction log format; this zabtree reads version 2",
  );
  expect(existsSync(join(data, "log.damaged.db"))).toBe(false);
});

test("files that cannot be reached right now are not taken for damaged", async () => {
  const lock = new Database(join(data, "log.db"));
  lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE state SET id = id");
  await expect(open()).rejects.toThrow(/cannot open .*log\.db|locked/);
  lock.exec("ROLLBACK");
  lock.close();
  expect(existsSync(join(data, "log.damaged.db"))).toBe(false);
  await (await open()).storage.close();
});

test("the checkpoint's transaction is known from the beginning", async () => {
  const fixture = await open();
  expect(fixture.storage.stats().checkpointZxid).toBe(20);
  await fixture.storage.close();
});
