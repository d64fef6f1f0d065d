/** Reads znodes out of tree.db and packs them for the tree, verifying each row. Runs in the loading threads. */
import { crc32 } from "node:zlib";
import { hashAscii } from "../base/hash.ts";
import { emptyStat } from "../tree/stat.ts";
import { ZnodeChunkPacker, znodesPerChunk, type ZnodeChunk } from "../tree/znode-chunk.ts";
import { StorageError } from "./storage-error.ts";
import { RecordReader, type TablePages } from "./table-pages.ts";
import { nameSeed, znodeChecksum, znodeChecksumOf } from "./tree-schema.ts";

/** A chunk with this much data is handed on although it is not full. */
const chunkDataBytes = 32 * 1024 * 1024;
/** What a znode takes on a leaf page at least: a type for each of its columns, and what every row has. */
const leastRowBytes = 24;

/** The znodes on these leaf pages of tree.db's table `znode`, in chunks. */
export function* readChunks(pages: TablePages, leaves: readonly number[]): Generator<ZnodeChunk, void> {
  const rows = new ZnodeRows();
  const fullAt = znodesPerChunk - Math.ceil(pages.pageSize / leastRowBytes);
  for (const leaf of leaves) {
    pages.forEachRow(leaf, rows.record, rows.add);
    if (rows.packer.count <= fullAt && rows.packer.dataBytes < chunkDataBytes) continue;
    yield rows.packer.finish();
    rows.packer = new ZnodeChunkPacker();
  }
  if (rows.packer.count > 0) yield rows.packer.finish();
}

/** Takes rows, column by column in the order of `znodeColumns`, into one object that is used again and again. */
class ZnodeRows {
  packer = new ZnodeChunkPacker();
  readonly record = new RecordReader();
  private readonly stat = emptyStat();
  private readonly row = {
    ...{ id: 0, parent: 0, name: "", data: null as Uint8Array | null, dataCrc: 0, acl: 0, rowZxid: 0 },
    stat: this.stat,
  };

  readonly add = (rowid: number): void => {
    const { record, row, stat } = this;
    record.skipRowid();
    row.id = rowid;
    row.parent = record.integer();
    record.span();
    const { source: bytes, spanStart: start, spanEnd: end } = record;
    const data = record.blob();
    row.data = data;
    row.dataCrc = record.integer();
    row.acl = record.integer();
    row.rowZxid = record.integer();
    stat.czxid = record.integer();
    stat.mzxid = record.integer();
    stat.pzxid = record.integer();
    stat.ctime = record.integer();
    stat.mtime = record.integer();
    stat.version = record.integer();
    stat.aversion = record.integer();
    stat.owner = record.integer();
    stat.sequence = record.integer();
    stat.children = record.integer();
    stat.kind = record.integer();
    const pathHash = record.integer();
    const checksum = record.integer();
    stat.dataLength = data === null ? 0 : data.length;
    if (data !== null && crc32(data) !== row.dataCrc) throw damaged(rowid, "its data fails the checksum");
    // A string for each of a million names would be half the work.
    const nameHash = hashAscii(bytes, start, end, nameSeed);
    if (nameHash !== undefined) {
      const digest = this.packer.addWithAsciiName(row, pathHash, { bytes, start, end });
      if (znodeChecksumOf(nameHash, digest, row.parent) !== checksum) throw damaged(rowid, "it fails its checksum");
      return;
    }
    row.name = Buffer.from(bytes.subarray(start, end)).toString("utf8");
    const digest = this.packer.add(row, pathHash);
    if (znodeChecksum(digest, row.parent, row.name) !== checksum) throw damaged(rowid, "it fails its checksum");
  };
}

function damaged(id: number, problem: string): StorageError {
  return new StorageError("CORRUPT", `znode ${id} in tree.db is damaged: ${problem}`);
}
