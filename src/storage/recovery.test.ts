import { afterEach, beforeEach, expect, test } from "vitest";
import { SampleHistory, sampleClusterId } from "./testing/sample-history.ts";
import { bytesOf, encoded, StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

test("an empty directory recovers as a server that was never used", async () => {
  const fixture = await StorageFixture.open(dir.path);
  const { recovered } = fixture.storage;
  expect(recovered.durable).toEqual({
    clusterId: "",
    acceptedEpoch: 0,
    currentEpoch: 0,
    committed: { zxid: 0, epoch: 0 },
    last: { zxid: 0, epoch: 0 },
    boundaries: [],
    logStart: 1,
    tail: undefined,
    forming: undefined,
    recovering: undefined,
    memberAcks: [],
  });
  expect(recovered).toMatchObject({ founding: undefined, lastTime: 0 });
  expect(recovered.tree.count).toBe(4);
  await fixture.storage.close();
});

test("what was persisted comes back: committed applied, the rest as the tail", async () => {
  const history = new SampleHistory();
  const first = await StorageFixture.open(dir.path);
  await first.establish();
  history.found();
  const session = history.openSession();
  history.create("/a", bytesOf("one"), session);
  const committed = history.tree.digest;
  await first.append(history, history.zxid);
  history.set("/a", bytesOf("two"), session);
  history.create("/a/b", null, session);
  await first.append(history, 3);
  await first.storage.close();

  const second = await StorageFixture.open(dir.path);
  const { recovered } = second.storage;
  expect(recovered.durable.clusterId).toBe(sampleClusterId);
  expect(recovered.founding?.members).toEqual([{ id: 1, voter: true }]);
  expect(recovered.durable).toMatchObject({ acceptedEpoch: 1, currentEpoch: 1 });
  expect(recovered.durable.committed).toEqual({ zxid: 3, epoch: 1 });
  expect(recovered.durable.last).toEqual({ zxid: 5, epoch: 1 });
  expect(recovered.tree.digest).toBe(committed);
  expect(recovered.sessions.get(session)?.lastSeq).toBe(1);
  expect(recovered.durable.tail).toEqual(encoded(history.txns.slice(3)));
  expect(recovered.lastTime).toBe(history.time);
  await second.storage.close();
});
