import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { crc32 } from "./crc32.ts";

it("is the CRC-32 of zlib, at every length and alignment", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, index) => (index * 197 + 13) & 255);
  for (let start = 0; start < 8; start++) {
    for (let end = start; end < bytes.length; end += 7) {
      expect(crc32(bytes.subarray(start, end))).toBe(zlibCrc32(bytes.subarray(start, end)));
    }
  }
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
});

it("continues from the CRC of what came before", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (first, second) => {
      const whole = Uint8Array.from([...first, ...second]);
      expect(crc32(second, crc32(first))).toBe(zlibCrc32(whole));
    }),
  );
});

it("is 0 for no bytes", () => {
  expect(crc32(new Uint8Array(0))).toBe(0);
});
