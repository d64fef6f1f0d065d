/** Transactions as the simulated log stores them: opaque bytes, their place, and the chain of CRCs through them. */
import { ByteReader, DecodeError } from "../base/bytes.ts";
import { crc32 } from "../base/crc32.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import { parseFounding, type Founding } from "../tree/detail.ts";
import { OpKind } from "../tree/txn.ts";
import type { LogPosition } from "../zab/durable-log.ts";

export interface Row {
  readonly zxid: number;
  readonly epoch: number;
  /** Canonical encoding. */
  readonly bytes: Uint8Array;
  /** Continues the CRC of the row before. */
  readonly crc: number;
}

/** Takes canonical bytes apart; `crc` is that of the row before the first. Throws DecodeError. */
export function splitRows(bytes: Uint8Array, crc: number): Row[] {
  const rows: Row[] = [];
  const reader = new ByteReader(bytes);
  let chain = crc;
  while (!reader.done) {
    const start = reader.at;
    const end = start + 4 + reader.fixed32();
    if (end > bytes.length) throw new DecodeError("a transaction is longer than its batch");
    reader.varint(); // the format
    const zxid = reader.varint();
    const epoch = reader.varint();
    const own = bytes.subarray(start, end);
    chain = crc32(own, chain);
    rows.push({ zxid, epoch, bytes: own, crc: chain });
    reader.at = end;
  }
  return rows;
}

/** How many rows, from the first on, continue the chain without a gap. */
export function verifiedRows(rows: readonly Row[], after: LogPosition, crc: number): number {
  let chain = crc;
  let { zxid, epoch } = after;
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    chain = crc32(row.bytes, chain);
    if (row.crc !== chain || row.zxid !== zxid + 1 || row.epoch < epoch) return at;
    ({ zxid, epoch } = row);
  }
  return rows.length;
}

export function joinRows(rows: readonly Row[]): Uint8Array {
  let length = 0;
  for (const row of rows) length += row.bytes.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const row of rows) {
    whole.set(row.bytes, at);
    at += row.bytes.length;
  }
  return whole;
}

/** The last transaction of each epoch, ascending. */
export function boundariesOf(rows: readonly Row[]): LogPosition[] {
  const ends: LogPosition[] = [];
  for (let at = 0; at < rows.length; at++) {
    const { zxid, epoch } = rows[at]!;
    if (at === rows.length - 1 || rows[at + 1]!.epoch !== epoch) ends.push({ zxid, epoch });
  }
  return ends;
}

export function positionOf(row: Row | undefined): LogPosition | undefined {
  return row === undefined ? undefined : { zxid: row.zxid, epoch: row.epoch };
}

/** What transaction 1 says; undefined for any other. */
export function foundingOf(row: Row): Founding | undefined {
  if (row.zxid !== 1) return undefined;
  const op = decodeTxn(new ByteReader(row.bytes)).ops[0]!;
  return op.kind === OpKind.found ? parseFounding(op.detail) : undefined;
}
