/** A check that cannot fail proves nothing: each is given a history that it must reject, and one that it must accept. */
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../base/bytes.ts";
import { reasonNumber } from "../../base/reasons.ts";
import { encodeTxn } from "../../replica/txn-codec.ts";
import { SessionTable } from "../../sessions/session-table.ts";
import { blankOp } from "../../tree/prepare.ts";
import { emptyStat, ZnodeKind, type Stat } from "../../tree/stat.ts";
import { Tree } from "../../tree/tree.ts";
import { Cause, CreateMode, OpKind, RequestKind, type Txn, type TxnOp } from "../../tree/txn.ts";
import type { DurableState, LogPosition } from "../../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../../zab/message.ts";
import type { DurableFacts } from "../disk.ts";
import type { Fact } from "../facts.ts";
import { LogImage, type LogHeader } from "../log-image.ts";
import { splitRows, type Row } from "../rows.ts";
import { checkers, Judges } from "./all.ts";
import { Model } from "./model.ts";

// ---- makers of facts

function txn(zxid: number, ops: TxnOp[], more: Partial<Txn> = {}): Txn {
  const about = { session: 0, seq: 0, acked: 0, fingerprint: 0, who: "", request: RequestKind.multi };
  return { zxid, epoch: 1, time: 100 + zxid, ...about, ops, ...more };
}

function op(kind: number, path: string, stat: Partial<Stat> = {}, more: Partial<TxnOp> = {}): TxnOp {
  return { ...blankOp(kind, path, { ...emptyStat(), ...stat }), ...more };
}

function create(zxid: number, path: string, more: Partial<TxnOp> = {}, stat: Partial<Stat> = {}): Txn {
  const fresh = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: 100 + zxid, mtime: 100 + zxid, kind: 1, ...stat };
  return txn(zxid, [op(OpKind.create, path, fresh, more)]);
}

function opened(zxid: number): Txn {
  const detail = JSON.stringify({ timeoutMs: 1000, clientKey: `k${zxid}`, secretHash: "", identities: [] });
  return txn(zxid, [op(OpKind.openSession, "", {}, { detail })], { session: zxid });
}

function ended(zxid: number, session: number, rows: TxnOp[] = [], cause: number = Cause.sessionExpired): Txn {
  return txn(zxid, [op(OpKind.closeSession, "", {}, { cause }), ...rows], { session });
}

const applied = (made: Txn): Fact => ({ kind: "txn", txn: made, epoch: made.epoch });

function row(zxid: number, epoch = 1, path = "/x"): Row {
  const writer = new ByteWriter(200);
  encodeTxn(txn(zxid, [op(OpKind.check, path)], { epoch }), writer);
  return splitRows(writer.copy(), 0)[0]!;
}

function durable(last: LogPosition, header: Partial<LogHeader> = {}): DurableFacts {
  const boundaries = last.zxid > 0 ? [last] : [];
  return { last, header: { ...new LogImage().header, acceptedEpoch: 1, currentEpoch: 1, boundaries, ...header } };
}

function state(more: Partial<DurableState> = {}): DurableState {
  const none = { zxid: 0, epoch: 0 };
  return {
    clusterId: "c",
    acceptedEpoch: 1,
    currentEpoch: 1,
    last: none,
    committed: none,
    boundaries: [],
    logStart: 1,
    tail: undefined,
    forming: undefined,
    recovering: undefined,
    memberAcks: [],
    ...more,
  };
}

function booted(node: number, more: Partial<DurableState> = {}, committed: Row[] = []): Fact {
  return { kind: "booted", node, state: state(more), committed };
}

function sent(message: LinkMessage, facts: DurableFacts = durable({ zxid: 9, epoch: 1 }), node = 2): Fact {
  return { kind: "sent", node, to: 1, message, durable: facts };
}

function received(message: LinkMessage, from = 2): Fact {
  return { kind: "received", node: 1, from, message };
}

function leading(
  node: number,
  epoch: number,
  zxid = 0,
  facts = durable({ zxid, epoch: 1 }, { currentEpoch: epoch }),
): Fact {
  return { kind: "leading", node, epoch, last: { zxid, epoch: zxid === 0 ? 0 : 1 }, durable: facts };
}

function delivered(node: number, made: Row, more: { role?: string; durableZxid?: number } = {}): Fact {
  return { kind: "delivered", node, row: made, role: "following", durableZxid: 99, ...more };
}

