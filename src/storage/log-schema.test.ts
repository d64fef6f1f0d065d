import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

const doc = readFileSync(new URL("../../docs/log.md", import.meta.url), "utf8");
let dir: ReturnType<typeof temporaryDirectory>;

beforeAll(async () => {
  dir = temporaryDirectory();
  const fixture = await StorageFixture.open(dir.path);
  const history = new SampleHistory();
  await fixture.establish();
  history.found();
  const session = history.openSession();
  history.create("/app", bytesOf("x"), session);
  history.create("/app", null, session);
  history.create("/app/lock-", null, session, 4);
  history.endSession(session, true);
  await fixture.append(history);
  await fixture.storage.close({ zxid: history.zxid, epoch: 1 });
});
afterAll(() => dir.remove());

/** The statements of the SQL blocks that follow a heading. */
function statementsUnder(heading: string): string[] {
  const section = doc.slice(doc.indexOf(`## ${heading}`)).split("\n## ", 1)[0]!;
  const blocks = [...section.matchAll(/```sql\n(.*?)```/gs)].map((match) => match[1]!);
  return blocks
    .join("\n")
    .split(";")
    .map((sql) => sql.trim())
    .filter((sql) => sql !== "");
}

test.each([
  ["Querying the log", "log.db", 6],
  ["Querying the checkpoint", "tree.db", 3],
])("the queries in docs/log.md work: %s", (heading, file, count) => {
  const statements = statementsUnder(heading);
  expect(statements).toHaveLength(count);
  const db = new Database(join(dir.path, file), { readonly: true });
  for (const sql of statements) expect(() => db.prepare(sql).all()).not.toThrow();
  db.close();
});

test("docs/log.md explains every table, and every column of the log", () => {
  for (const file of ["log.db", "tree.db"]) {
    const db = new Database(join(dir.path, file), { readonly: true });
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").pluck().all();
    for (const table of tables as string[]) expect(doc).toContain(`\`${table}\``);
    db.close();
  }
  const db = new Database(join(dir.path, "log.db"), { readonly: true });
  const columns = db.prepare(
    "SELECT name FROM pragma_table_info('txn') UNION SELECT name FROM pragma_table_info('proposal')",
  );
  const inRange = ["cversion", "aversion", "czxid", "mzxid", "pzxid", "ctime", "mtime", "owner", "sequence"];
  for (const column of columns.pluck().all() as string[]) {
    if (!inRange.includes(column)) expect(doc).toContain(`\`${column}\``);
  }
  db.close();
});

test("the sqlite3 command reads both files after a clean stop", (context) => {
  const query = (file: string, sql: string): string => {
    return execFileSync("sqlite3", ["-readonly", join(dir.path, file), sql], { encoding: "utf8" }).trim();
  };
  try {
    execFileSync("sqlite3", ["--version"]);
  } catch {
    context.skip();
  }
  expect(query("log.db", "SELECT kind, cause, path FROM txn WHERE zxid = 6 AND op = 1")).toBe(
    "delete|session_expired|/app/lock-0000000000",
  );
  expect(query("tree.db", "SELECT path FROM znode_path WHERE path LIKE '/app%'")).toBe("/app");
});
