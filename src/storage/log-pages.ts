/**
 * Transactions out of the pages of log.db: their rows become canonical bytes, column by column, and these must continue
 * the chain of CRCs. Does what TxnAssembler and LogChain do, without objects for a transaction or a string in it.
 */
import { crc32 } from "node:zlib";
import { ByteWriter } from "../base/bytes.ts";
import { txnFormat } from "../replica/txn-codec.ts";
import type { ChainPoint } from "./log-chain.ts";
import { StorageError } from "./storage-error.ts";
import { RecordReader, type TablePages } from "./table-pages.ts";

/** Whole transactions, and where the chain is after them. */
export interface LogPiece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly point: ChainPoint;
}

const pieceBytes = 512 * 1024;

export class LogPages {
  private readonly pages: TablePages;
  private readonly root: number;
  private readonly record = new RecordReader();
  private readonly writer = new ByteWriter(2 * pieceBytes);
  /** What is proved so far. */
  private point: ChainPoint;
  /** Bytes of whole transactions, all proved, at the beginning of what is written. */
  private proved = 0;

  // The transaction whose rows are being read; none when `count` is 0.
  private zxid = 0;
  private epoch = 0;
  private count = 0;
  private readonly ends: number[] = [];
  private readonly crcs: number[] = [];

  /** `root`: the root page of the table `proposal`. */
  constructor(pages: TablePages, root: number, point: ChainPoint) {
    this.pages = pages;
    this.root = root;
    this.point = point;
  }

  /** Everything after the point. Damage is told by a StorageError, after the pieces that lie before it. */
  *pieces(): Generator<LogPiece, void> {
    try {
      for (const _ of this.pages.rowsAfter(this.root, this.point.zxid, this.record, this.row)) {
        if (this.proved >= pieceBytes) yield this.take();
      }
      if (this.count > 0) throw missingRow(this.zxid, this.ends.length);
    } catch (error) {
      if (this.proved > 0) yield this.take();
      // Positions in a damaged page lead anywhere.
      if (error instanceof RangeError || error instanceof TypeError) {
        throw new StorageError("CORRUPT", `log.db is damaged: ${error.message}`, { cause: error });
      }
      throw error;
    }
    if (this.proved > 0) yield this.take();
  }

  private take(): LogPiece {
    const { writer, proved, point } = this;
    const bytes = writer.bytes.slice(0, proved);
    writer.bytes.copyWithin(0, proved, writer.length);
    writer.length -= proved;
    for (let i = 0; i < this.ends.length; i++) this.ends[i]! -= proved;
    this.proved = 0;
    return { bytes, point };
  }

  private readonly row = (zxid: number): void => {
    const { record, writer } = this;
    const op = record.integer();
    const format = record.integer();
    const epoch = record.integer();
    const count = record.integer();
    if (this.count === 0) this.begin(zxid, op, { format, epoch, count });
    else if (zxid !== this.zxid || op !== this.ends.length) throw missingRow(this.zxid, this.ends.length);
    if (op === 0) {
      writer.fixed32(0);
      writer.varint(format);
      writer.varint(zxid);
      writer.varint(epoch);
      this.numbers(5);
      this.text();
      this.numbers(1);
      writer.varint(count);
    } else {
      // Header columns are repeated on every row.
      record.skip(5);
      record.span();
      record.skip(1);
    }
    this.operation(op);
    this.ends.push(writer.length);
    this.crcs.push(record.integer());
    if (this.ends.length === this.count) this.finish();
  };

  private begin(zxid: number, op: number, header: { format: number; epoch: number; count: number }): void {
    if (op !== 0) throw missingRow(zxid, 0);
    if (header.format !== txnFormat) {
      throw new StorageError("FOREIGN", `transaction ${zxid} has the unknown format ${header.format}`);
    }
    if (zxid !== this.point.zxid + 1) {
      throw new StorageError("CORRUPT", `transaction ${zxid} follows transaction ${this.point.zxid}`);
    }
    if (header.epoch < this.point.epoch) {
      const problem = `transaction ${zxid} of epoch ${header.epoch} follows epoch ${this.point.epoch}`;
      throw new StorageError("CORRUPT", problem);
    }
    if (header.count < 1) throw new StorageError("CORRUPT", `transaction ${zxid} has no operations`);
    this.zxid = zxid;
    this.epoch = header.epoch;
    this.count = header.count;
  }

  /** Columns from `kind` to `detail`, which are in the order of the canonical encoding. */
  private operation(index: number): void {
    const { record, writer } = this;
    writer.varint(index);
    writer.byte(record.integer());
    writer.byte(record.integer());
    this.numbers(2);
    writer.byte(record.integer());
    this.text();
    this.numbers(3);
    this.text();
    this.numbers(1);
    this.data();
    this.numbers(5);
    writer.signed(record.integer());
    writer.signed(record.integer());
    this.numbers(3);
    writer.byte(record.integer());
    this.numbers(2);
    this.text();
  }

  private numbers(count: number): void {
    const { record, writer } = this;
    for (let i = 0; i < count; i++) writer.varint(record.integer());
  }

  private text(): void {
    const { record, writer } = this;
    if (!record.span()) throw new StorageError("CORRUPT", `a text of transaction ${this.zxid} is missing`);
    writer.varint(record.spanEnd - record.spanStart);
    this.copySpan();
  }

  private data(): void {
    const { record, writer } = this;
    if (!record.span()) {
      writer.byte(0);
      record.skip(1);
      return;
    }
    writer.byte(1);
    writer.varint(record.spanEnd - record.spanStart);
    writer.fixed32(record.integer());
    this.copySpan();
  }

  private copySpan(): void {
    const { source, spanStart, spanEnd } = this.record;
    this.writer.raw(source.subarray(spanStart, spanEnd));
  }

  /** Proves the transaction that is written. */
  private finish(): void {
    const { writer, ends, crcs, zxid, epoch } = this;
    const end = writer.length;
    writer.length = this.proved;
    writer.fixed32(end - this.proved - 4);
    writer.length = end;
    let { crc } = this.point;
    let from = this.proved;
    for (let index = 0; index < ends.length; index++) {
      crc = crc32(writer.bytes.subarray(from, ends[index]), crc);
      if (crc !== crcs[index]) {
        throw new StorageError("CORRUPT", `row ${index} of transaction ${zxid} fails its checksum`);
      }
      from = ends[index]!;
    }
    this.point = { zxid, epoch, crc };
    this.proved = end;
    this.count = 0;
    ends.length = 0;
    crcs.length = 0;
  }
}

function missingRow(zxid: number, op: number): StorageError {
  return new StorageError("CORRUPT", `row ${op} of transaction ${zxid} is missing`);
}
