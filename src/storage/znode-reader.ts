/** Reads znodes out of tree.db and packs them for the tree, verifying each row. Runs in the loading threads. */
import { crc32 } from "node:zlib";
import { ZnodeChunkPacker, znodesPerChunk, type ZnodeChunk } from "../tree/znode-chunk.ts";
import type { Connection } from "./database.ts";
import type { SqlRow } from "./proposal-rows.ts";
import { StorageError } from "./storage-error.ts";
import { znodeChecksum, znodeColumns } from "./tree-schema.ts";

/** Rows of one statement. With the largest data that is as much memory as a thread may take. */
const rowsPerRead = 256;
/** A chunk with this much data is handed on although it is not full. */
const chunkDataBytes = 32 * 1024 * 1024;

/** The znodes with identities above `after` up to `upTo`, in chunks. */
export function* readChunks(db: Connection, after: number, upTo: number): Generator<ZnodeChunk, void> {
  const select = `SELECT ${znodeColumns} FROM znode WHERE id > ? AND id <= ? ORDER BY id LIMIT ${rowsPerRead}`;
  const statement = db.prepare(select).raw(true);
  let packer = new ZnodeChunkPacker();
  let at = after;
  for (;;) {
    const rows = statement.all(at, upTo) as SqlRow[];
    for (const row of rows) addRow(packer, row);
    if (rows.length < rowsPerRead) break;
    at = rows.at(-1)![0] as number;
    if (packer.count + rowsPerRead > znodesPerChunk || packer.dataBytes > chunkDataBytes) {
      yield packer.finish();
      packer = new ZnodeChunkPacker();
    }
  }
  if (packer.count > 0) yield packer.finish();
}

function addRow(packer: ZnodeChunkPacker, row: SqlRow): void {
  const id = row[0] as number;
  const parent = row[1] as number;
  const name = row[2] as string;
  const data = row[3] as Uint8Array | null;
  const dataCrc = row[4] as number;
  const rowZxid = row[6] as number;
  if (data !== null && crc32(data) !== dataCrc) throw damaged(id, "its data fails the checksum");
  const digest = packer.add(
    {
      id,
      parent,
      name,
      data,
      dataCrc,
      acl: row[5] as number,
      rowZxid,
      stat: {
        czxid: row[7] as number,
        mzxid: row[8] as number,
        pzxid: row[9] as number,
        ctime: row[10] as number,
        mtime: row[11] as number,
        version: row[12] as number,
        aversion: row[13] as number,
        owner: row[14] as number,
        sequence: row[15] as number,
        children: row[16] as number,
        kind: row[17] as number,
        dataLength: data === null ? 0 : data.length,
      },
    },
    row[18] as number,
  );
  if (znodeChecksum(digest, parent, name, rowZxid) !== row[19]) throw damaged(id, "it fails its checksum");
}

function damaged(id: number, problem: string): StorageError {
  return new StorageError("CORRUPT", `znode ${id} in tree.db is damaged: ${problem}`);
}
