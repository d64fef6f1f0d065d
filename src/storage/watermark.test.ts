import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { temporaryDirectory } from "./testing/storage-fixture.ts";
import { Watermark } from "./watermark.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let path: string;
beforeEach(() => {
  dir = temporaryDirectory();
  path = join(dir.path, "watermark");
});
afterEach(() => dir.remove());

function stored(): { zxid: number; epoch: number } {
  const watermark = new Watermark(path);
  watermark.close();
  return watermark.current;
}

test("remembers the highest position, and a lowering", () => {
  const watermark = new Watermark(path);
  expect(watermark.current).toEqual({ zxid: 0, epoch: 0 });
  watermark.raise({ zxid: 10, epoch: 1 });
  watermark.raise({ zxid: 9, epoch: 1 });
  expect(stored()).toEqual({ zxid: 10, epoch: 1 });
  watermark.raise({ zxid: 2 ** 50, epoch: 2 ** 40 });
  expect(stored()).toEqual({ zxid: 2 ** 50, epoch: 2 ** 40 });
  watermark.lower({ zxid: 7, epoch: 1 });
  expect(stored()).toEqual({ zxid: 7, epoch: 1 });
  watermark.close();
});

test("a torn slot leaves the one before", () => {
  const watermark = new Watermark(path);
  watermark.raise({ zxid: 10, epoch: 1 });
  watermark.raise({ zxid: 20, epoch: 1 });
  watermark.close();
  const bytes = readFileSync(path);
  // The second raise is in the first slot.
  bytes[22] = bytes[22]! ^ 1;
  writeFileSync(path, bytes);
  expect(stored()).toEqual({ zxid: 10, epoch: 1 });
});
