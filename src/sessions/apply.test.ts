import { describe, expect, it } from "vitest";
import { openingDetail, trimDetail } from "../tree/detail.ts";
import { blankOp } from "../tree/prepare.ts";
import { emptyStat } from "../tree/stat.ts";
import { Cause, OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import { applyToSessions } from "./apply.ts";
import { SessionTable } from "./session-table.ts";

/** A table with the transactions that were applied to it, one after the other. */
class World {
  readonly table = new SessionTable();
  private zxid = 0;

  /** Applies a transaction; returns the sessions it is said to have changed. */
  apply(fields: Partial<Omit<Txn, "ops">>, ...ops: Partial<TxnOp>[]): number[] {
    this.zxid++;
    const txn: Txn = {
      zxid: this.zxid,
      epoch: 1,
      time: 1000 + this.zxid,
      session: 0,
      seq: 0,
      acked: 0,
      fingerprint: 0,
      who: "",
      request: RequestKind.setData,
      ...fields,
      ops: ops.map((op) => ({ ...blankOp(OpKind.setData, "/a", emptyStat()), ...op })),
    };
    const changed: number[] = [];
    applyToSessions(this.table, txn, (session) => changed.push(session));
    return changed;
  }

  open(): number {
    const identities = [{ scheme: "digest", id: "bob:B" }];
    const clientKey = `key${this.zxid}`;
    const detail = openingDetail({ timeoutMs: 5000, clientKey, secretHash: "ab", identities });
    this.apply({ request: RequestKind.openSession }, { kind: OpKind.openSession, path: "", detail });
    return this.zxid;
  }
}

it("an opening makes a session named by its zxid", () => {
  const world = new World();
  world.apply({}, {});
  const id = world.open();
  expect(id).toBe(2);
  expect(world.table.get(2)).toMatchObject({ who: "digest:bob:B", lastSeq: 0, terms: { id: 2, timeoutMs: 5000 } });
  expect(world.table.findByClientKey("key1")?.id).toBe(2);
});

describe("a numbered write", () => {
  it("leaves its outcome, a refusal as well", () => {
    const world = new World();
    const session = world.open();
    expect(world.apply({ session, seq: 1, fingerprint: 77 }, {}, {})).toEqual([session]);
    world.apply({ session, seq: 2, fingerprint: 78 }, { kind: OpKind.rejected, code: 4, failedOp: 3 });
    const { table } = world;
    expect(table.get(session)!.outcome(1)).toEqual({ seq: 1, fingerprint: 77, zxid: 2, code: 0, failedOp: 0 });
    expect(table.get(session)!.outcome(2)).toEqual({ seq: 2, fingerprint: 78, zxid: 3, code: 4, failedOp: 3 });
  });

  it("acknowledges what its client has", () => {
    const world = new World();
    const session = world.open();
    for (const seq of [1, 2, 3]) world.apply({ session, seq, acked: seq - 1 }, {});
    expect(world.table.get(session)).toMatchObject({ lastSeq: 3, acked: 2 });
    expect([...world.table.get(session)!.unacknowledged()].map(({ seq }) => seq)).toEqual([3]);
    world.apply({ session, seq: 4, acked: 1 }, {});
    expect(world.table.get(session)!.acked).toBe(2);
  });

  it("of a session that is gone changes nothing", () => {
    const world = new World();
    const session = world.open();
    const digest = world.table.digest();
    expect(world.apply({ session: 99, seq: 1 }, {})).toEqual([]);
    expect(world.table.digest()).toBe(digest);
    expect(world.table.get(session)!.lastSeq).toBe(0);
  });
});

it("a write without a number leaves no trace on its session", () => {
  const world = new World();
  const session = world.open();
  const digest = world.table.digest();
  expect(world.apply({ session, seq: 0 }, {})).toEqual([]);
  expect(world.table.digest()).toBe(digest);
});

describe("the end of a session", () => {
  for (const [name, cause, expired] of [
    ["closed", Cause.sessionClosed, false],
    ["expired", Cause.sessionExpired, true],
  ] as const) {
    it(`${name}, with rows for its ephemeral znodes, makes a tombstone`, () => {
      const world = new World();
      const session = world.open();
      const rows = [
        { kind: OpKind.closeSession, cause },
        { kind: OpKind.delete, cause },
      ];
      expect(world.apply({ session, request: RequestKind.closeSession }, ...rows)).toEqual([session]);
      expect(world.table.get(session)).toBeUndefined();
      expect(world.table.tombstone(session)!.end).toEqual({ zxid: 2, time: 1002, expired });
    });
  }

  it("as a numbered write leaves the outcome of the close itself in the tombstone", () => {
    const world = new World();
    const session = world.open();
    const close = { kind: OpKind.closeSession, cause: Cause.sessionClosed };
    world.apply({ session, seq: 1, request: RequestKind.closeSession }, close);
    expect(world.table.tombstone(session)!.outcome(1)).toMatchObject({ zxid: 2, code: 0 });
  });
});

it("a trim acknowledges for many sessions and passes over those that are gone", () => {
  const world = new World();
  const [one, two] = [world.open(), world.open()];
  for (const session of [one, two]) for (const seq of [1, 2, 3]) world.apply({ session, seq }, {});
  const detail = trimDetail(
    new Map([
      [one, 2],
      [99, 5],
      [two, 3],
    ]),
  );
  expect(world.apply({ request: RequestKind.trim }, { kind: OpKind.trim, path: "", detail })).toEqual([one, two]);
  expect([world.table.get(one)!.acked, world.table.get(two)!.acked]).toEqual([2, 3]);
});

it("every replica that applies the same transactions has the same sessions", () => {
  const [a, b] = [new World(), new World()];
  for (const world of [a, b]) {
    const session = world.open();
    const other = world.open();
    for (let seq = 1; seq <= 20; seq++) world.apply({ session, seq, acked: seq >> 1, fingerprint: seq }, {});
    world.apply({ session: other }, { kind: OpKind.closeSession, cause: Cause.sessionExpired });
  }
  expect(b.table.digest()).toBe(a.table.digest());
  expect(b.table.digest()).not.toBe(new SessionTable().digest());
});
