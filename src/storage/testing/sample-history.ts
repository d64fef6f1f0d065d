/** For tests and measurements: a leader that prepares requests and applies them at once, and the log it would write. */
import { ByteWriter } from "../../base/bytes.ts";
import { refusal } from "../../base/reasons.ts";
import { encodeTxn } from "../../replica/txn-codec.ts";
import { applyToSessions } from "../../sessions/apply.ts";
import { SessionTable } from "../../sessions/session-table.ts";
import type { Acl, Identity } from "../../tree/acl.ts";
import { foundingDetail, openingDetail, rejection, trimDetail } from "../../tree/detail.ts";
import { blankOp, isRefusal, Preparer } from "../../tree/prepare.ts";
import { fingerprint, requestKindOf, type WriteRequest } from "../../tree/request.ts";
import { emptyStat } from "../../tree/stat.ts";
import { Tree } from "../../tree/tree.ts";
import { Cause, CreateMode, OpKind, RequestKind, type Txn, type TxnOp } from "../../tree/txn.ts";
import type { AppendStep } from "../../zab/durable-log.ts";

export const sampleClusterId = "00112233445566778899aabbccddeeff";

export class SampleHistory {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly txns: Txn[] = [];
  epoch = 1;
  zxid = 0;
  time = 1_700_000_000_000;
  /** Whether `txns` keeps what was made; large histories are encoded and forgotten. */
  keep = true;
  /** The first transaction of each epoch made here. */
  private readonly epochStarts: { readonly zxid: number; readonly epoch: number }[] = [];
  private readonly preparer: Preparer;
  private readonly writer = new ByteWriter(4096);
  private readonly identities: Identity[] = [
    { scheme: "digest", id: "bob:abc" },
    { scheme: "ip", id: "127.0.0.1" },
  ];
  private written = 0;

  /** Goes on from a recovered state, or starts a new ensemble. */
  constructor(from?: { tree: Tree; sessions: SessionTable; zxid: number; time: number }) {
    this.tree = from?.tree ?? Tree.initial();
    this.sessions = from?.sessions ?? new SessionTable();
    this.zxid = from?.zxid ?? 0;
    this.time = from?.time ?? this.time;
    this.written = this.zxid;
    this.preparer = new Preparer(this.tree, { creatorOwned: false });
  }

  found(): Txn {
    const op = blankOp(OpKind.found, "", emptyStat());
    op.detail = foundingDetail({ clusterId: sampleClusterId, members: [{ id: 1, voter: true }], featureLevel: 1 });
    return this.add(RequestKind.found, 0, [op]);
  }

  openSession(): number {
    const op = blankOp(OpKind.openSession, "", emptyStat());
    const { identities } = this;
    const clientKey = `c${this.zxid}`;
    op.detail = openingDetail({ timeoutMs: 10_000, clientKey, secretHash: "5e", identities });
    return this.add(RequestKind.openSession, 0, [op]).zxid;
  }

  endSession(session: number, expired = false): Txn {
    const op = blankOp(OpKind.closeSession, "", emptyStat());
    op.cause = expired ? Cause.sessionExpired : Cause.sessionClosed;
    const removals = this.preparer.endSession(session, expired, { zxid: this.zxid + 1, time: this.time });
    return this.add(expired ? RequestKind.expireSession : RequestKind.closeSession, session, [op, ...removals]);
  }

  trim(session: number): Txn {
    const op = blankOp(OpKind.trim, "", emptyStat());
    op.detail = trimDetail(new Map([[session, this.sessions.get(session)!.lastSeq]]));
    return this.add(RequestKind.trim, 0, [op]);
  }

  /** A write as the leader makes a transaction of it, a rejected one if the state forbids it. */
  write(request: WriteRequest, session = 0, ackedLag = 8): Txn {
    const { identities } = this;
    const caller = { session, identities, who: "digest:bob:abc" };
    const prepared = this.preparer.prepare(request, caller, { zxid: this.zxid + 1, time: this.time + 1 });
    let ops: TxnOp[];
    if (isRefusal(prepared)) {
      ops = [{ ...blankOp(OpKind.rejected, "", emptyStat()), ...rejection(prepared) }];
    } else ops = prepared;
    return this.add(requestKindOf(request), session, ops, { print: fingerprint(request), ackedLag });
  }

  reject(session: number): Txn {
    const op = { ...blankOp(OpKind.rejected, "", emptyStat()), ...rejection(refusal("BAD_ARGUMENTS", "no")) };
    return this.add(RequestKind.create, session, [op], { print: 7, ackedLag: 0 });
  }

  create(path: string, data: Uint8Array | null, session = 0, mode: number = CreateMode.persistent): Txn {
    return this.write({ kind: "create", path, data, mode, acl: null }, session);
  }

  set(path: string, data: Uint8Array | null, session = 0): Txn {
    return this.write({ kind: "setData", path, data, version: null }, session);
  }

  setAcl(path: string, acl: Acl, session = 0): Txn {
    return this.write({ kind: "setAcl", path, acl, version: null }, session);
  }

  /** What was added since the last call, as one durable step. */
  takeStep(committedZxid = this.zxid): AppendStep {
    const bytes = this.writer.copy();
    this.writer.reset();
    const firstZxid = this.written + 1;
    this.written = this.zxid;
    const committed = { zxid: committedZxid, epoch: this.epochOf(committedZxid) };
    return { bytes, firstZxid, lastZxid: this.zxid, epoch: this.epoch, committed };
  }

  /** The epoch of a transaction; what came before this history is taken to be of epoch 1. */
  private epochOf(zxid: number): number {
    if (zxid === 0) return 0;
    return this.epochStarts.findLast((start) => start.zxid <= zxid)?.epoch ?? 1;
  }

  private add(request: number, session: number, ops: TxnOp[], numbered?: { print: number; ackedLag: number }): Txn {
    this.zxid++;
    this.time++;
    if (this.epochStarts.at(-1)?.epoch !== this.epoch) this.epochStarts.push({ zxid: this.zxid, epoch: this.epoch });
    const live = this.sessions.get(session);
    const seq = live !== undefined && numbered !== undefined ? live.lastSeq + 1 : 0;
    const txn: Txn = {
      zxid: this.zxid,
      epoch: this.epoch,
      time: this.time,
      session,
      seq,
      acked: seq === 0 ? 0 : Math.max(0, seq - 1 - numbered!.ackedLag),
      fingerprint: seq === 0 ? 0 : numbered!.print,
      who: session === 0 ? "" : "digest:bob:abc, ip:127.0.0.1",
      request,
      ops,
    };
    encodeTxn(txn, this.writer);
    for (const op of ops) {
      this.tree.apply(txn.zxid, op);
      this.preparer.applied(txn.zxid, op);
    }
    applyToSessions(this.sessions, txn);
    if (this.keep) this.txns.push(txn);
    return txn;
  }
}
