import { expect, it } from "vitest";
import { finish, hashString, mix, mixNumber } from "./hash.ts";

/** Inputs that differ little. */
const numbers = [0, 1, -1, 2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 52, 2 ** 53 - 1, -(2 ** 40)];

it("mixes all 53 bits of a number", () => {
  const hashes = new Set(numbers.map((value) => finish(mixNumber(0, value))));
  expect(hashes.size).toBe(numbers.length);
});

it("depends on the order of what is mixed", () => {
  expect(mix(mix(0, 1), 2)).not.toBe(mix(mix(0, 2), 1));
});

it("hashes every character of a string", () => {
  const texts = ["", "a", "b", "ab", "ba", "aa", "/a/b", "/a/c", "é", "日"];
  expect(new Set(texts.map((text) => finish(hashString(text)))).size).toBe(texts.length);
});

it("spreads names that differ in their last digits over the low bits", () => {
  const buckets = new Int32Array(256);
  for (let i = 0; i < 25_600; i++) {
    const hash = finish(hashString(`/locks/lock-${String(i).padStart(10, "0")}`));
    buckets[hash & 255] = buckets[hash & 255]! + 1;
  }
  // 100 on average; a fair throw stays within six standard deviations.
  expect(Math.min(...buckets)).toBeGreaterThan(40);
  expect(Math.max(...buckets)).toBeLessThan(160);
});
