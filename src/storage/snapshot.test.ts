/** Checkpoints that go from one server to another: offering, receiving, and what rests meanwhile. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { continueIn, newHistory } from "../../test/support/storage-scenarios.ts";
import type { SnapshotOffer } from "../zab/durable-log.ts";
import type { Checkpointer } from "./checkpoint.ts";
import type { IncomingSnapshot, Storage } from "./index.ts";
import { Snapshots, type OpenSnapshot } from "./snapshots.ts";
import { SampleHistory, sampleClusterId } from "./testing/sample-history.ts";
import { StorageFixture, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let leader: StorageFixture;
let history: SampleHistory;
const fixtures: StorageFixture[] = [];
const never = { behindTransactions: 1e9, behindMs: 1e9 };
const eagerly = { behindTransactions: 1, behindMs: 50 };

async function open(name: string, checkpoint = never): Promise<StorageFixture> {
  const fixture = await StorageFixture.open(join(dir.path, name), { ensemble: true, checkpoint });
  fixtures.push(fixture);
  return fixture;
}

beforeEach(async () => {
  dir = temporaryDirectory();
  leader = await open("leader");
  await leader.establish();
  history = newHistory(50);
  await leader.append(history);
});
afterEach(async () => {
  for (const fixture of fixtures.splice(0)) {
    await fixture.storage.close();
    expect(fixture.failures).toEqual([]);
  }
  vi.useRealTimers();
  dir.remove();
});

async function contentOf(snapshot: OpenSnapshot): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < snapshot.bytes;) {
    const piece = await snapshot.read(at, 9999);
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces);
}

async function offered(): Promise<{ offer: SnapshotOffer; content: Uint8Array }> {
  const offer = (await leader.storage.prepareSnapshot())!;
  const snapshot = leader.storage.openSnapshot(offer.id)!;
  const content = await contentOf(snapshot);
  snapshot.close();
  return { offer, content };
}

function expectedOf(offer: SnapshotOffer): Parameters<Storage["receiveSnapshot"]>[0] {
  return { offer, boundaries: [offer.at], clusterId: sampleClusterId };
}

async function received(learner: StorageFixture): Promise<IncomingSnapshot> {
  const { offer, content } = await offered();
  const incoming = await learner.storage.receiveSnapshot(expectedOf(offer));
  await incoming.write(content);
  await incoming.complete();
  return incoming;
}

/** Comes up to date with the leader, whose history ends with its checkpoint. */
async function install(learner: StorageFixture): Promise<void> {
  learner.storage = await learner.storage.install(await received(learner));
}

// ---- offering

test("nothing is offered before anything is committed", async () => {
  const empty = await open("empty");
  expect(await empty.storage.prepareSnapshot()).toBeUndefined();
});

test("an offer is as of the commit point, and used again while it is recent", async () => {
  const { offer, content } = await offered();
  expect(offer).toMatchObject({ at: { zxid: 50, epoch: 1 }, bytes: content.length, digest: history.tree.digest });
  expect(leader.storage.stats().checkpointZxid).toBe(50);
  continueIn(history, 1, 5);
  await leader.append(history);
  expect((await leader.storage.prepareSnapshot())?.id).toBe(offer.id);
});

test("a rotten copy is noticed and made anew", async () => {
  const { offer } = await offered();
  const path = join(dir.path, "leader", "tree.old.db");
  const bytes = readFileSync(path);
  const at = bytes.indexOf("value 31");
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(path, bytes);
  continueIn(history, 1, 5);
  await leader.append(history);
  const next = (await leader.storage.prepareSnapshot())!;
  expect(next.id).not.toBe(offer.id);
  expect(next.at.zxid).toBe(55);
});

