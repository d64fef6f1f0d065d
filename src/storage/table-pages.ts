/**
 * Reads the rows of a table straight out of the pages of an SQLite file, for the one case where that matters: a start
 * with millions of znodes, or with hundreds of thousands of transactions to replay. Every value that passes through the
 * SQLite binding costs about 80 ns, twenty of them for each znode and forty for each transaction; here they cost the
 * reading of their bytes.
 *
 * The format is the one at sqlite.org/fileformat2.html, which SQLite promises to keep:
 *
 *   interior page  5, cells of (child page (4), key), rightmost child page (4) in the header
 *   leaf page      13, cells of (payload size, rowid, payload), where a large payload goes on in a list of overflow pages
 *   payload        header size, a serial type for each column, the values; numbers are big-endian
 *
 * A table without rowids is kept as an index: interior pages (2) have cells of (child page (4), payload size, payload),
 * whose rows come between those of their children, leaf pages (10) have cells of (payload size, payload).
 *
 * Nothing is trusted: whoever reads this way verifies a checksum of each row. The file must be at rest, its WAL empty.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { StorageError } from "./storage-error.ts";

const interiorPage = 5;
const leafPage = 13;
const interiorIndexPage = 2;
const leafIndexPage = 10;
const deepest = 20;
/** Pages read at once: leaves of a table that grew in order lie next to each other. */
const pagesPerRead = 32;

export class TablePages {
  private readonly file: number;
  readonly pageSize: number;
  /** Bytes of a page that SQLite uses. */
  private readonly usable: number;
  private readonly block: Buffer;
  private blockStart = -1;
  private readonly overflow: Buffer;

  constructor(path: string) {
    this.file = openSync(path, "r");
    const header = Buffer.alloc(100);
    readSync(this.file, header, 0, 100, 0);
    const size = header.readUInt16BE(16);
    this.pageSize = size === 1 ? 65536 : size;
    this.usable = this.pageSize - header.readUInt8(20);
    this.block = Buffer.alloc(pagesPerRead * this.pageSize);
    this.overflow = Buffer.alloc(this.pageSize);
  }

  close(): void {
    closeSync(this.file);
  }

  /** The leaf pages of the table with this root, in the order of rowids. */
  leaves(root: number): number[] {
    const found: number[] = [];
    this.collectLeaves(root, found, 0);
    return found;
  }

  private collectLeaves(number: number, found: number[], depth: number): void {
    const page = Buffer.from(this.page(number));
    if (page.readUInt8(0) === leafPage) {
      found.push(number);
      return;
    }
    if (page.readUInt8(0) !== interiorPage || depth > deepest) throw malformed(number);
    const cells = page.readUInt16BE(3);
    const children: number[] = [];
    for (let i = 0; i < cells; i++) children.push(page.readUInt32BE(page.readUInt16BE(12 + 2 * i)));
    children.push(page.readUInt32BE(8));
    // All children are of one kind: only the first is looked at.
    if (this.page(children[0]!).readUInt8(0) === leafPage) found.push(...children);
    else for (const child of children) this.collectLeaves(child, found, depth + 1);
  }

  /** Calls `row` with a reader of each row of a leaf, positioned at its first column. */
  forEachRow(leaf: number, reader: RecordReader, row: (rowid: number) => void): void {
    const page = this.page(leaf);
    if (page[0] !== leafPage) throw malformed(leaf);
    const cells = (page[3]! << 8) | page[4]!;
    for (let i = 0; i < cells; i++) {
      const at = 8 + 2 * i;
      reader.seek(page, (page[at]! << 8) | page[at + 1]!);
      const size = reader.varint();
      const rowid = reader.varint();
      const local = this.localSize(size);
      if (local === size) reader.begin(size);
      else reader.beginCopied(this.wholePayload(page, reader.at, size, local));
      row(rowid);
    }
  }

  /**
   * Calls `row` for each row of a table without rowids whose first column, a number, is above `after`, in the order of
   * its key, with a reader positioned behind that column. Yields after each leaf.
   */
  *rowsAfter(root: number, after: number, reader: RecordReader, row: (first: number) => void): Generator<void, void> {
    yield* this.indexRowsAfter(root, after, reader, row, 0);
  }

