/** Small integer hashes: for tables in memory and for digests, never for anything an attacker must not forge. */

/** Mixes one 32-bit value into a running 32-bit hash (the step of MurmurHash3). */
export function mix(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  let h = hash ^ Math.imul(k, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/** Mixes a whole number up to 2^53 (either sign) into a running hash. */
export function mixNumber(hash: number, value: number): number {
  return mix(mix(hash, value | 0), (value / 0x100000000) | 0);
}

/** Spreads the bits of a finished hash (the finalizer of MurmurHash3). */
export function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Hash of a string's UTF-16 code units, continuing from `hash`. */
export function hashString(text: string, hash = 0): number {
  let h = hash;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}

/** Likewise of the string that these bytes spell in ASCII; undefined when one of them is not ASCII. */
export function hashAscii(bytes: Uint8Array, start: number, end: number, hash = 0): number | undefined {
  let h = hash;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > 127) return undefined;
    h = Math.imul(h ^ byte, 0x01000193);
  }
  return h;
}