function committed(zxid: number, more: { role?: string; durable?: DurableFacts } = {}): Fact {
  const facts = durable({ zxid, epoch: 1 });
  return {
    kind: "committed",
    node: 1,
    role: "leading",
    epoch: 1,
    committed: { zxid, epoch: 1 },
    durable: facts,
    ...more,
  };
}

const ackNewLeader = (epoch: number, zxid: number): LinkMessage => ({ type: "ackNewLeader", epoch, zxid });
const ack = (epoch: number, zxid: number): LinkMessage => ({ type: "ack", epoch, zxid });
const proposed = (rows: Row[], node = 1, epoch = 1): Fact => ({ kind: "proposed", node, epoch, rows });
const at = (zxid: number, epoch = 1): LogPosition => ({ zxid, epoch });
const notification = {
  ...{ counts: true, canLead: false, state: "looking", currentEpoch: 0 },
  last: { zxid: 0, epoch: 0 },
} as Notification;

function newLeader(last: LogPosition): Fact {
  const message: LinkMessage = { type: "newLeader", epoch: 2, last, piece: undefined, committed: last };
  return { kind: "sent", node: 1, to: 2, message, durable: durable(last) };
}

function answered(session: number, seq: number, zxid: number): Fact {
  return { kind: "answered", session, seq, zxid, succeeded: true };
}

function treeOf(...txns: Txn[]): Tree {
  const tree = Tree.initial();
  for (const made of txns) for (const one of made.ops) tree.apply(made.zxid, { ...one, znode: tree.nextId });
  return tree;
}

function looked(tree: Tree, zxid: number): Fact {
  return { kind: "state", node: 1, zxid, tree, sessions: new SessionTable() };
}

const conflict = (expected: string, actual: string): TxnOp => {
  const detail = JSON.stringify({ metadata: { expected_version: expected, actual_version: actual } });
  return op(OpKind.rejected, "/a", {}, { code: reasonNumber("BAD_VERSION"), detail });
};

const leaderInfo = sent({ type: "leaderInfo", clusterId: "", epoch: 2 }, durable(at(1), { acceptedEpoch: 2 }), 1);

function ackEpochOf(): LinkMessage {
  const more = { counts: true, currentEpoch: 1, last: at(1), committed: at(1), boundaries: [at(1)] };
  return { type: "ackEpoch", epoch: 2, ...more };
}

/** A promise of epoch 2. */
function ackEpoch(node: number, to: number): Fact {
  return { kind: "sent", node, to, message: ackEpochOf(), durable: durable(at(1), { acceptedEpoch: 2 }) };
}

/** Server 1 has it. */
function promised(from: number): Fact {
  return received(ackEpochOf(), from);
}

function notifying(more: Partial<Notification>): Fact {
  return { kind: "notifying", node: 1, to: 2, notification: { ...notification, ...more } };
}

const learnerInfo = sent({
  ...{ type: "learnerInfo", clusterId: "", acceptedEpoch: 0, currentEpoch: 0 },
  ...{ last: { zxid: 0, epoch: 0 }, voter: true, recovering: true },
});

function ping(epoch: number, round: number): Fact {
  const message: LinkMessage = { type: "ping", epoch, round, committed: at(1), acks: [] };
  return { kind: "sent", node: 1, to: 3, message, durable: durable(at(1)) };
}

const pong = (epoch: number, round: number): LinkMessage => ({ type: "pong", epoch, round, diskLow: false });

const quorumOf2: Fact[] = [received(ackNewLeader(1, 0))];