  private *indexRowsAfter(
    number: number,
    after: number,
    reader: RecordReader,
    row: (first: number) => void,
    depth: number,
  ): Generator<void, void> {
    const page = this.indexPage(number);
    const isLeaf = page[0] === leafIndexPage;
    if (!isLeaf && (page[0] !== interiorIndexPage || depth > deepest)) throw malformed(number);
    const header = isLeaf ? 8 : 12;
    const cells = page.readUInt16BE(3);
    for (let i = 0; i < cells; i++) {
      const cell = page.readUInt16BE(header + 2 * i);
      const payload = isLeaf ? cell : cell + 4;
      // What is before a row has lower keys: the whole child is passed over.
      if (this.beginIndexRow(page, payload, reader) <= after) continue;
      if (!isLeaf) {
        yield* this.indexRowsAfter(page.readUInt32BE(cell), after, reader, row, depth + 1);
      }
      row(isLeaf ? reader.first : this.beginIndexRow(page, payload, reader));
    }
    if (isLeaf) yield;
    else yield* this.indexRowsAfter(page.readUInt32BE(8), after, reader, row, depth + 1);
  }

  /** Positions the reader behind the first column of a row, which is returned. */
  private beginIndexRow(page: Buffer, at: number, reader: RecordReader): number {
    reader.seek(page, at);
    const size = reader.varint();
    const local = this.localSize(size, Math.floor(((this.usable - 12) * 64) / 255) - 23);
    if (local === size) reader.begin(size);
    else reader.beginCopied(this.wholePayload(page, reader.at, size, local));
    return (reader.first = reader.integer());
  }

  /** A leaf is valid until another page is asked for; others are copies. */
  private indexPage(number: number): Buffer {
    const page = this.page(number);
    return page[0] === leafIndexPage ? page : Buffer.from(page);
  }

  /** How many bytes of a payload are on the page itself. */
  private localSize(size: number, most = this.usable - 35): number {
    const { usable } = this;
    if (size <= most) return size;
    const least = (((usable - 12) * 32) / 255 - 23) | 0;
    const wanted = least + ((size - least) % (usable - 4));
    return wanted <= most ? wanted : least;
  }

  private wholePayload(page: Buffer, at: number, size: number, local: number): Buffer {
    const payload = Buffer.allocUnsafe(size);
    page.copy(payload, 0, at, at + local);
    let next = page.readUInt32BE(at + local);
    for (let filled = local; filled < size;) {
      if (next === 0) throw malformed(next);
      this.read(this.overflow, next, 1);
      const count = Math.min(size - filled, this.usable - 4);
      this.overflow.copy(payload, filled, 4, 4 + count);
      filled += count;
      next = this.overflow.readUInt32BE(0);
    }
    return payload;
  }

  /** A page; valid until another is asked for. */
  private page(number: number): Buffer {
    const index = number - 1;
    const start = index - (index % pagesPerRead);
    if (start !== this.blockStart) {
      this.read(this.block, start + 1, pagesPerRead);
      this.blockStart = start;
    }
    const at = (index - start) * this.pageSize;
    return this.block.subarray(at, at + this.pageSize);
  }

  private read(into: Buffer, number: number, pages: number): void {
    const read = readSync(this.file, into, 0, pages * this.pageSize, (number - 1) * this.pageSize);
    // Only the last block of a file is short.
    if (read < this.pageSize) throw malformed(number);
    into.fill(0, read, pages * this.pageSize);
  }
}

/** Reads the columns of one record after the other, in their order. */
export class RecordReader {
  at = 0;
  /** The first column, where it was read already. */
  first = 0;
  /** Where the value is that `span` read, in `source`. */
  spanStart = 0;
  spanEnd = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private buffer: Buffer = Buffer.alloc(0);
  /** Where the next serial type is, and where its value. */
  private typeAt = 0;
  private valueAt = 0;
  private end = 0;

  seek(buffer: Buffer, at: number): void {
    this.buffer = buffer;
    this.bytes = buffer;
    this.at = at;
  }

