import { afterEach, beforeEach, expect, test } from "vitest";
import { newHistory } from "../../test/support/storage-scenarios.ts";
import { nothing } from "../zab/boundaries.ts";
import { bytesOf, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

test.each([10, 200_000])(
  "the bytes of an append stay whole for whoever gave them: %s bytes of data",
  async (length) => {
    const fixture = await StorageFixture.open(dir.path);
    const { log } = fixture.storage;
    const history = newHistory(1);
    history.create("/large", bytesOf("x".repeat(length)));
    const step = history.takeStep();
    const before = Uint8Array.from(step.bytes);
    // A view of a larger buffer, as bytes from the network are.
    const received = Buffer.concat([Buffer.from("before"), step.bytes, Buffer.from("after")]);
    const view = received.subarray(6, 6 + step.bytes.length);
    log.acceptEpoch(1, 1);
    log.establishEpoch(2, { epoch: 1, last: nothing, committed: nothing });
    log.append(3, { ...step, bytes: view });
    await expect.poll(() => fixture.persisted).toBe(3);
    expect(Uint8Array.from(view)).toEqual(before);
    expect(String(received.subarray(0, 6))).toBe("before");
    expect((await fixture.readLog(0))!.bytes).toEqual(before);
    expect(fixture.failures).toEqual([]);
    await fixture.storage.close();
  },
);
