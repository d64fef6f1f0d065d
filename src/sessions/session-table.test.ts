import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../base/limits.ts";
import { formatIdentities, Session, SessionTable, type Outcome, type SessionTerms } from "./session-table.ts";

function terms(id: number, more: Partial<SessionTerms> = {}): SessionTerms {
  return { id, timeoutMs: 10_000, clientKey: `key${id}`, secretHash: `hash${id}`, identities: [], ...more };
}

function outcome(seq: number, more: Partial<Outcome> = {}): Outcome {
  return { seq, fingerprint: seq * 7, zxid: 100 + seq, code: 0, failedOp: 0, ...more };
}

function end(zxid: number, time = 1000, expired = false): { zxid: number; time: number; expired: boolean } {
  return { zxid, time, expired };
}

describe("a session's outcomes", () => {
  it("are kept until they are acknowledged, and not longer", () => {
    const session = new Session(terms(5));
    for (let seq = 1; seq <= 6; seq++) session.record(outcome(seq));
    session.acknowledge(4);
    expect([3, 4, 5, 6, 7].map((seq) => session.outcome(seq)?.zxid)).toEqual([
      undefined,
      undefined,
      105,
      106,
      undefined,
    ]);
    expect([session.lastSeq, session.acked]).toEqual([6, 4]);
    expect([...session.unacknowledged()].map(({ seq }) => seq)).toEqual([5, 6]);
  });

  it("come in the order of their seqs, without gaps or repetitions", () => {
    const session = new Session(terms(5));
    expect(() => session.record(outcome(2))).toThrow("order");
    session.record(outcome(1));
    expect(() => session.record(outcome(1))).toThrow("order");
    expect(() => session.record(outcome(3))).toThrow("order");
    session.record(outcome(2));
    expect(session.lastSeq).toBe(2);
  });

  it("cannot be acknowledged before they exist, and an acknowledgement never goes back", () => {
    const session = new Session(terms(5));
    session.acknowledge(9);
    expect(session.acked).toBe(0);
    session.record(outcome(1));
    session.record(outcome(2));
    session.acknowledge(9);
    expect(session.acked).toBe(2);
    session.acknowledge(1);
    expect(session.acked).toBe(2);
    session.record(outcome(3));
    expect(session.outcome(3)).toEqual(outcome(3));
  });

  it("are, after any history, exactly those above the acknowledgement", () => {
    const step = fc.oneof(fc.constant("write" as const), fc.nat(40));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const session = new Session(terms(5));
        let written = 0;
        let acked = 0;
        for (const each of steps) {
          if (each === "write") session.record(outcome(++written));
          else {
            session.acknowledge(each);
            acked = Math.max(acked, Math.min(each, written));
          }
        }
        expect([session.lastSeq, session.acked]).toEqual([written, acked]);
        const kept = Array.from({ length: written - acked }, (_, index) => acked + 1 + index);
        expect([...session.unacknowledged()].map(({ seq }) => seq)).toEqual(kept);
        for (let seq = 0; seq <= written + 1; seq++) {
          expect(session.outcome(seq) !== undefined).toBe(kept.includes(seq));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the table of sessions", () => {
  it("finds the living by id and by the client's key", () => {
    const table = new SessionTable();
    const session = table.open(terms(5));
    table.open(terms(6));
    expect(table.count).toBe(2);
    expect(table.get(5)).toBe(session);
    expect(table.findByClientKey("key5")).toBe(session);
    expect([...table.sessions()].map(({ id }) => id)).toEqual([5, 6]);
    expect([table.get(7), table.findByClientKey("key7"), table.tombstone(5)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("does not open one id twice", () => {
    const table = new SessionTable();
    table.open(terms(5));
    expect(() => table.open(terms(5))).toThrow("twice");
  });

  it("keeps an ended session as a tombstone, with its outcomes and how it ended", () => {
    const table = new SessionTable();
    table.open(terms(5)).record(outcome(1));
    table.close(5, end(9, 1000, true));
    expect([table.count, table.get(5), table.findByClientKey("key5")]).toEqual([0, undefined, undefined]);
    expect(table.tombstone(5)).toMatchObject({ end: { zxid: 9, expired: true }, lastSeq: 1 });
    expect(table.tombstone(5)!.outcome(1)).toEqual(outcome(1));
    expect(() => table.close(5, end(10))).toThrow("not alive");
  });

  it("forgets tombstones that are too old, by the time of transactions", () => {
    const table = new SessionTable();
    for (const id of [1, 2, 3, 4]) table.open(terms(id));
    table.close(1, end(11, 0));
    table.close(2, end(12, 500));
    table.close(3, end(13, limits.tombstoneMs));
    expect([...table.ended()].map(({ id }) => id)).toEqual([1, 2, 3]);
    table.close(4, end(14, limits.tombstoneMs + 1));
    expect([...table.ended()].map(({ id }) => id)).toEqual([2, 3, 4]);
  });

  it("keeps no more tombstones than allowed, the oldest go first", () => {
    const table = new SessionTable();
    for (let id = 1; id <= limits.tombstones + 3; id++) {
      table.open(terms(id));
      table.close(id, end(id));
    }
    const ended = [...table.ended()].map(({ id }) => id);
    expect(ended).toHaveLength(limits.tombstones);
    expect([ended[0], ended.at(-1)]).toEqual([4, limits.tombstones + 3]);
  });

  it("takes over the sessions of a checkpoint, living and ended", () => {
    const first = new SessionTable();
    const living = first.open(terms(5));
    for (let seq = 1; seq <= 4; seq++) living.record(outcome(seq));
    living.acknowledge(2);
    first.open(terms(6)).record(outcome(1));
    first.close(6, end(9));

    const second = new SessionTable();
    for (const session of [...first.sessions(), ...first.ended()]) {
      const copy = new Session(session.terms);
      const { lastSeq, acked } = session;
      copy.restore({ lastSeq, acked, outcomes: [...session.unacknowledged()], end: session.end });
      second.add(copy);
    }
    expect(second.digest()).toBe(first.digest());
    expect(second.get(5)!.outcome(3)).toEqual(outcome(3));
    expect(second.findByClientKey("key5")).toBe(second.get(5));
    expect(second.findByClientKey("key6")).toBeUndefined();
    expect(second.tombstone(6)!.outcome(1)).toEqual(outcome(1));
    for (const table of [first, second]) table.get(5)!.record(outcome(5));
    expect(second.digest()).toBe(first.digest());
  });
});

describe("the digest of sessions", () => {
  function digestOf(change: (session: Session, table: SessionTable) => void, more: Partial<SessionTerms> = {}): number {
    const table = new SessionTable();
    const session = table.open(terms(5, more));
    session.record(outcome(1));
    session.record(outcome(2));
    change(session, table);
    return table.digest();
  }

  it("tells every change of what is replicated", () => {
    const digests = [
      digestOf(() => {}),
      digestOf((session) => session.record(outcome(3))),
      digestOf((session) => session.record(outcome(3, { code: 2 }))),
      digestOf((session) => session.record(outcome(3, { code: 2, failedOp: 1 }))),
      digestOf((session) => session.record(outcome(3, { fingerprint: 1 }))),
      digestOf((session) => session.record(outcome(3, { zxid: 1 }))),
      digestOf((session) => session.acknowledge(1)),
      digestOf((session) => session.acknowledge(2)),
      digestOf((_, table) => table.close(5, end(9))),
      digestOf((_, table) => table.close(5, end(10))),
      digestOf((_, table) => table.close(5, end(9, 1001))),
      digestOf((_, table) => table.close(5, end(9, 1000, true))),
      digestOf((_, table) => table.open(terms(6))),
      digestOf(() => {}, { timeoutMs: 10_001 }),
      digestOf(() => {}, { clientKey: "other" }),
      digestOf(() => {}, { secretHash: "other" }),
      digestOf(() => {}, { identities: [{ scheme: "ip", id: "::1" }] }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });

  it("does not depend on when it was asked for", () => {
    const step = fc.record({ what: fc.nat(4), id: fc.integer({ min: 1, max: 4 }), ask: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const often = new SessionTable();
        const once = new SessionTable();
        let zxid = 100;
        for (const { what, id, ask } of steps) {
          zxid++;
          for (const table of [often, once]) change(table, { what, id, zxid });
          if (ask) often.digest();
        }
        expect(often.digest()).toBe(once.digest());
      }),
    );
  });

  function change(table: SessionTable, { what, id, zxid }: { what: number; id: number; zxid: number }): void {
    const session = table.get(id);
    if (session === undefined) {
      if (table.tombstone(id) === undefined) table.open(terms(id));
    } else if (what === 0) table.close(id, end(zxid, zxid * 2_000_000));
    else if (what === 1) session.acknowledge(session.lastSeq - 1);
    else session.record(outcome(session.lastSeq + 1, { zxid }));
  }

  it("does not depend on the order in which sessions came", () => {
    const forth = new SessionTable();
    const back = new SessionTable();
    for (const id of [1, 2, 3]) forth.open(terms(id));
    for (const id of [3, 2, 1]) back.open(terms(id));
    expect(back.digest()).toBe(forth.digest());
  });
});

it("identities are shown on one line", () => {
  expect(formatIdentities([])).toBe("");
  const identities = [
    { scheme: "digest", id: "bob:B" },
    { scheme: "ip", id: "10.0.0.1" },
  ];
  expect(formatIdentities(identities)).toBe("digest:bob:B, ip:10.0.0.1");
});