  /** A record of `size` bytes begins here. */
  begin(size: number): void {
    const start = this.at;
    this.end = start + size;
    const header = this.varint();
    this.typeAt = this.at;
    this.valueAt = start + header;
    if (this.end > this.bytes.length || this.valueAt > this.end)
      throw new StorageError("CORRUPT", "a malformed record");
  }

  beginCopied(payload: Buffer): void {
    this.seek(payload, 0);
    this.begin(payload.length);
  }

  /** SQLite's varint: big-endian, seven bits a byte, the ninth byte whole. Exact up to 2^53. */
  varint(): number {
    const { bytes } = this;
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const byte = bytes[this.at++]!;
      if (byte < 128) return value * 128 + byte;
      value = value * 128 + (byte & 127);
    }
    return value * 256 + bytes[this.at++]!;
  }

  private type(): number {
    const byte = this.bytes[this.typeAt]!;
    if (byte < 128) {
      this.typeAt++;
      return byte;
    }
    this.at = this.typeAt;
    const type = this.varint();
    this.typeAt = this.at;
    return type;
  }

  /** Passes over the column that is the rowid itself, which is stored as NULL. */
  skipRowid(): void {
    this.typeAt++;
  }

  /** Passes over columns that are numbers. */
  skip(columns: number): void {
    for (let i = 0; i < columns; i++) this.integer();
  }

  integer(): number {
    const { bytes } = this;
    const at = this.valueAt;
    switch (this.type()) {
      case 8:
        return 0;
      case 9:
        return 1;
      case 1:
        this.valueAt = at + 1;
        return (bytes[at]! << 24) >> 24;
      case 2:
        this.valueAt = at + 2;
        return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
      case 3:
        this.valueAt = at + 3;
        return ((bytes[at]! << 24) >> 8) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      case 4:
        this.valueAt = at + 4;
        return this.int32(at);
      case 5:
        this.valueAt = at + 6;
        return (((bytes[at]! << 24) >> 16) | bytes[at + 1]!) * 0x100000000 + (this.int32(at + 2) >>> 0);
      case 6:
        this.valueAt = at + 8;
        return this.int32(at) * 0x100000000 + (this.int32(at + 4) >>> 0);
      default:
        throw new StorageError("CORRUPT", "a number is stored as something else");
    }
  }

  private int32(at: number): number {
    const { bytes } = this;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  text(): string {
    const type = this.type();
    if (type < 13 || type % 2 === 0) throw new StorageError("CORRUPT", "a text is stored as something else");
    const start = this.valueAt;
    this.valueAt = start + (type - 13) / 2;
    if (this.valueAt > this.end) throw new StorageError("CORRUPT", "a malformed record");
    for (let i = start; i < this.valueAt; i++)
      if (this.bytes[i]! > 127) return this.buffer.toString("utf8", start, this.valueAt);
    return this.buffer.toString("latin1", start, this.valueAt);
  }

  /** The bytes of the row; valid until the next one. */
  get source(): Uint8Array {
    return this.bytes;
  }

  /** A text or blob as it is stored: tells where it lies. False for NULL. */
  span(): boolean {
    const type = this.type();
    if (type === 0) return false;
    if (type < 12) throw new StorageError("CORRUPT", "a text or blob is stored as something else");
    this.spanStart = this.valueAt;
    this.valueAt += (type - 12) >> 1;
    this.spanEnd = this.valueAt;
    if (this.valueAt > this.end) throw new StorageError("CORRUPT", "a malformed record");
    return true;
  }

  /** A view, valid until the next row. Null for NULL. */
  blob(): Uint8Array | null {
    const type = this.type();
    if (type === 0) return null;
    if (type < 12 || type % 2 === 1) throw new StorageError("CORRUPT", "a blob is stored as something else");
    const start = this.valueAt;
    this.valueAt = start + (type - 12) / 2;
    if (this.valueAt > this.end) throw new StorageError("CORRUPT", "a malformed record");
    return this.bytes.subarray(start, this.valueAt);
  }
}

function malformed(page: number): StorageError {
  return new StorageError("CORRUPT", `page ${page} is not what its place in the file says`);
}
