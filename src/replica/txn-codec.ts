/**
 * The canonical encoding of transactions: what is sent to peers, what the CRC chain of the log covers, and what the log
 * writer splits into columns. Not protobuf, whose bytes are not canonical across versions and languages.
 *
 *   transaction = length (4 bytes, low first, of what follows) header operation*
 *   header      = format zxid epoch time session seq acked fingerprint who request count
 *   operation   = index kind cause code failedOp mode path znode parent acl newAcl parentAcl
 *                 has-data [data-length data-crc data] stat prevZxid detail
 *
 * Numbers are varints, strings and data carry their length; see base/bytes.ts. The chain of CRCs runs over segments:
 * the header with the first operation, then each further operation. Index and count are inside, so a transaction with
 * a row missing or doubled does not verify.
 */
import { DecodeError, type ByteReader, type ByteWriter } from "../base/bytes.ts";
import type { Stat } from "../tree/stat.ts";
import type { Txn, TxnOp } from "../tree/txn.ts";

/** The format written. Rows name theirs, so a new column never changes the CRC of an old row. */
export const txnFormat = 1;

export function encodeTxn(txn: Txn, writer: ByteWriter): void {
  const start = writer.length;
  writer.fixed32(0);
  writer.varint(txnFormat);
  writer.varint(txn.zxid);
  writer.varint(txn.epoch);
  writer.varint(txn.time);
  writer.varint(txn.session);
  writer.varint(txn.seq);
  writer.varint(txn.acked);
  writer.varint(txn.fingerprint);
  writer.string(txn.who);
  writer.varint(txn.request);
  writer.varint(txn.ops.length);
  for (let index = 0; index < txn.ops.length; index++) encodeOp(txn.ops[index]!, index, writer);
  const end = writer.length;
  writer.length = start;
  writer.fixed32(end - start - 4);
  writer.length = end;
}

function encodeOp(op: TxnOp, index: number, writer: ByteWriter): void {
  writer.varint(index);
  writer.byte(op.kind);
  writer.byte(op.cause);
  writer.varint(op.code);
  writer.varint(op.failedOp);
  writer.byte(op.mode);
  writer.string(op.path);
  writer.varint(op.znode);
  writer.varint(op.parent);
  writer.varint(op.acl);
  writer.string(op.newAcl);
  writer.varint(op.parentAcl);
  if (op.data === null) writer.byte(0);
  else {
    writer.byte(1);
    writer.varint(op.data.length);
    writer.fixed32(op.dataCrc);
    writer.raw(op.data);
  }
  encodeStat(op.stat, writer);
  writer.varint(op.prevZxid);
  writer.string(op.detail);
}

function encodeStat(stat: Stat, writer: ByteWriter): void {
  writer.varint(stat.czxid);
  writer.varint(stat.mzxid);
  writer.varint(stat.pzxid);
  writer.varint(stat.ctime);
  writer.varint(stat.mtime);
  writer.signed(stat.version);
  writer.signed(stat.aversion);
  writer.varint(stat.owner);
  writer.varint(stat.sequence);
  writer.varint(stat.children);
  writer.byte(stat.kind);
  writer.varint(stat.dataLength);
}

/**
 * Reads one transaction; data are views into the reader's bytes. Where `segmentEnds` is given, the positions at which
 * its segments end are put there. Throws DecodeError.
 */
export function decodeTxn(reader: ByteReader, segmentEnds?: number[]): Txn {
  const length = reader.fixed32();
  const end = reader.at + length;
  const format = reader.varint();
  if (format !== txnFormat) throw new DecodeError(`unknown transaction format ${format}`);
  const zxid = reader.varint();
  const epoch = reader.varint();
  const time = reader.varint();
  const session = reader.varint();
  const seq = reader.varint();
  const acked = reader.varint();
  const fingerprint = reader.varint();
  const who = reader.string();
  const request = reader.varint();
  const count = reader.varint();
  if (count < 1 || count > length) throw new DecodeError("a transaction without operations");
  const ops: TxnOp[] = [];
  for (let index = 0; index < count; index++) {
    ops.push(decodeOp(reader, index));
    segmentEnds?.push(reader.at);
  }
  if (reader.at !== end) throw new DecodeError("a transaction does not fill its length");
  return { zxid, epoch, time, session, seq, acked, fingerprint, who, request, ops };
}

function decodeOp(reader: ByteReader, index: number): TxnOp {
  if (reader.varint() !== index) throw new DecodeError("operations out of order");
  const kind = reader.byte();
  const cause = reader.byte();
  const code = reader.varint();
  const failedOp = reader.varint();
  const mode = reader.byte();
  const path = reader.string();
  const znode = reader.varint();
  const parent = reader.varint();
  const acl = reader.varint();
  const newAcl = reader.string();
  const parentAcl = reader.varint();
  const hasData = reader.byte();
  if (hasData > 1) throw new DecodeError("a flag is neither 0 nor 1");
  let data: Uint8Array | null = null;
  let dataCrc = 0;
  if (hasData === 1) {
    const length = reader.varint();
    dataCrc = reader.fixed32();
    data = reader.raw(length);
  }
  const stat = decodeStat(reader);
  const prevZxid = reader.varint();
  const detail = reader.string();
  return {
    kind,
    cause,
    code,
    failedOp,
    mode,
    path,
    znode,
    parent,
    acl,
    newAcl,
    parentAcl,
    data,
    dataCrc,
    stat,
    prevZxid,
    detail,
  };
}

function decodeStat(reader: ByteReader): Stat {
  return {
    czxid: reader.varint(),
    mzxid: reader.varint(),
    pzxid: reader.varint(),
    ctime: reader.varint(),
    mtime: reader.varint(),
    version: reader.signed(),
    aversion: reader.signed(),
    owner: reader.varint(),
    sequence: reader.varint(),
    children: reader.varint(),
    kind: reader.byte(),
    dataLength: reader.varint(),
  };
}
