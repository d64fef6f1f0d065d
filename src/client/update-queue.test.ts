import { create } from "@bufbuild/protobuf";
import { expect, it, vi } from "vitest";
import { WatchUpdateSchema } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { UpdateQueue } from "./update-queue.ts";
import { ZabtreeError } from "./error.ts";

const update = create(WatchUpdateSchema);

it("hands out updates that came before and after somebody waited, then ends", async () => {
  const queue = new UpdateQueue(() => undefined);
  queue.push(update);
  expect(await queue.next()).toEqual({ done: false, value: update });
  const waiting = queue.next();
  queue.push(update);
  queue.end(undefined);
  expect((await waiting).done).toBe(false);
  expect((await queue.next()).done).toBe(true);
});

it("throws the error only after what came before it was read", async () => {
  const queue = new UpdateQueue(() => undefined);
  queue.push(update);
  queue.end(new ZabtreeError({ message: "gone", code: 14 }));
  expect((await queue.next()).done).toBe(false);
  await expect(queue.next()).rejects.toThrow("gone");
  expect((await queue.next()).done).toBe(true);
});

it("ends with SLOW_CONSUMER instead of growing without limit", async () => {
  const onReturn = vi.fn();
  const queue = new UpdateQueue(onReturn);
  for (let i = 0; i < 10_001; i++) queue.push(update);
  expect(onReturn).toHaveBeenCalledOnce();
  let read = 0;
  await expect(async () => {
    for await (const one of queue) if (one === update) read++;
  }).rejects.toMatchObject({ reason: "SLOW_CONSUMER" });
  expect(read).toBe(10_000);
});

it("cancels once when the reader leaves early", async () => {
  const onReturn = vi.fn();
  const queue = new UpdateQueue(onReturn);
  queue.push(update);
  for await (const one of queue) {
    expect(one).toBe(update);
    break;
  }
  await queue.return();
  expect(onReturn).toHaveBeenCalledOnce();
});