test("what is offered stays readable, whatever takes its place, until nobody wants it for a minute", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const path = join(dir.path, "tree.old.db");
  let made = 0;
  const checkpointer = {
    copy: () => {
      writeFileSync(`${path}.new`, `content ${++made}`);
      renameSync(`${path}.new`, path);
      const { ino: inode, mtimeMs: modifiedMs, size: bytes } = statSync(path);
      return Promise.resolve({ inode, modifiedMs, bytes, zxid: 10 * made, epoch: 1, crc: 1, digest: 1 });
    },
  };
  const snapshots = new Snapshots(dir.path, checkpointer as unknown as Checkpointer);
  const first = (await snapshots.prepare(1))!;
  const second = (await snapshots.prepare(1))!;
  expect(second.id).not.toBe(first.id);
  expect(snapshots.neededAfter).toBe(10);
  const open = snapshots.open(first.id)!;
  expect(String(Buffer.from(await contentOf(open)))).toBe("content 1");
  // Somebody still reads the first one; nobody came for the second.
  vi.advanceTimersByTime(61_000);
  expect(snapshots.open(second.id)).toBeUndefined();
  expect(String(Buffer.from(await open.read(8, 100)))).toBe("1");
  open.close();
  vi.advanceTimersByTime(59_000);
  snapshots.open(first.id)!.close();
  vi.advanceTimersByTime(59_000);
  expect(snapshots.neededAfter).toBe(10);
  vi.advanceTimersByTime(2000);
  expect(snapshots.open(first.id)).toBeUndefined();
  expect(snapshots.neededAfter).toBe(Infinity);
  snapshots.close();
});

test("the log after an offer is not purged", async () => {
  const { offer } = await offered();
  await leader.storage.close();
  fixtures.length = 0;
  leader = await StorageFixture.open(join(dir.path, "leader"), {
    ensemble: true,
    checkpoint: eagerly,
    retention: { milliseconds: 0, transactions: 10, bytes: 1e12 },
  });
  fixtures.push(leader);
  expect((await leader.storage.prepareSnapshot())?.at).toEqual(offer.at);
  history.epoch = await leader.establish();
  continueIn(history, history.epoch, 150);
  await leader.append(history);
  await leader.commit(history);
  await expect.poll(() => leader.storage.stats().oldestZxid, { timeout: 5000 }).toBe(51);
  expect((await leader.readLog(50))!.boundaries).toEqual([{ zxid: 200, epoch: 2 }]);
});

// ---- receiving

test("a checkpoint that was received takes the place of an empty state", async () => {
  const learner = await open("learner");
  await install(learner);
  const { durable, tree, sessions, founding } = learner.storage.recovered;
  expect(tree.digest).toBe(history.tree.digest);
  expect(sessions.digest()).toBe(history.sessions.digest());
  expect(founding?.clusterId).toBe(sampleClusterId);
  expect(durable).toMatchObject({ clusterId: sampleClusterId, last: { zxid: 50, epoch: 1 }, logStart: 51 });
  expect(learner.storage.stats()).toMatchObject({ checkpointZxid: 50, oldestZxid: 51 });
  for (const name of ["tree.fetch.db", "tree.new.db"]) expect(existsSync(join(dir.path, "learner", name))).toBe(false);
});

test.each<[string, (content: Uint8Array, expected: ReturnType<typeof expectedOf>) => unknown, RegExp]>([
  ["is too short", (content) => content.subarray(0, -1), /has \d+ bytes instead of/],
  ["is too long", (content) => Buffer.concat([content, Buffer.alloc(1)]), /longer than/],
  ["has a flipped bit", (content) => flipped(content, "value 31"), /is damaged|fails its checksum/],
  ["is no database", (content) => new Uint8Array(content.length), /not a|cannot/],
  ["is as of another transaction", (_, { offer }) => ({ ...offer, at: { zxid: 49, epoch: 1 } }), /not the one offered/],
  ["has another digest", (_, { offer }) => ({ ...offer, digest: offer.digest + 1 }), /not the one offered/],
  ["follows another history", (_, { offer }) => ({ ...offer, chainCrc: offer.chainCrc + 1 }), /not the one offered/],
])("a checkpoint that %s is refused, and nothing has changed", async (_, change, message) => {
  const learner = await open("learner");
  const { offer, content } = await offered();
  const changed = change(content, expectedOf(offer));
  const bytes = changed instanceof Uint8Array ? changed : content;
  const promised = changed instanceof Uint8Array ? offer : (changed as SnapshotOffer);
  const incoming = await learner.storage.receiveSnapshot(expectedOf(promised));
  const receive = async (): Promise<void> => {
    await incoming.write(bytes);
    await incoming.complete();
  };
  await expect(receive()).rejects.toThrow(message);
  expect(incoming.fits).toBe(false);
  expect(existsSync(join(dir.path, "learner", "tree.fetch.db"))).toBe(false);
  // The next attempt succeeds.
  await install(learner);
  expect(learner.storage.recovered.tree.digest).toBe(history.tree.digest);
});

