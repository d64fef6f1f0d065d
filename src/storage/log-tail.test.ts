import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { emptyWal, openForReading, openForWriting, type Connection } from "./database.ts";
import { LogChain, type ChainPoint } from "./log-chain.ts";
import { scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { LogStore } from "./log-store.ts";
import { logTail } from "./log-tail.ts";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let db: Connection;
let store: LogStore;
let history: SampleHistory;
const beginning: ChainPoint = { zxid: 0, epoch: 0, crc: 0 };
beforeEach(() => {
  dir = temporaryDirectory();
  db = openForWriting(join(dir.path, "log.db"), logFile);
  store = new LogStore(db);
  history = new SampleHistory();
  history.found();
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

/** All kinds of rows, some of which reach over several pages. */
function write(rounds: number): void {
  const session = history.openSession();
  for (let i = 0; i < rounds; i++) {
    history.create(`/a${i}`, bytesOf("é".repeat((i * 37) % 700)), session);
    history.set(`/a${i}`, i % 5 === 0 ? null : new Uint8Array(i % 41 === 0 ? 20_000 : i % 100).fill(i), session);
    if (i % 9 === 0) {
      const paths = [1, 2, 3].map((n) => `/a${i}/路${n}`);
      const creates = paths.map((path) => ({ kind: "create", path, data: null, mode: 1, acl: null }) as const);
      history.write({ kind: "multi", operations: creates }, session);
    }
    if (i % 50 === 49) append();
  }
  history.endSession(session);
  append();
}

interface Read {
  readonly bytes: Buffer;
  readonly point: ChainPoint;
}

function bySqlite(from: ChainPoint): Read {
  const chain = new LogChain(from);
  const bytes: Uint8Array[] = [];
  for (const stored of scanLog(db, from.zxid, history.zxid)) bytes.push(chain.verify(stored).slice());
  return { bytes: Buffer.concat(bytes), point: chain.point };
}

async function byTail(from: ChainPoint): Promise<Read> {
  const bytes: Uint8Array[] = [];
  let point = from;
  for await (const piece of logTail(db, from, history.zxid)) {
    bytes.push(piece.bytes);
    ({ point } = piece);
  }
  return { bytes: Buffer.concat(bytes), point };
}

/** The chain after a transaction. */
function pointAfter(zxid: number): ChainPoint {
  const chain = new LogChain(beginning);
  for (const stored of scanLog(db, 0, zxid)) chain.verify(stored);
  return chain.point;
}

async function expectSame(from: ChainPoint): Promise<void> {
  const expected = bySqlite(from);
  const found = await byTail(from);
  expect(found.point).toEqual(expected.point);
  expect(found.bytes.equals(expected.bytes)).toBe(true);
}

test("pages give the bytes that SQLite gives, from any transaction on", async () => {
  write(400);
  expect(emptyWal(db)).toBe(true);
  const { zxid } = history;
  for (const from of [0, 1, 2, 3, 17, 100, 101, 102, 500, zxid - 12, zxid - 1, zxid]) {
    await expectSame(pointAfter(from));
  }
});

test("a long tail is read in a thread, in several pieces", async () => {
  write(3000);
  expect(emptyWal(db)).toBe(true);
  expect(history.zxid).toBeGreaterThan(5000);
  await expectSame(beginning);
});

test("while a foreign reader keeps the write-ahead log, SQLite reads it", async () => {
  const reader = openForReading(db.name, logFile);
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM proposal").get();
  write(200);
  expect(emptyWal(db, 10)).toBe(false);
  await expectSame(beginning);
  reader.close();
});

test("whoever stops early ends the thread", async () => {
  write(3000);
  emptyWal(db);
  for await (const piece of logTail(db, beginning, history.zxid)) {
    expect(piece.point.zxid).toBeGreaterThan(0);
    break;
  }
});

const damage: [string, string, RegExp][] = [
  ["a changed byte of data", "UPDATE proposal SET data = x'616264' WHERE zxid = 24", /row 0 of transaction 24 fails/],
  ["a changed number", "UPDATE proposal SET seq = 1 WHERE zxid = 24", /row 0 of transaction 24 fails/],
  ["a changed text", "UPDATE proposal SET path = '/b' WHERE zxid = 24", /row 0 of transaction 24 fails/],
  ["a missing transaction", "DELETE FROM proposal WHERE zxid = 24", /transaction 25 follows transaction 23/],
  ["a missing first operation", "DELETE FROM proposal WHERE zxid = 5 AND op = 0", /row 0 of transaction 5 is missing/],
  ["a missing middle operation", "DELETE FROM proposal WHERE zxid = 5 AND op = 1", /row 1 of transaction 5 is missing/],
  ["a missing last operation", "DELETE FROM proposal WHERE zxid = 5 AND op = 2", /row 2 of transaction 5 is missing/],
  ["a cut multi", "DELETE FROM proposal WHERE (zxid, op) > (5, 1)", /row 2 of transaction 5 is missing/],
  ["a missing end", "DELETE FROM proposal WHERE zxid > 30", /end at transaction 30/],
  [
    "a multi cut and made to look whole",
    "DELETE FROM proposal WHERE zxid = 5 AND op = 2; UPDATE proposal SET count = 2 WHERE zxid = 5",
    /row 0 of transaction 5 fails/,
  ],
  ["an unknown format", "UPDATE proposal SET format = 9 WHERE zxid = 24", /transaction 24 has the unknown format 9/],
  ["an older epoch", "UPDATE proposal SET epoch = 0 WHERE zxid = 24", /transaction 24 of epoch 0 follows epoch 1/],
];

test.each(damage)("notices %s, and gives what comes before it", async (_, sql, message) => {
  write(20);
  db.exec(sql);
  emptyWal(db);
  const reached: number[] = [];
  const read = async (): Promise<void> => {
    for await (const { point } of logTail(db, beginning, history.zxid)) reached.push(point.zxid);
  };
  await expect(read()).rejects.toThrow(message);
  expect(reached).toEqual([expect.any(Number)]);
  const named = Number(/transaction (\d+)/.exec(String(message))![1]);
  expect(reached[0]).toBeGreaterThanOrEqual(named - 2);
});
