import { expect, it } from "vitest";
import { AssertionError } from "./assert.ts";
import { epoch, nextZxid, serverId, sessionId, writeId, zxid } from "./ids.ts";

it("takes whole numbers from 0 to 2^53 - 1 and nothing else", () => {
  for (const make of [zxid, epoch, serverId, sessionId, writeId]) {
    expect([make(0), make(Number.MAX_SAFE_INTEGER)]).toEqual([0, Number.MAX_SAFE_INTEGER]);
    for (const bad of [-1, 0.5, NaN, Infinity, 2 ** 53]) expect(() => make(bad)).toThrow(AssertionError);
  }
});

it("counts zxids without gaps and stops before they become inexact", () => {
  expect(nextZxid(zxid(2 ** 32 - 1))).toBe(2 ** 32);
  expect(() => nextZxid(zxid(Number.MAX_SAFE_INTEGER))).toThrow(AssertionError);
});
