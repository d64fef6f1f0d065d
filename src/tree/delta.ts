/**
 * What an operation does to the znode it names and to that znode's parent. Used by the leader on the state ahead of
 * the commit point and by the checkpoint on its rows.
 */
import { nextVersion, ZnodeKind, type Stat } from "./stat.ts";
import { CreateMode, type TxnOp } from "./txn.ts";

/** Everything replicated about one znode except its data. */
export interface ZnodeState {
  id: number;
  /** Identity of the parent; 0 for the root. */
  parent: number;
  acl: number;
  /** zxid of the last log row of this znode. */
  rowZxid: number;
  dataCrc: number;
  /** Bytes; -1 when there is no data. `stat.dataLength` has 0 there. */
  dataLength: number;
  stat: Stat;
}

export function isEphemeralMode(mode: number): boolean {
  return mode === CreateMode.ephemeral || mode === CreateMode.ephemeralSequential;
}

export function isSequentialMode(mode: number): boolean {
  return mode === CreateMode.persistentSequential || mode === CreateMode.ephemeralSequential;
}

/** The Stat of a new znode. */
export function createdStat(zxid: number, time: number, owner: number, dataLength: number): Stat {
  return {
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: time,
    mtime: time,
    version: 0,
    aversion: 0,
    owner,
    sequence: 0,
    children: 0,
    kind: owner === 0 ? ZnodeKind.persistent : ZnodeKind.ephemeral,
    dataLength,
  };
}

/** The state of the znode a create operation makes. */
export function createdState(zxid: number, op: TxnOp): ZnodeState {
  return {
    id: op.znode,
    parent: op.parent,
    acl: op.acl,
    rowZxid: zxid,
    dataCrc: op.dataCrc,
    dataLength: op.data === null ? -1 : op.data.length,
    stat: { ...op.stat },
  };
}

export function setDataOf(
  state: ZnodeState,
  change: { zxid: number; time: number; data: Uint8Array | null; dataCrc: number },
): void {
  state.dataLength = change.data === null ? -1 : change.data.length;
  state.dataCrc = change.dataCrc;
  state.rowZxid = change.zxid;
  state.stat.dataLength = Math.max(0, state.dataLength);
  state.stat.version = nextVersion(state.stat.version);
  state.stat.mzxid = change.zxid;
  state.stat.mtime = change.time;
}

export function setAclOf(state: ZnodeState, zxid: number, acl: number): void {
  state.acl = acl;
  state.rowZxid = zxid;
  state.stat.aversion = nextVersion(state.stat.aversion);
}

/** A child of this znode was created. */
export function addChildTo(state: ZnodeState, zxid: number): void {
  state.stat.children++;
  state.stat.sequence++;
  state.stat.pzxid = zxid;
}

/** A child of this znode was deleted. */
export function removeChildFrom(state: ZnodeState, zxid: number): void {
  state.stat.children--;
  state.stat.pzxid = zxid;
}
