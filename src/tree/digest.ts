/**
 * The digest of the tree: the sum, over all znodes, of a hash of everything that is replicated about one. A sum does
 * not depend on order and changes by difference, so a transaction costs the hashes of the znodes it touches. Data
 * enters by its CRC and is never hashed again.
 */
import { finish, mix, mixNumber } from "../base/hash.ts";
import type { Stat } from "./stat.ts";

/** One znode's part of the digest, as a number of 53 bits. `dataLength` is -1 when there is no data. */
export function znodeDigest(
  pathHash: number,
  id: number,
  acl: number,
  rowZxid: number,
  dataCrc: number,
  dataLength: number,
  stat: Readonly<Stat>,
): number {
  let h = mixNumber(pathHash, stat.czxid);
  h = mixNumber(h, stat.mzxid);
  h = mixNumber(h, stat.pzxid);
  h = mixNumber(h, stat.mtime);
  h = mix(h, stat.version);
  h = mix(h, dataCrc | 0);
  let g = mixNumber(h, stat.ctime);
  g = mixNumber(g, stat.owner);
  g = mixNumber(g, stat.sequence);
  g = mixNumber(g, id);
  g = mixNumber(g, rowZxid);
  g = mix(g, stat.aversion);
  g = mix(g, stat.children);
  g = mix(g, dataLength);
  g = mix(g, acl);
  g = mix(g, stat.kind);
  return (finish(mix(h, g)) & 0x1fffff) * 0x100000000 + (finish(mix(g, h)) >>> 0);
}

/** A running sum of parts, modulo 2^53. */
export class DigestSum {
  private low = 0;
  private high = 0;

  add(part: number): void {
    const low = this.low + (part >>> 0);
    this.low = low >>> 0;
    this.high = (this.high + Math.floor(part / 0x100000000) + (low > 0xffffffff ? 1 : 0)) & 0x1fffff;
  }

  subtract(part: number): void {
    const low = this.low - (part >>> 0);
    this.low = low >>> 0;
    this.high = (this.high - Math.floor(part / 0x100000000) - (low < 0 ? 1 : 0)) & 0x1fffff;
  }

  get value(): number {
    return this.high * 0x100000000 + this.low;
  }

  set value(sum: number) {
    this.low = sum >>> 0;
    this.high = Math.floor(sum / 0x100000000) & 0x1fffff;
  }
}

/** A digest as people see it: 16 hexadecimal digits. */
export function formatDigest(sum: number): string {
  return sum.toString(16).padStart(16, "0");
}
