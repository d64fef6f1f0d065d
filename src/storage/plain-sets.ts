/**
 * Replays the transactions that nearly all are: a setData alone, of a znode that came with the checkpoint. They are
 * carried out from their canonical bytes, by the identity of the znode, without making objects or looking for a path.
 * The bytes are proved by the chain, so they are not verified once more.
 */
import { applyToSessions } from "../sessions/apply.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { blankOp } from "../tree/prepare.ts";
import { emptyStat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import { OpKind, type Txn } from "../tree/txn.ts";

const lengthBytes = 4;
const crcBytes = 4;

export class PlainSets {
  private readonly tree: Tree;
  private readonly sessions: SessionTable;
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  /** The transaction replayed last, apart from what only the tree needs. Used again and again. */
  readonly txn: Txn = {
    ...{ zxid: 0, epoch: 0, time: 0, session: 0, seq: 0, acked: 0, fingerprint: 0, who: "", request: 0 },
    ops: [blankOp(OpKind.setData, "", emptyStat())],
  };
  private readonly change = { zxid: 0, mtime: 0, version: 0 };

  constructor(tree: Tree, sessions: SessionTable) {
    this.tree = tree;
    this.sessions = sessions;
  }

  /**
   * Carries out the transaction at `start` if it is plain and not above `upTo`. Returns where the next one begins, or -1
   * when nothing was done.
   */
  replay(bytes: Uint8Array, start: number, upTo: number): number {
    this.bytes = bytes;
    const end = start + lengthBytes + this.fixed32(start);
    this.at = start + lengthBytes;
    const { txn, change } = this;
    this.varint(); // format
    const zxid = this.varint();
    if (zxid > upTo) return -1;
    const epoch = this.varint();
    const time = this.varint();
    const session = this.varint();
    const seq = this.varint();
    const acked = this.varint();
    const fingerprint = this.varint();
    this.skipBytes(); // who
    this.varint(); // request
    if (this.varint() !== 1) return -1;
    this.varint(); // index
    if (this.varint() !== OpKind.setData) return -1;
    this.skipVarints(4); // cause, code, failedOp, mode
    this.skipBytes(); // path
    const znode = this.varint();
    this.skipVarints(2); // parent, acl
    this.skipBytes(); // newAcl
    this.varint(); // parentAcl
    let data: Uint8Array | null = null;
    let dataCrc = 0;
    if (this.bytes[this.at++] === 1) {
      const length = this.varint();
      dataCrc = this.fixed32(this.at);
      this.at += crcBytes;
      data = bytes.subarray(this.at, this.at + length);
      this.at += length;
    }
    this.skipVarints(4); // czxid, mzxid, pzxid, ctime
    change.zxid = zxid;
    change.mtime = this.varint();
    const version = this.varint();
    change.version = (version >>> 1) ^ -(version & 1);
    if (!this.tree.applySetDataById(znode, change, data, dataCrc)) return -1;
    txn.zxid = zxid;
    txn.epoch = epoch;
    txn.time = time;
    txn.session = session;
    txn.seq = seq;
    txn.acked = acked;
    txn.fingerprint = fingerprint;
    applyToSessions(this.sessions, txn);
    return end;
  }

  private varint(): number {
    const { bytes } = this;
    let byte = bytes[this.at++]!;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let factor = 128; ; factor *= 128) {
      byte = bytes[this.at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  private skipVarints(count: number): void {
    const { bytes } = this;
    for (let i = 0; i < count; i++) while (bytes[this.at++]! >= 128);
  }

  private skipBytes(): void {
    const length = this.varint();
    this.at += length;
  }

  private fixed32(at: number): number {
    const { bytes } = this;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }
}
