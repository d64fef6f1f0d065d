import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openForWriting, type Connection } from "./database.ts";
import { LogChain } from "./log-chain.ts";
import { scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { LogStore } from "./log-store.ts";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let db: Connection;
let store: LogStore;
let history: SampleHistory;
beforeEach(() => {
  dir = temporaryDirectory();
  db = openForWriting(join(dir.path, "log.db"), logFile);
  store = new LogStore(db);
  history = new SampleHistory();
  history.found();
  history.create("/a", bytesOf("abc"));
  history.write({
    kind: "multi",
    operations: [1, 2, 3].map((i) => ({ kind: "create", path: `/m${i}`, data: null, mode: 1, acl: null })),
  });
  history.set("/a", bytesOf("def"));
  history.set("/a", null);
  append();
});
afterEach(() => {
  db.close();
  dir.remove();
});

function append(): void {
  store.beginBatch();
  store.append(history.takeStep());
  store.commitBatch();
}

function verify(): void {
  const chain = new LogChain({ zxid: 0, epoch: 0, crc: 0 });
  for (const stored of scanLog(db, 0, history.zxid)) chain.verify(stored);
  expect(chain.zxid).toBe(history.zxid);
}

test("an intact log verifies", () => {
  verify();
});

const damage: [string, string, RegExp][] = [
  ["a changed byte of data", "UPDATE proposal SET data = 'abd' WHERE zxid = 2", /row 0 of transaction 2 fails/],
  ["a changed number", "UPDATE proposal SET seq = 1 WHERE zxid = 4", /row 0 of transaction 4 fails/],
  ["a changed text", "UPDATE proposal SET path = '/b' WHERE zxid = 4", /row 0 of transaction 4 fails/],
  ["empty data for none", "UPDATE proposal SET data = x'' WHERE zxid = 5", /row 0 of transaction 5 fails/],
  ["a missing transaction", "DELETE FROM proposal WHERE zxid = 4", /transaction 5 follows transaction 3/],
  ["a missing first operation", "DELETE FROM proposal WHERE zxid = 3 AND op = 0", /row 0 of transaction 3 is missing/],
  ["a missing middle operation", "DELETE FROM proposal WHERE zxid = 3 AND op = 1", /row 1 of transaction 3 is missing/],
  ["a missing last operation", "DELETE FROM proposal WHERE zxid = 3 AND op = 2", /row 2 of transaction 3 is missing/],
  ["a cut multi", "DELETE FROM proposal WHERE (zxid, op) > (3, 1)", /row 2 of transaction 3 is missing/],
  [
    "a multi cut and made to look whole",
    "DELETE FROM proposal WHERE zxid = 3 AND op = 2; UPDATE proposal SET count = 2 WHERE zxid = 3",
    /row 0 of transaction 3 fails/,
  ],
  ["an unknown format", "UPDATE proposal SET format = 9 WHERE zxid = 4", /transaction 4 has the unknown format 9/],
];

test.each(damage)("the chain detects %s", (_, sql, message) => {
  // Through the data only: the checksum is what must notice.
  db.pragma("ignore_check_constraints = ON");
  db.exec(sql.replace("'abd'", "x'616264'"));
  expect(verify).toThrow(message);
});

test("a row written over with a valid one of another history is detected at the next", () => {
  const other = new SampleHistory();
  other.found();
  other.create("/a", bytesOf("xyz"));
  const otherDb = openForWriting(join(dir.path, "other.db"), logFile);
  const otherStore = new LogStore(otherDb);
  otherStore.beginBatch();
  otherStore.append(other.takeStep());
  otherStore.commitBatch();
  otherDb.close();
  db.exec(`ATTACH '${join(dir.path, "other.db")}' AS other`);
  db.exec("REPLACE INTO proposal SELECT * FROM other.proposal WHERE zxid = 2");
  expect(verify).toThrow(/row 0 of transaction 3 fails/);
});

test("what does not continue the log is refused before it is written", () => {
  const step = new SampleHistory();
  step.found();
  expect(() => store.append(step.takeStep())).toThrow("transaction 1 is appended after 5");
  history.create("/gap", null);
  history.takeStep();
  history.create("/after-gap", null);
  expect(() => store.append(history.takeStep())).toThrow("transaction 7 is appended after 5");
});

test("an older epoch does not follow a newer one", () => {
  history.epoch = 0;
  history.create("/old", null);
  expect(() => store.append(history.takeStep(5))).toThrow("transaction 6 of epoch 0 follows epoch 1");
});
