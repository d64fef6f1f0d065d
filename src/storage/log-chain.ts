/**
 * The chain of CRCs through the log: each row's CRC continues the one before it, so a row that is changed, missing,
 * doubled or out of place shows at the next one. Segments are those of the canonical encoding: the header with the first
 * operation, then each further operation.
 */
import { crc32 } from "node:zlib";
import { ByteReader, ByteWriter, DecodeError } from "../base/bytes.ts";
import { decodeTxn, encodeTxn, txnFormat } from "../replica/txn-codec.ts";
import type { Txn } from "../tree/txn.ts";
import type { StoredTxn } from "./proposal-rows.ts";
import { StorageError } from "./storage-error.ts";

/** Where a chain stands: the last transaction, and the CRC after its last row. */
export interface ChainPoint {
  readonly zxid: number;
  readonly epoch: number;
  readonly crc: number;
}

/** Follows a chain from a known point; refuses whatever does not continue it. */
export class LogChain {
  zxid: number;
  epoch: number;
  crc: number;
  private readonly ends: number[] = [];
  private readonly writer = new ByteWriter(4096);

  constructor(start: ChainPoint) {
    this.zxid = start.zxid;
    this.epoch = start.epoch;
    this.crc = start.crc;
  }

  get point(): ChainPoint {
    return { zxid: this.zxid, epoch: this.epoch, crc: this.crc };
  }

  /** Reads the next transaction out of canonical bytes; calls `row` with the CRC of each of its rows. */
  follow(reader: ByteReader, bytes: Uint8Array, row: (txn: Txn, index: number, crc: number) => void): Txn {
    const { ends } = this;
    ends.length = 0;
    let from = reader.at;
    const txn = decodeTxn(reader, ends);
    this.checkNext(txn);
    for (let index = 0; index < ends.length; index++) {
      const end = ends[index]!;
      this.crc = crc32(bytes.subarray(from, end), this.crc);
      row(txn, index, this.crc);
      from = end;
    }
    return txn;
  }

  /** Verifies a transaction read from rows; returns its canonical bytes, valid until the next call. */
  verify(stored: StoredTxn): Uint8Array {
    const { txn } = stored;
    if (stored.format !== txnFormat) {
      throw new StorageError("FOREIGN", `transaction ${txn.zxid} has the unknown format ${stored.format}`);
    }
    this.writer.reset();
    encodeTxn(txn, this.writer);
    const bytes = this.writer.view();
    try {
      this.follow(new ByteReader(bytes), bytes, (_, index, crc) => {
        if (crc !== stored.crcs[index]) {
          throw new StorageError("CORRUPT", `row ${index} of transaction ${txn.zxid} fails its checksum`);
        }
      });
    } catch (error) {
      // What cannot be encoded and decoded again was not written by us.
      if (!(error instanceof DecodeError)) throw error;
      throw new StorageError("CORRUPT", `transaction ${txn.zxid} is malformed: ${error.message}`, { cause: error });
    }
    return bytes;
  }

  private checkNext(txn: Txn): void {
    if (txn.zxid !== this.zxid + 1) {
      throw new StorageError("CORRUPT", `transaction ${txn.zxid} follows transaction ${this.zxid}`);
    }
    if (txn.epoch < this.epoch) {
      throw new StorageError("CORRUPT", `transaction ${txn.zxid} of epoch ${txn.epoch} follows epoch ${this.epoch}`);
    }
    this.zxid = txn.zxid;
    this.epoch = txn.epoch;
  }
}
