import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { emptyStat } from "../tree/stat.ts";
import { rootSlot, type Tree, type ZnodeRow } from "../tree/tree.ts";
import { CreateMode } from "../tree/txn.ts";
import { join } from "node:path";
import { openForWriting, type Connection } from "./database.ts";
import { Fold } from "./fold.ts";
import { loadTree } from "./load.ts";
import { logFile } from "./log-schema.ts";
import { LogStore } from "./log-store.ts";
import { SampleHistory } from "./testing/sample-history.ts";
import { readSessions } from "./session-rows.ts";
import { bytesOf, temporaryDirectory } from "./testing/storage-fixture.ts";
import { readAcls, readTreeState, treeFile, znodeRoot } from "./tree-schema.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

/** A log and a checkpoint without workers. */
function openFiles(): { log: Connection; tree: Connection; store: LogStore; fold: () => Fold } {
  const log = openForWriting(join(dir.path, "log.db"), logFile);
  const tree = openForWriting(join(dir.path, "tree.db"), treeFile);
  const store = new LogStore(log);
  return { log, tree, store, fold: () => new Fold(log, tree) };
}

function append(store: LogStore, history: SampleHistory): void {
  store.beginBatch();
  store.append(history.takeStep());
  store.commitBatch();
}

function write(fold: Fold): void {
  for (const _ of fold.write());
}

/** Everything about every znode, by path. */
function contents(tree: Tree): Map<string, unknown> {
  const rows = new Map<string, unknown>();
  for (const slot of tree.slots()) {
    const data = tree.data(slot);
    const row: ZnodeRow = {
      id: tree.id(slot),
      parent: slot === rootSlot ? 0 : tree.id(tree.parent(slot)),
      name: tree.name(slot),
      data: data === null ? null : Uint8Array.from(data),
      dataCrc: tree.dataCrc(slot),
      acl: tree.acl(slot),
      rowZxid: tree.rowZxid(slot),
      stat: tree.readStat(slot, emptyStat()),
    };
    rows.set(tree.path(slot), { ...row, descendants: tree.descendants(slot), acl: tree.acls.text(row.acl) });
  }
  return rows;
}

async function expectEqual(db: Connection, history: SampleHistory): Promise<void> {
  const state = readTreeState(db);
  db.pragma("wal_checkpoint(TRUNCATE)");
  const loaded = await loadTree({ path: join(dir.path, "tree.db"), state, root: znodeRoot(db), acls: readAcls(db) });
  loaded.verify();
  expect(state.zxid).toBe(history.zxid);
  expect(contents(loaded)).toEqual(contents(history.tree));
  expect(loaded.digest).toBe(history.tree.digest);
  expect(loaded.nextId).toBe(history.tree.nextId);
  const sessions = readSessions(db);
  expect([...sessions.sessions()]).toEqual([...history.sessions.sessions()]);
  expect([...sessions.ended()]).toEqual([...history.sessions.ended()]);
  expect(sessions.digest()).toBe(history.sessions.digest());
}

const paths = ["/a", "/b", "/a/c", "/a/d", "/a/c/e", "/ü"];
const data = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 60 }));
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("create"),
      path: fc.constantFrom(...paths),
      data,
      mode: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set"), path: fc.constantFrom(...paths, "/"), data }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete"), path: fc.constantFrom(...paths) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("deleteSubtree"), path: fc.constantFrom(...paths) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("setAcl"),
      path: fc.constantFrom(...paths),
      bits: fc.integer({ min: 1, max: 31 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("multi"), path: fc.constantFrom(...paths), data }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("open", "close", "expire", "trim", "reject") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("scan", "write", "reopen") }) },
);

type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function act(history: SampleHistory, open: number[], step: Action): void {
  const session = open.length === 0 ? 0 : open[history.zxid % open.length]!;
  const path = "path" in step ? step.path : "";
  switch (step.kind) {
    case "create":
      history.create(path, (step as { data: Uint8Array | null }).data, session, (step as { mode: number }).mode);
      return;
    case "set":
      history.set(path, (step as { data: Uint8Array | null }).data, session);
      return;
    case "delete":
      history.write({ kind: "delete", path, version: null }, session);
      return;
    case "deleteSubtree":
      history.write({ kind: "deleteSubtree", path }, session);
      return;
    case "setAcl": {
      const permissions = (step as { bits: number }).bits | 31;
      history.setAcl(
        path,
        [
          { permissions, scheme: "world", id: "anyone" },
          { permissions: (step as { bits: number }).bits, scheme: "digest", id: "eve:x" },
        ],
        session,
      );
      return;
    }
    case "multi":
      history.write(
        {
          kind: "multi",
          operations: [
            { kind: "create", path: "/multi-", data: null, mode: CreateMode.persistentSequential, acl: null },
            { kind: "check", path: "/", version: null, exists: true },
            { kind: "setData", path: "/", data: (step as { data: Uint8Array | null }).data, version: null },
          ],
        },
        session,
      );
      return;
    case "open":
      open.push(history.openSession());
      return;
    case "close":
    case "expire":
      if (session !== 0) {
        history.endSession(session, step.kind === "expire");
        open.splice(open.indexOf(session), 1);
      }
      return;
    case "trim":
      if (session !== 0) history.trim(session);
      return;
    case "reject":
      history.reject(session);
      return;
    case "scan":
    case "write":
    case "reopen":
      return;
  }
}

test("what is folded equals the tree and the sessions, at any random history and any division into steps", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 120 }), async (actions) => {
      const { log, tree, store, fold: open } = openFiles();
      const history = new SampleHistory();
      const sessions: number[] = [];
      history.found();
      append(store, history);
      let fold = open();
      for (const step of actions) {
        const before = history.zxid;
        act(history, sessions, step);
        if (history.zxid > before) append(store, history);
        if (step.kind === "scan") {
          const from = fold.scanned;
          // Also where a transaction has more rows than one scan is to read.
          fold.scan(history.zxid, 1 + (history.zxid % 7));
          if (from < history.zxid) expect(fold.scanned).toBeGreaterThan(from);
        }
        if (step.kind === "write") {
          write(fold);
          expect(readTreeState(tree).zxid).toBe(fold.zxid);
        }
        if (step.kind === "reopen") fold = open();
      }
      while (fold.scanned < history.zxid) fold.scan(history.zxid, 3);
      write(fold);
      await expectEqual(tree, history);
      log.close();
      tree.close();
      dir.remove();
      dir = temporaryDirectory();
    }),
    { numRuns: 60 },
  );
});

test("a znode that a step changes a thousand times is written once", () => {
  const { log, tree, store, fold: open } = openFiles();
  const history = new SampleHistory();
  history.found();
  history.create("/hot", null);
  for (let i = 0; i < 1000; i++) history.set("/hot", bytesOf(`value ${i}`));
  append(store, history);
  const fold = open();
  fold.scan(history.zxid);
  const before = tree.prepare("SELECT total_changes()").pluck().get() as number;
  write(fold);
  const after = tree.prepare("SELECT total_changes()").pluck().get() as number;
  expect(after - before).toBe(3); // the znode, its parent, the state
  expect(String(tree.prepare("SELECT data FROM znode_path WHERE path = '/hot'").pluck().get())).toBe("value 999");
  log.close();
  tree.close();
});