function flipped(content: Uint8Array, text: string): Uint8Array {
  const bytes = Buffer.from(content);
  const at = bytes.indexOf(text);
  bytes[at] = bytes[at]! ^ 1;
  return bytes;
}

test("a checkpoint of another cluster, or one that does not end the history given with it, is refused", async () => {
  const learner = await open("learner");
  const { offer, content } = await offered();
  const strange = { ...expectedOf(offer), clusterId: "f".repeat(32) };
  const incoming = await learner.storage.receiveSnapshot(strange);
  await incoming.write(content);
  await expect(incoming.complete()).rejects.toThrow(/is of cluster 0011.* not of ffff/);
  const unfit = { ...expectedOf(offer), boundaries: [{ zxid: 49, epoch: 1 }] };
  await expect(learner.storage.receiveSnapshot(unfit)).rejects.toThrow("does not end the history");
});

test("a later one takes the place of one that is on its way", async () => {
  const learner = await open("learner");
  const { offer, content } = await offered();
  const first = await learner.storage.receiveSnapshot(expectedOf(offer));
  await first.write(content);
  const complete = expect(first.complete()).rejects.toThrow("given up");
  const second = await learner.storage.receiveSnapshot(expectedOf(offer));
  await complete;
  await expect(first.write(content)).rejects.toThrow("given up");
  await second.write(content);
  await first.discard();
  await second.complete();
  expect([first.fits, second.fits]).toEqual([false, true]);
  learner.storage = await learner.storage.install(second);
  expect(learner.storage.recovered.tree.digest).toBe(history.tree.digest);
});

test("one that was complete no longer fits when the history has changed, or it was given up", async () => {
  const learner = await open("learner");
  const incoming = await received(learner);
  expect(incoming.fits).toBe(true);
  await learner.establish();
  expect(incoming.fits).toBe(false);
  const other = await received(learner);
  await other.discard();
  expect(other.fits).toBe(false);
  expect(existsSync(join(dir.path, "learner", "tree.new.db"))).toBe(false);
});

test("a storage that is closed gives up what is on its way", async () => {
  const learner = await open("learner");
  const { offer, content } = await offered();
  const incoming = await learner.storage.receiveSnapshot(expectedOf(offer));
  await incoming.write(content.subarray(0, 5000));
  await learner.storage.close();
  fixtures.pop();
  await expect(incoming.write(content.subarray(5000))).rejects.toThrow("given up");
  expect(existsSync(join(dir.path, "learner", "tree.fetch.db"))).toBe(false);
});

// ---- folding

function treeZxid(name: string): number {
  const tree = new Database(join(dir.path, name, "tree.db"), { readonly: true });
  const zxid = tree.prepare("SELECT zxid FROM state").pluck().get() as number;
  tree.close();
  return zxid;
}

test("folding rests while a checkpoint is on its way, and goes on when it is given up", async () => {
  const learner = await open("learner", eagerly);
  await learner.establish();
  const { offer } = await offered();
  const incoming = await learner.storage.receiveSnapshot(expectedOf(offer));
  const own = newHistory(20);
  await learner.append(own);
  await learner.commit(own);
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(learner.storage.stats().checkpointZxid).toBe(0);
  expect(await learner.storage.prepareSnapshot()).toBeUndefined();
  await incoming.discard();
  await expect.poll(() => learner.storage.stats().checkpointZxid, { timeout: 5000 }).toBe(20);
});

test("folding rests from an installation to the epoch that ends it, whatever comes between", async () => {
  let learner = await open("learner", eagerly);
  await install(learner);
  const { offer } = await offered();
  continueIn(history, 1, 10);
  await learner.append(history);
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(treeZxid("learner")).toBe(50);
  expect(await learner.storage.prepareSnapshot()).toBeUndefined();
  // Not when it stops in good order, and not after a restart.
  await learner.storage.close({ zxid: 60, epoch: 1 });
  fixtures.pop();
  expect(treeZxid("learner")).toBe(50);
  learner = await open("learner", eagerly);
  expect(learner.storage.recovered.durable).toMatchObject({ last: { zxid: 60 }, committed: { zxid: 60 } });
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(treeZxid("learner")).toBe(50);
  await learner.establish();
  await expect.poll(() => learner.storage.stats().checkpointZxid, { timeout: 5000 }).toBe(60);
  expect((await learner.storage.prepareSnapshot())!.at.zxid).toBeGreaterThan(offer.at.zxid);
});
