import { expect, test } from "vitest";
import { ByteReader } from "../base/bytes.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import { applyToSessions } from "../sessions/apply.ts";
import { SessionTable } from "../sessions/session-table.ts";
import { Tree } from "../tree/tree.ts";
import { adoptFrom } from "../../test/support/tree-leader.ts";
import { PlainSets } from "./plain-sets.ts";
import { SampleHistory } from "./testing/sample-history.ts";
import { bytesOf, encoded } from "./testing/storage-fixture.ts";

/** Replays as recovery does; returns how many transactions were plain. */
function replay(bytes: Uint8Array, tree: Tree, sessions: SessionTable, upTo: number): number {
  const plain = new PlainSets(tree, sessions);
  let count = 0;
  for (let at = 0; at < bytes.length;) {
    const next = plain.replay(bytes, at, upTo);
    if (next > 0) {
      at = next;
      count++;
      continue;
    }
    const reader = new ByteReader(bytes, at);
    const txn = decodeTxn(reader);
    at = reader.at;
    if (txn.zxid > upTo) continue;
    for (const op of txn.ops) tree.apply(txn.zxid, op);
    applyToSessions(sessions, txn);
  }
  return count;
}

test("replaying from bytes comes to the same state, whatever else happens in between", () => {
  const history = new SampleHistory();
  history.found();
  const session = history.openSession();
  for (let i = 0; i < 50; i++) history.create(`/a${i}`, i % 3 === 0 ? null : bytesOf(`value ${i}`), session);
  const tree = adoptFrom(history.tree, Tree.forLoading(history.tree.count));
  const sessions = new SessionTable();
  for (const txn of history.txns) applyToSessions(sessions, txn);
  const before = history.txns.length;

  let plain = 0;
  for (let i = 0; i < 300; i++) {
    const n = (i * 7) % 50;
    if (i % 11 === 3) {
      history.write({ kind: "delete", path: `/a${n}`, version: null }, session);
      // Another znode of the same path, which did not come with the checkpoint.
      history.create(`/a${n}`, bytesOf("again"), session);
    }
    history.set(`/a${n}`, i % 13 === 0 ? null : new Uint8Array((i * 61) % 900).fill(i), i % 2 === 0 ? session : 0);
    plain++;
  }
  history.write({ kind: "setData", path: "/a1", data: bytesOf("x"), version: 999 }, session);
  const bytes = encoded(history.txns.slice(before));
  const replayed = replay(bytes, tree, sessions, history.zxid);
  expect(replayed).toBeGreaterThan(0);
  expect(replayed).toBeLessThan(plain);
  tree.verify();
  expect(tree.digest).toBe(history.tree.digest);
  expect(sessions.get(session)).toEqual(history.sessions.get(session));
});

test("what is not committed is left alone", () => {
  const history = new SampleHistory();
  history.found();
  history.create("/a", bytesOf("one"));
  const tree = adoptFrom(history.tree, Tree.forLoading(history.tree.count));
  const { digest } = tree;
  history.set("/a", bytesOf("two"));
  expect(replay(encoded(history.txns.slice(2)), tree, new SessionTable(), 2)).toBe(0);
  expect(tree.digest).toBe(digest);
});
