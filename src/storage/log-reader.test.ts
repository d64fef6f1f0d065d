import { afterEach, beforeEach, expect, test } from "vitest";
import { openLogReader, type LogReader } from "./log-reader.ts";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let fixture: StorageFixture;
let history: SampleHistory;
let reader: LogReader;
let session: number;
beforeEach(async () => {
  dir = temporaryDirectory();
  fixture = await StorageFixture.open(dir.path);
  history = new SampleHistory();
  await fixture.establish();
  history.found();
  session = history.openSession();
  history.create("/app", bytesOf("one"), session);
  history.create("/app/a_b", null, session);
  history.create("/apple", new Uint8Array(0));
  history.set("/app", bytesOf("two"), session);
  history.create("/app", null, session);
  await fixture.append(history, 0);
  reader = openLogReader(dir.path);
});
afterEach(async () => {
  reader.close();
  await fixture.storage.close();
  dir.remove();
});

test("rows read as words, times and text, while the server runs", async () => {
  await fixture.commit(history);
  const rows = [...reader.transactions()];
  expect(rows.map((row) => row.kind)).toEqual([
    ...["found", "open_session", "create", "create", "create", "set_data", "rejected"],
  ]);
  expect(rows[2]).toMatchObject({
    zxid: 3,
    op: 0,
    epoch: 1,
    time: "2023-11-14T22:13:20.003Z",
    time_ms: 1_700_000_000_003,
    session,
    seq: 1,
    request: "create",
    cause: "request",
    code: "OK",
    mode: "persistent",
    path: "/app",
    znode_kind: "persistent",
    acl: "world:anyone:rwcda",
  });
  expect(rows[6]).toMatchObject({ request: "create", kind: "rejected", code: "NODE_EXISTS" });
  expect(String(rows[5]!.data)).toBe("two");
  expect([rows[3]!.data, rows[4]!.data?.length]).toEqual([null, 0]);
});

test("ends at the stored commit point, as the view does", async () => {
  expect([...reader.transactions()]).toEqual([]);
  expect(reader.committedZxid).toBe(0);
  await fixture.commit(history);
  expect(reader.committedZxid).toBe(7);
  history.create("/later", null);
  await fixture.append(history, 7);
  expect([...reader.transactions()].at(-1)!.zxid).toBe(7);
});

test("selects ranges, subtrees and a number of rows", async () => {
  await fixture.commit(history);
  expect([...reader.transactions({ from: 3, to: 5 })].map((row) => row.zxid)).toEqual([3, 4, 5]);
  expect([...reader.transactions({ pathPrefix: "/app" })].map((row) => row.path)).toEqual(["/app", "/app/a_b", "/app"]);
  expect([...reader.transactions({ limit: 2 })].map((row) => row.zxid)).toEqual([1, 2]);
});

test("pages through transactions of any size", async () => {
  const operations = Array.from({ length: 300 }, (_, i) => {
    return { kind: "create", path: `/m${i}`, data: null, mode: 1, acl: null } as const;
  });
  history.write({ kind: "multi", operations });
  await fixture.append(history);
  await fixture.commit(history);
  const rows = [...reader.transactions({ from: 8 })];
  expect(rows.map((row) => row.op)).toEqual(operations.map((_, i) => i));
});

test("a directory without a log is refused", () => {
  expect(() => openLogReader("/nonexistent")).toThrow("there is no log.db in /nonexistent");
});
