/**
 * CRC-32 as in zlib and Ethernet (polynomial 0xEDB88320), sliced by four: about a quarter of the time of the
 * byte-wise loop. The storage layer computes the same function natively.
 */
const tables = makeTables();

function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const t0 = new Int32Array(256);
  const t1 = new Int32Array(256);
  const t2 = new Int32Array(256);
  const t3 = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    t0[i] = c;
  }
  for (let i = 0; i < 256; i++) {
    const a = t0[i]!;
    const b = (a >>> 8) ^ t0[a & 255]!;
    const c = (b >>> 8) ^ t0[b & 255]!;
    t1[i] = b;
    t2[i] = c;
    t3[i] = (c >>> 8) ^ t0[c & 255]!;
  }
  return [t0, t1, t2, t3];
}

/** The CRC of `bytes`, continuing from the CRC of what came before (0 at the start). From 0 to 2^32 - 1. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const [t0, t1, t2, t3] = tables;
  const length = bytes.length;
  let crc = ~before;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!;
  }
  for (; i < length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