/** By invariant: histories that break it, and one that does not though it comes close. */
const cases: Readonly<Record<string, { bad: readonly Fact[][]; good: readonly Fact[] }>> = {
  Z01: { bad: [[leading(1, 5), leading(2, 5)]], good: [leading(1, 5), leading(2, 6)] },
  Z02: {
    bad: [
      [booted(1, { acceptedEpoch: 3 }), booted(1, { acceptedEpoch: 2 })],
      [booted(1, { acceptedEpoch: 1, currentEpoch: 2 })],
    ],
    good: [booted(1, { acceptedEpoch: 3 }), { kind: "lost", node: 1 }, booted(1, { acceptedEpoch: 2 })],
  },
  Z03: {
    bad: [[sent(ack(1, 3), durable(at(3), { acceptedEpoch: 2 }))]],
    good: [sent(ack(2, 3), durable(at(3), { acceptedEpoch: 2 }))],
  },
  Z04: {
    bad: [
      [sent(ackNewLeader(2, 5), durable(at(4), { acceptedEpoch: 2, currentEpoch: 2 }))],
      [sent(ackNewLeader(2, 5), durable(at(5), { acceptedEpoch: 2, currentEpoch: 1 }))],
    ],
    good: [sent(ackNewLeader(2, 5), durable(at(5), { acceptedEpoch: 2, currentEpoch: 2 }))],
  },
  Z05: {
    bad: [[sent({ type: "leaderInfo", clusterId: "c", epoch: 2 })]],
    good: [sent({ type: "leaderInfo", clusterId: "c", epoch: 1 })],
  },
  Z06: {
    bad: [
      [sent(ack(1, 5), durable(at(4)))],
      [sent(ack(1, 5), durable(at(5, 2)))],
      [sent(ack(1, 5), durable(at(5), { currentEpoch: 0 }))],
    ],
    good: [sent(ack(1, 5), durable(at(5)))],
  },
  Z07: {
    bad: [
      [booted(1, { committed: at(2) }, [row(1), row(3)])],
      [booted(1, { committed: at(2) }, [row(1, 2), row(2, 1)])],
      [booted(1, { committed: at(2) }, [row(1)])],
      [{ kind: "durable", node: 1, steps: ["append"], facts: durable(at(3), { boundaries: [at(4), at(3, 2)] }) }],
    ],
    good: [booted(1, { committed: at(2, 2) }, [row(1), row(2, 2)])],
  },
  Z08: {
    bad: [[proposed([row(1)]), delivered(2, row(1, 1, "/other"))]],
    good: [proposed([row(1)]), delivered(2, row(1))],
  },
  Z09: { bad: [[delivered(1, row(1)), delivered(2, row(1, 2))]], good: [delivered(1, row(1)), delivered(2, row(1))] },
  Z10: {
    bad: [[delivered(1, row(1))], [leading(1, 1), proposed([row(1)], 2)], [leading(1, 1), proposed([row(1, 2)])]],
    good: [leading(1, 1), proposed([row(1)]), delivered(2, row(1))],
  },
  Z11: {
    bad: [[delivered(1, row(2))], [delivered(1, row(1)), delivered(1, row(1))]],
    good: [delivered(1, row(1)), booted(1, {}, [row(1)]), delivered(1, row(2))],
  },
  Z12: {
    bad: [
      [leading(1, 1, 4), proposed([row(6)])],
      [leading(1, 2, 4), delivered(1, row(5, 1))],
    ],
    good: [leading(1, 1, 4), proposed([row(5), row(6)])],
  },
  Z13: {
    bad: [[delivered(2, row(1)), delivered(2, row(2)), leading(1, 2, 1)], [leading(1, 2, 1)]],
    good: [delivered(1, row(1)), delivered(1, row(2)), leading(1, 2, 2)],
  },
  Z14: {
    bad: [
      [
        delivered(1, row(1)),
        delivered(1, row(2)),
        booted(2, { boundaries: [at(2)] }),
        { kind: "durable", node: 2, steps: ["truncate"], facts: durable(at(1)) },
      ],
    ],
    good: [
      delivered(1, row(1)),
      booted(2, { boundaries: [at(2)] }),
      { kind: "durable", node: 2, steps: ["truncate"], facts: durable(at(1)) },
    ],
  },
  Z15: {
    bad: [
      [committed(3)],
      [received(ack(1, 2)), committed(3)],
      [received(ack(2, 3)), committed(3)],
      [received(ack(1, 3)), committed(3, { durable: durable(at(2)) })],
      [received(ack(1, 3), 4), committed(3)],
    ],
    good: [received(ack(1, 3)), committed(3)],
  },
  Z16: { bad: [[delivered(1, row(3), { durableZxid: 2 })]], good: [delivered(1, row(3), { durableZxid: 3 })] },
  Z17: {
    bad: [
      [sent(ackNewLeader(2, 3))],
      [newLeader(at(3)), sent(ackNewLeader(2, 3), durable(at(3), { boundaries: [at(3, 2)] }))],
    ],
    good: [newLeader(at(3)), sent(ackNewLeader(2, 3), durable(at(3)))],
  },
  Z18: { bad: [[committed(1), delivered(2, row(2))]], good: [committed(2), delivered(2, row(2))] },
  Z19: {
    bad: [[delivered(1, row(2)), { kind: "durable", node: 1, steps: ["truncate"], facts: durable(at(1)) }]],
    good: [delivered(1, row(2)), { kind: "durable", node: 1, steps: ["truncate"], facts: durable(at(2)) }],
  },
  Z24: { bad: [[{ kind: "read", node: 1, floor: 5, zxid: 4 }]], good: [{ kind: "read", node: 1, floor: 5, zxid: 5 }] },
  Z25: {
    bad: [
      [leading(1, 1)],
      [received(ackNewLeader(1, 0), 4), leading(1, 1)],
      [...quorumOf2, leading(1, 1, 0, durable(at(0), { currentEpoch: 0 }))],
    ],
    good: [...quorumOf2, leading(1, 1)],
  },
  Z27: {
    bad: [
      [booted(1, { recovering: "lost" }), { kind: "notifying", node: 1, to: 2, notification }],
      [booted(1, { recovering: "lost" }), leading(1, 1)],
    ],
    good: [booted(1), { kind: "notifying", node: 1, to: 2, notification }],
  },
  Z28: {
    bad: [
      [
        { kind: "lost", node: 2 },
        { kind: "durable", node: 2, steps: ["establishEpoch"], facts: durable(at(1)) },
        ...quorumOf2,
        leading(1, 1),
      ],
      [{ kind: "lost", node: 1 }, ...quorumOf2, leading(1, 1)],
    ],
    good: [
      { kind: "lost", node: 2 },
      { kind: "durable", node: 2, steps: ["establishEpoch"], facts: durable(at(1)) },
      received(ackNewLeader(2, 0)),
      leading(1, 2),
    ],
  },
  Z29: {
    bad: [[leading(1, 1, 0, durable(at(0), { clusterId: "a" })), leading(2, 2, 0, durable(at(0), { clusterId: "b" }))]],
    good: [leading(1, 1), leading(2, 2)],
  },
  Z30: {
    bad: [
      [newLeader(at(1))],
      // Servers 2 and 3 promise epoch 2 to each other first.
      [
        leaderInfo,
        ackEpoch(2, 3),
        ackEpoch(2, 1),
        promised(2),
        ackEpoch(3, 2),
        ackEpoch(3, 1),
        promised(3),
        newLeader(at(1)),
      ],
    ],
    good: [leaderInfo, ackEpoch(2, 1), promised(2), newLeader(at(1))],
  },
  Z31: {
    bad: [
      [booted(1, { last: at(4) }), notifying({ last: at(5) })],
      [booted(1, { currentEpoch: 1 }), notifying({ currentEpoch: 2 })],
      [booted(1, { last: at(4) }), notifying({ last: at(5), counts: false, canLead: true })],
    ],
    good: [booted(1, { last: at(4) }), notifying({ last: at(5), counts: false }), notifying({ last: at(4) })],
  },
  Z32: {
    bad: [
      [{ kind: "lost", node: 2 }, learnerInfo, newLeader(at(1))],
      // An echo of a round from before it came; one of its own.
      [{ kind: "lost", node: 2 }, ping(2, 7), learnerInfo, received(pong(2, 7), 3), newLeader(at(1))],
      [{ kind: "lost", node: 2 }, ping(2, 7), learnerInfo, received(pong(2, 8), 2), newLeader(at(1))],
    ],
    good: [{ kind: "lost", node: 2 }, ping(2, 7), learnerInfo, received(pong(2, 8), 3), newLeader(at(1))],
  },
  P01: {
    bad: [[sent(ack(1, 5)), booted(2, { last: at(4) })]],
    good: [sent(ack(1, 5)), booted(2, { last: at(4), recovering: "lost" })],
  },
  P02: {
    bad: [
      [{ kind: "durable", node: 1, steps: ["acceptEpoch"], facts: durable(at(1), { acceptedEpoch: 2 }) }, booted(1)],
      [
        { kind: "durable", node: 1, steps: ["commit"], facts: durable(at(3), { committed: at(3) }) },
        booted(1, { committed: at(2), last: at(3) }),
      ],
    ],
    good: [
      { kind: "durable", node: 1, steps: ["append"], facts: durable(at(3)) },
      booted(1, { last: at(3), boundaries: [at(3)] }),
    ],
  },
  P07: {
    bad: [[{ kind: "crashed", node: 2 }, sent(ack(1, 1))]],
    good: [{ kind: "crashed", node: 2 }, booted(2), sent(ack(1, 1))],
  },
  T01: {
    bad: [
      [
        { kind: "digest", node: 1, zxid: 3, digest: 7 },
        { kind: "digest", node: 2, zxid: 3, digest: 8 },
      ],
    ],
    good: [
      { kind: "digest", node: 1, zxid: 3, digest: 7 },
      { kind: "digest", node: 2, zxid: 4, digest: 8 },
    ],
  },
  T02: {
    bad: [
      [applied(create(1, "/a/b"))],
      [applied(create(1, "/a")), applied(create(2, "/a"))],
      [applied(txn(1, [op(OpKind.delete, "/a")]))],
      [applied(txn(1, [op(OpKind.delete, "/")]))],
    ],
    good: [applied(create(1, "/a")), applied(create(2, "/a/b"))],
  },
  T03: {
    bad: [
      [applied(create(1, "/a")), looked(treeOf(), 1)],
      [applied(create(1, "/a")), looked(treeOf(create(1, "/b")), 1)],
    ],
    good: [applied(create(1, "/a")), looked(treeOf(create(1, "/a")), 1)],
  },
  T04: {
    bad: [
      [applied(create(1, "/a")), applied(txn(2, [op(OpKind.setData, "/a", { version: 2 })]))],
      [applied(create(1, "/a")), applied(txn(2, [op(OpKind.setAcl, "/a", { aversion: 0 })]))],
      [applied(create(1, "/a", {}, { version: 1 }))],
    ],
    good: [applied(create(1, "/a")), applied(txn(2, [op(OpKind.setData, "/a", { version: 1 })]))],
  },
  T05: {
    bad: [
      [applied(create(1, "/a")), applied(create(2, "/a/b")), applied(txn(3, [op(OpKind.delete, "/a")]))],
      [applied(create(1, "/e", {}, { owner: 7, kind: ZnodeKind.ephemeral })), applied(create(2, "/e/b"))],
    ],
    good: [applied(create(1, "/a")), applied(txn(2, [op(OpKind.delete, "/a")]))],
  },
  T06: {
    bad: [
      [
        applied(create(1, "/s-0000000003", { mode: CreateMode.persistentSequential })),
        applied(create(2, "/t-0000000003", { mode: CreateMode.persistentSequential })),
      ],
    ],
    good: [
      applied(create(1, "/s-0000000003", { mode: CreateMode.persistentSequential })),
      applied(create(2, "/s-0000000004", { mode: CreateMode.persistentSequential })),
    ],
  },
  T07: {
    bad: [
      [applied(create(1, "/a")), applied(txn(2, [conflict("0", "0")]))],
      [applied(create(1, "/a")), applied(txn(2, [conflict("0", "5")]))],
    ],
    good: [applied(create(1, "/a")), applied(txn(2, [conflict("5", "0")]))],
  },
  T08: {
    bad: [[applied(txn(1, [op(OpKind.rejected, "/a"), op(OpKind.check, "/a")]))]],
    good: [applied(txn(1, [op(OpKind.rejected, "/a")]))],
  },
  T09: {
    bad: [
      [applied(create(2, "/a")), applied({ ...create(3, "/b"), time: 101 })],
      [applied(create(1, "/a", {}, { ctime: 5 }))],
    ],
    good: [applied(create(1, "/a")), applied(create(2, "/b"))],
  },
  T10: {
    bad: [
      [applied(create(1, "/a")), applied(ended(2, 1, [op(OpKind.delete, "/a", {}, { cause: Cause.sessionExpired })]))],
    ],
    good: [applied(create(1, "/a")), applied(txn(2, [op(OpKind.delete, "/a", {}, { cause: Cause.request })]))],
  },
  T11: { bad: [[looked(spoiled(), 1)]], good: [looked(treeOf(create(1, "/a")), 1)] },
  S01: {
    bad: [[{ kind: "proved", session: 3, untilMs: 10 }], [answered(3, 1, 5)]],
    good: [applied(opened(3)), { kind: "proved", session: 3, untilMs: 10 }],
  },
  S02: {
    bad: [[applied(ended(4, 3))], [applied(opened(3)), applied(ended(4, 3)), applied(ended(5, 3))]],
    good: [applied(opened(3)), applied(ended(4, 3))],
  },
  S03: {
    bad: [[applied(opened(1)), { kind: "proved", session: 1, untilMs: 5000 }, applied(ended(2, 1))]],
    good: [applied(opened(1)), { kind: "proved", session: 1, untilMs: -1 }, applied(ended(2, 1))],
  },
  S05: {
    bad: [
      [applied(opened(1)), applied(create(2, "/e", {}, { owner: 1 })), applied(ended(3, 1))],
      [applied(opened(1)), applied(create(2, "/a")), applied(ended(3, 1, [op(OpKind.delete, "/a")]))],
    ],
    good: [
      applied(opened(1)),
      applied(create(2, "/e", {}, { owner: 1 })),
      applied(ended(3, 1, [op(OpKind.delete, "/e", {}, { cause: Cause.sessionExpired })])),
    ],
  },
  S06: {
    bad: [[applied(opened(1)), applied(ended(2, 1)), applied({ ...create(3, "/a"), session: 1 })]],
    good: [applied(opened(1)), applied({ ...create(2, "/a"), session: 1 })],
  },
  S07: {
    bad: [[looked(treeOf(create(1, "/e", {}, { owner: 7, kind: ZnodeKind.ephemeral })), 1)]],
    good: [looked(treeOf(create(1, "/a")), 1)],
  },
  S08: {
    bad: [[{ kind: "ended", session: 1 }, answered(1, 1, 2)]],
    good: [answered(1, 1, 2), { kind: "ended", session: 1 }],
  },
  C03: {
    bad: [
      [
        { kind: "reflected", session: 1, zxid: 5 },
        { kind: "reflected", session: 1, zxid: 4 },
      ],
    ],
    good: [
      { kind: "reflected", session: 1, zxid: 5 },
      { kind: "reflected", session: 2, zxid: 4 },
    ],
  },
  C06: {
    bad: [
      [applied(opened(1)), answered(1, 1, 2)],
      [applied(opened(1)), { kind: "acknowledged", node: 1, zxid: 2, epoch: 1 }],
    ],
    good: [applied(opened(1)), applied({ ...create(2, "/a"), session: 1, seq: 1 }), answered(1, 1, 2)],
  },
  C07: {
    bad: [
      [
        applied(opened(1)),
        applied({ ...create(2, "/a"), session: 1, seq: 1 }),
        applied({ ...create(3, "/b"), session: 1, seq: 1 }),
      ],
      [applied(opened(1)), applied({ ...create(2, "/a"), session: 1, seq: 2 })],
    ],
    good: [
      applied(opened(1)),
      applied({ ...create(2, "/a"), session: 1, seq: 1 }),
      applied({ ...create(3, "/b"), session: 1, seq: 2 }),
    ],
  },
  W05: {
    bad: [
      [applied(create(1, "/a")), watching(0), applied(create(2, "/b")), told(2, "/b")],
      [watching(0), applied(create(1, "/a")), told(1, "/a"), told(1, "/a")],
    ],
    good: [applied(create(1, "/a")), watching(1), applied(create(2, "/b")), told(2, "/b")],
  },
};

function watching(after: number): Fact {
  return { kind: "watching", watch: "w", after };
}

function told(zxid: number, path: string): Fact {
  return { kind: "event", watch: "w", path, zxid, op: 0, session: 1 };
}

/** A tree whose count is wrong. */
function spoiled(): Tree {
  const tree = treeOf(create(1, "/a"));
  tree.count++;
  return tree;
}

function judge(facts: readonly Fact[]): Set<string> {
  const found = new Set<string>();
  const world = { voters: [1, 2, 3], now: () => 0, model: new Model() };
  const judges = new Judges(checkers, world, (check) => void found.add(check));
  for (const fact of facts) judges.see(fact);
  return found;
}

test("every checker is tried, and none twice", () => {
  const ids = checkers.map(({ id }) => id);
  expect(Object.keys(cases).sort()).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(ids.length);
});

describe.each(checkers.map(({ id, says }) => [id, says] as const))("%s: %s", (id) => {
  test.each(cases[id]!.bad.map((facts, index) => [index, facts] as const))("finds bad history %i", (_, facts) => {
    expect(judge(facts)).toContain(id);
  });

  test("accepts a good one", () => {
    expect(judge(cases[id]!.good)).not.toContain(id);
  });
});
