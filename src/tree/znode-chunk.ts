/**
 * Znodes of a checkpoint, packed the way the tree keeps them: records of the znode table, data in blocks of the slab,
 * names. A loader packs chunks in threads of its own, in the order of ids; the tree adopts the buffers as they are.
 */
import { assert } from "../base/assert.ts";
import { DigestSum, znodeDigest } from "./digest.ts";
import { NamePacker, type PackedNames } from "./name-table.ts";
import { SlabPacker } from "./slab.ts";
import type { ZnodeRow } from "./tree.ts";
import { chunkRecords, chunkSlots, Narrow, Wide } from "./znode-table.ts";

export interface ZnodeChunk {
  readonly count: number;
  /** A chunk of the znode table. Missing in it: slots of parents and what follows from them. */
  readonly records: ArrayBuffer;
  /** Identities of the parents. */
  readonly parents: Float64Array<ArrayBuffer>;
  readonly names: PackedNames;
  /** Chunks of the slab; addresses in the records count from the first of them. */
  readonly data: readonly Uint8Array<ArrayBuffer>[];
  /** The znodes' part of the digest. */
  readonly digest: number;
}

type NamelessRow = Omit<ZnodeRow, "name">;

export const znodesPerChunk = chunkSlots;

/** Packs one chunk. */
export class ZnodeChunkPacker {
  private readonly records = new ArrayBuffer(chunkRecords);
  private readonly wide = new Float64Array(this.records);
  private readonly narrow = new Int32Array(this.records);
  private readonly parents = new Float64Array(chunkSlots);
  private readonly names = new NamePacker();
  private readonly slab = new SlabPacker();
  private readonly digest = new DigestSum();

  count = 0;

  get dataBytes(): number {
    return this.slab.bytes;
  }

  /** Adds a znode; returns its part of the digest. */
  add(row: ZnodeRow, pathHash: number): number {
    this.names.add(row.name);
    return this.addNameless(row, pathHash);
  }

  /** Likewise where the name is all ASCII and lies in `bytes`. */
  addWithAsciiName(
    row: NamelessRow,
    pathHash: number,
    name: { bytes: Uint8Array; start: number; end: number },
  ): number {
    this.names.addAscii(name.bytes, name.start, name.end);
    return this.addNameless(row, pathHash);
  }

  private addNameless(row: NamelessRow, pathHash: number): number {
    const slot = this.count++;
    assert(slot < chunkSlots, "a chunk of znodes is full");
    const { stat, data } = row;
    const { wide, narrow } = this;
    const dataLength = data === null ? -1 : data.length;
    const digest = znodeDigest(pathHash, row.id, row.acl, row.rowZxid, row.dataCrc, dataLength, stat);
    const w = slot << 4;
    wide[w + Wide.czxid] = stat.czxid;
    wide[w + Wide.mzxid] = stat.mzxid;
    wide[w + Wide.pzxid] = stat.pzxid;
    wide[w + Wide.ctime] = stat.ctime;
    wide[w + Wide.mtime] = stat.mtime;
    wide[w + Wide.owner] = stat.owner;
    wide[w + Wide.sequence] = stat.sequence;
    wide[w + Wide.rowZxid] = row.rowZxid;
    wide[w + Wide.id] = row.id;
    wide[w + Wide.digest] = digest;
    const n = slot << 5;
    narrow[n + Narrow.version] = stat.version;
    narrow[n + Narrow.aversion] = stat.aversion;
    narrow[n + Narrow.children] = stat.children;
    narrow[n + Narrow.dataAddress] = this.slab.add(data);
    narrow[n + Narrow.dataLength] = dataLength;
    narrow[n + Narrow.dataCrc] = row.dataCrc | 0;
    narrow[n + Narrow.acl] = row.acl;
    narrow[n + Narrow.pathHash] = pathHash;
    narrow[n + Narrow.kind] = stat.kind;
    this.parents[slot] = row.parent;
    this.digest.add(digest);
    return digest;
  }

  /** The chunk. The packer is used up. */
  finish(): ZnodeChunk {
    return {
      count: this.count,
      records: this.records,
      parents: this.parents,
      names: this.names.finish(),
      data: this.slab.finish(),
      digest: this.digest.value,
    };
  }
}
