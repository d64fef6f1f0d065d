/**
 * What ZAB relies on of stable storage, as scenarios that the SQLite storage and the simulator's disk both go through:
 * whatever the simulator finds out about the core holds only as far as its disk behaves like the real one.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/base/bytes.ts";
import { encodeTxn } from "../../src/replica/txn-codec.ts";
import { SampleHistory, sampleClusterId } from "../../src/storage/testing/sample-history.ts";
import { applyToSessions } from "../../src/sessions/apply.ts";
import { SessionTable } from "../../src/sessions/session-table.ts";
import { Tree } from "../../src/tree/tree.ts";
import { nothing } from "../../src/zab/boundaries.ts";
import type {
  AppendStep,
  DurableLog,
  DurableState,
  LogPosition,
  LogReadResult,
  SnapshotOffer,
} from "../../src/zab/durable-log.ts";

/** Places at which a process can die while it carries out a durable step. */
export type StepKind =
  "append" | "acceptEpoch" | "establishEpoch" | "commit" | "truncate" | "rememberAcks" | "form" | "markRecovering";

export type CrashPoint =
  | `before ${StepKind | "install"}`
  | `written ${StepKind | "install"}`
  | `synced ${StepKind | "install"}`
  | "lowered watermark"
  | "before checkpoint stored"
  | "after checkpoint stored"
  | "while swapping"
  | "after swap";

/** What a process finds when it starts. */
export interface Found {
  readonly durable: DurableState;
  /** Digest of the tree as of the commit point. */
  readonly digest: number;
}

/** A server's stable storage, and one process after the other that uses it. */
export interface DurableStore {
  readonly log: DurableLog;
  readonly oldestZxid: number;
  /** The highest write that is said to be durable, in this life. */
  readonly persisted: number;
  /** The process is dead: it was killed, or storage refused a step. */
  readonly isDead: boolean;
  /** What was given to the log so far is one turn. Waits until it is durable, and the watermark says so; or for death. */
  settle(): Promise<void>;
  /** What `readLog` answers, without waiting for anything first. */
  readLog(after: number, maxBytes: number): Promise<LogReadResult>;
  /** The process dies when it comes to this point. */
  crashAt(point: CrashPoint): void;
  /** Kills the process. "last commit": and what it wrote last is torn, although it was said to be durable. */
  crash(losing?: "last commit"): Promise<void>;
  /** Starts the next process. */
  recover(): Promise<Found>;
  /** Removes the oldest transactions, as far as a checkpoint allows. */
  purge(upTo: number): Promise<void>;
  /** Makes a checkpoint as of the stored commit point ready for others. */
  prepare(): Promise<SnapshotOffer | undefined>;
  /** Fetches and installs a checkpoint of another store, and starts the process that goes on from it; or dies. */
  install(from: DurableStore, offer: SnapshotOffer, boundaries: readonly LogPosition[]): Promise<void>;
  dispose(): Promise<void>;
}

export interface StoreKind {
  /** A store that was never used, and its first process. */
  readonly make: () => Promise<DurableStore>;
  /** Whether a process can be killed at a point. */
  readonly canCrashAtPoints: boolean;
}

export function storageScenarios(name: string, { make, canCrashAtPoints }: StoreKind): void {
  describe(name, () => {
    const stores: DurableStore[] = [];
    let store: DurableStore;
    let write: number;
    const open = async (): Promise<DurableStore> => {
      const made = await make();
      stores.push(made);
      return made;
    };
    beforeEach(async () => {
      store = await open();
      write = 0;
    });
    afterEach(async () => {
      for (const each of stores.splice(0)) await each.dispose();
    });

    // ---- steps, each a turn of its own unless gathered

    const append = (step: AppendStep): void => store.log.append(++write, step);
    const establish = (epoch: number, last: LogPosition, committed: LogPosition): void => {
      store.log.acceptEpoch(++write, epoch);
      store.log.establishEpoch(++write, { epoch, last, committed });
    };
    const truncate = (to: LogPosition): void => store.log.truncate(++write, to);
    /** Settles, and expects the process to be alive and everything to be durable. */
    const settled = async (): Promise<void> => {
      await store.settle();
      expect(store.isDead).toBe(false);
      expect(store.persisted).toBe(write);
    };
    const restart = async (losing?: "last commit"): Promise<Found> => {
      await store.crash(losing);
      write = 0;
      return store.recover();
    };

    /** Epoch 1 with this many transactions logged, and as many committed. */
    const begin = async (logged: number, committed: number): Promise<SampleHistory> => {
      const history = newHistory(logged);
      establish(1, nothing, nothing);
      append(history.takeStep(committed));
      await settled();
      return history;
    };

    // ---- appending

    test("what is durable comes back: committed, and the rest as the tail", async () => {
      const history = await begin(10, 7);
      const { durable, digest } = await restart();
      expect(durable).toEqual({
        clusterId: sampleClusterId,
        acceptedEpoch: 1,
        currentEpoch: 1,
        last: at(10, 1),
        committed: at(7, 1),
        boundaries: [at(10, 1)],
        logStart: 1,
        tail: encodedAfter(history, 7),
        forming: undefined,
        recovering: undefined,
        memberAcks: [],
      });
      expect(digest).toBe(historyAt(history, 7).tree.digest);
    });

    test("the commit point moves alone, and never back", async () => {
      const history = await begin(10, 5);
      store.log.commit(++write, at(9, 1));
      await settled();
      const { durable, digest } = await restart();
      expect(durable.committed).toEqual(at(9, 1));
      expect(digest).toBe(historyAt(history, 9).tree.digest);
    });

    test("an accepted epoch is a promise that survives", async () => {
      store.log.acceptEpoch(++write, 7);
      await settled();
      expect((await restart()).durable).toMatchObject({ acceptedEpoch: 7, currentEpoch: 0 });
    });

    test("where epochs end is known, whether their transactions come one by one or in one piece", async () => {
      const history = await begin(4, 4);
      continueIn(history, 2, 3);
      establish(2, at(4, 1), at(4, 1));
      append(history.takeStep(4));
      await settled();
      continueIn(history, 5, 2);
      establish(5, at(7, 2), at(4, 1));
      append(history.takeStep(4));
      await settled();
      const boundaries = [at(4, 1), at(7, 2), at(9, 5)];
      expect((await restart()).durable).toMatchObject({ boundaries, last: at(9, 5), currentEpoch: 5 });

      const learner = await open();
      learner.log.acceptEpoch(1, 5);
      learner.log.append(2, { ...wholeOf(history), epoch: 5, committed: at(7, 2) });
      learner.log.establishEpoch(3, { epoch: 5, last: at(9, 5), committed: at(7, 2) });
      await learner.settle();
      await learner.crash();
      const { durable, digest } = await learner.recover();
      expect(durable).toMatchObject({ boundaries, last: at(9, 5), committed: at(7, 2), currentEpoch: 5 });
      expect(digest).toBe(historyAt(history, 7).tree.digest);
    });

    test("an epoch in which nothing was proposed leaves no boundary, and may be established again", async () => {
      const history = await begin(4, 4);
      establish(2, at(4, 1), at(4, 1));
      await settled();
      store.log.establishEpoch(++write, { epoch: 2, last: at(4, 1), committed: at(4, 1) });
      await settled();
      continueIn(history, 3, 1);
      establish(3, at(4, 1), at(4, 1));
      append(history.takeStep(4));
      await settled();
      expect((await restart()).durable.boundaries).toEqual([at(4, 1), at(5, 3)]);
    });

    test("history of an earlier epoch than was established may still arrive", async () => {
      const history = await begin(4, 4);
      establish(2, at(4, 1), at(4, 1));
      await settled();
      continueIn(history, 1, 3);
      append(history.takeStep(4));
      establish(3, at(7, 1), at(4, 1));
      await settled();
      expect((await restart()).durable).toMatchObject({ boundaries: [at(7, 1)], currentEpoch: 3 });
    });

    // ---- one turn, one commit

    const wholeTurn: CrashPoint[] = ["synced append", "synced establishEpoch"];
    const noneOfIt: CrashPoint[] = [
      "before append",
      "written append",
      "before establishEpoch",
      "written establishEpoch",
    ];
    test.runIf(canCrashAtPoints).each([...noneOfIt, ...wholeTurn])(
      "the last piece of a history and its epoch are one: dying at %s",
      async (point) => {
        const history = await begin(4, 4);
        store.log.acceptEpoch(++write, 2);
        await settled();
        history.create("/synced", null);
        append(history.takeStep(4));
        store.log.establishEpoch(++write, { epoch: 2, last: at(5, 1), committed: at(4, 1) });
        store.crashAt(point);
        await store.settle();
        expect(store.isDead).toBe(true);
        expect(store.persisted).toBeLessThan(write);
        const { durable } = await restart();
        const expected = wholeTurn.includes(point)
          ? { currentEpoch: 2, last: at(5, 1) }
          : { currentEpoch: 1, last: at(4, 1) };
        expect(durable).toMatchObject({ ...expected, acceptedEpoch: 2, recovering: undefined });
      },
    );

    // ---- cutting off

    test("a truncation cuts rows, boundaries and the tail, and another history goes on from there", async () => {
      const history = await begin(6, 5);
      continueIn(history, 2, 4);
      establish(2, at(6, 1), at(5, 1));
      append(history.takeStep(5));
      await settled();
      truncate(at(8, 2));
      await settled();
      expect((await restart()).durable).toMatchObject({ last: at(8, 2), boundaries: [at(6, 1), at(8, 2)] });

      truncate(at(6, 1));
      const other = historyAt(history, 6);
      continueIn(other, 3, 5);
      append(other.takeStep(5));
      establish(3, at(11, 3), at(11, 3));
      await settled();
      const { durable, digest } = await restart();
      expect(durable).toMatchObject({
        last: at(11, 3),
        committed: at(11, 3),
        boundaries: [at(6, 1), at(11, 3)],
        recovering: undefined,
      });
      expect(digest).toBe(other.tree.digest);
    });

    test("a truncation takes back what the same turn appended, and everything that is not committed", async () => {
      const history = await begin(6, 0);
      continueIn(history, 1, 3);
      append(history.takeStep(0));
      truncate(at(7, 1));
      await settled();
      expect((await restart()).durable).toMatchObject({ last: at(7, 1), recovering: undefined });
      truncate(nothing);
      await settled();
      expect((await restart()).durable).toMatchObject({
        last: nothing,
        boundaries: [],
        clusterId: sampleClusterId,
        tail: undefined,
        recovering: undefined,
      });
    });

    const cut: CrashPoint[] = ["synced truncate", "synced append"];
    const notCut: CrashPoint[] = ["before truncate", "lowered watermark", "written truncate", "written append"];
    test.runIf(canCrashAtPoints).each([...notCut, ...cut])(
      "a truncation and what follows it happen or not, and are never taken for a loss: dying at %s",
      async (point) => {
        const history = await begin(10, 6);
        const other = historyAt(history, 8);
        continueIn(other, 2, 1);
        truncate(at(8, 1));
        append(other.takeStep(6));
        store.crashAt(point);
        await store.settle();
        expect(store.isDead).toBe(true);
        const { durable } = await restart();
        const last = cut.includes(point) ? at(9, 2) : at(10, 1);
        expect(durable).toMatchObject({ last, committed: at(6, 1), recovering: undefined });
      },
    );

    test.each([
      ["what is committed", at(5, 1)],
      ["at a transaction of another epoch", at(8, 2)],
      ["where the log does not reach", at(11, 1)],
    ])("a truncation is refused, and the process ends with it: %s", async (_, to) => {
      await begin(10, 6);
      truncate(to);
      await store.settle();
      expect(store.isDead).toBe(true);
      expect(store.persisted).toBeLessThan(write);
      const { durable } = await restart();
      expect(durable).toMatchObject({ last: at(10, 1), committed: at(6, 1) });
    });

    // ---- marks

    test("a founder remembers what it founds until there is an epoch, and the cluster's id for ever", async () => {
      const forming = { clusterId: sampleClusterId, founders: [1, 2, 3] };
      store.log.form(++write, forming);
      await settled();
      expect((await restart()).durable).toMatchObject({ clusterId: sampleClusterId, forming, last: nothing });
      establish(1, nothing, nothing);
      await settled();
      expect((await restart()).durable).toMatchObject({
        clusterId: sampleClusterId,
        forming: undefined,
        currentEpoch: 1,
      });
    });

    test("nothing is founded on a log with transactions", async () => {
      await begin(3, 3);
      store.log.form(++write, { clusterId: sampleClusterId, founders: [1, 2, 3] });
      await store.settle();
      expect(store.isDead).toBe(true);
      expect((await restart()).durable.forming).toBeUndefined();
    });

    test("a server that has lost data remembers why, until its history is an epoch's", async () => {
      await begin(3, 3);
      store.log.markRecovering(++write, "server 2 knows better");
      await settled();
      expect((await restart()).durable.recovering).toBe("server 2 knows better");
      establish(2, at(3, 1), at(3, 1));
      await settled();
      expect((await restart()).durable.recovering).toBeUndefined();
    });

    test("what members have acknowledged only goes up", async () => {
      store.log.rememberAcks(++write, [
        { member: 2, position: at(5, 1) },
        { member: 3, position: at(9, 2) },
      ]);
      store.log.rememberAcks(++write, [
        { member: 2, position: at(6, 1) },
        { member: 3, position: at(8, 1) },
      ]);
      await settled();
      expect((await restart()).durable.memberAcks).toEqual([
        { member: 2, position: at(6, 1) },
        { member: 3, position: at(9, 2) },
      ]);
    });

    // ---- losses

    test("a torn tail is noticed, and remembered until the history is whole again", async () => {
      const history = await begin(5, 5);
      continueIn(history, 1, 3);
      append(history.takeStep(5));
      await settled();
      const found = await restart("last commit");
      expect(found.durable).toMatchObject({ last: at(5, 1), committed: at(5, 1) });
      expect(found.durable.recovering).toMatch(/8/);
      expect(found.digest).toBe(historyAt(history, 5).tree.digest);
      // It is the same at the next start, and after appends alone.
      expect((await restart()).durable.recovering).toMatch(/8/);
      const other = historyAt(history, 5);
      continueIn(other, 2, 1);
      append(other.takeStep(5));
      await settled();
      expect((await restart()).durable.recovering).toMatch(/8/);
      establish(2, at(6, 2), at(6, 2));
      await settled();
      // The watermark spoke of 8 transactions: now it speaks of these.
      expect((await restart()).durable).toMatchObject({ last: at(6, 2), recovering: undefined });
      continueIn(other, 2, 1);
      append(other.takeStep(6));
      await settled();
      expect((await restart("last commit")).durable.recovering).toMatch(/7/);
    });

    const recoveredEarly: CrashPoint[] = ["lowered watermark", "written establishEpoch"];
    test.runIf(canCrashAtPoints).each(recoveredEarly)(
      "a server stays one that has lost data until the commit that ends it: dying at %s",
      async (point) => {
        const history = await begin(5, 5);
        continueIn(history, 1, 3);
        append(history.takeStep(5));
        await settled();
        await restart("last commit");
        establish(2, at(5, 1), at(5, 1));
        store.crashAt(point);
        await store.settle();
        expect(store.isDead).toBe(true);
        expect((await restart()).durable.recovering).toMatch(/8/);
      },
    );

    // ---- reading the log

    test("the log is read back whole, in pieces, with the ends of epochs in them", async () => {
      const history = await begin(6, 2);
      continueIn(history, 3, 6);
      establish(3, at(6, 1), at(2, 1));
      append(history.takeStep(2));
      await settled();
      const whole = await store.readLog(0, 1e9);
      expect(whole).toEqual({
        bytes: encodedAfter(history, 0),
        firstZxid: 1,
        boundaries: [at(6, 1), at(12, 3)],
      });
      const found: Uint8Array[] = [];
      let after = 0;
      for (; after < 12;) {
        const piece = (await store.readLog(after, 300))!;
        expect(piece.firstZxid).toBe(after + 1);
        found.push(piece.bytes);
        after = piece.boundaries.at(-1)!.zxid;
      }
      expect(found.length).toBeGreaterThan(2);
      expect(Uint8Array.from(found.flatMap((bytes) => [...bytes]))).toEqual(whole!.bytes);
      // At least one transaction, however little was asked for.
      expect((await store.readLog(4, 1))!.boundaries).toEqual([at(5, 1)]);
    });

    test("what was appended just now is found by a read", async () => {
      const history = await begin(3, 3);
      continueIn(history, 1, 2);
      append(history.takeStep(3));
      const reading = store.readLog(3, 1e9);
      await settled();
      expect(await reading).toEqual({ bytes: encodedAfter(history, 3), firstZxid: 4, boundaries: [at(5, 1)] });
    });

    test("what was purged cannot be read, and what is left goes on from there", async () => {
      const history = await begin(30, 30);
      expect(await store.prepare()).toMatchObject({ at: at(30, 1) });
      await store.purge(20);
      expect(store.oldestZxid).toBe(21);
      expect(await store.readLog(19, 1e9)).toBeUndefined();
      expect((await store.readLog(20, 1e9))!.bytes).toEqual(encodedAfter(history, 20));
      const { durable, digest } = await restart();
      expect(durable).toMatchObject({ logStart: 21, last: at(30, 1), boundaries: [at(30, 1)] });
      expect(digest).toBe(history.tree.digest);
    });

    // ---- checkpoints of others

    /** A leader with a history of epochs 1 and 2, of which 40 transactions are committed, and its checkpoint of them. */
    const leaderWithCheckpoint = async (): Promise<{
      leader: DurableStore;
      offer: SnapshotOffer;
      ahead: SampleHistory;
    }> => {
      const leader = await open();
      const ahead = newHistory(10);
      leader.log.acceptEpoch(1, 1);
      leader.log.establishEpoch(2, { epoch: 1, last: nothing, committed: nothing });
      leader.log.append(3, ahead.takeStep(10));
      await leader.settle();
      continueIn(ahead, 2, 30);
      leader.log.acceptEpoch(4, 2);
      leader.log.establishEpoch(5, { epoch: 2, last: at(10, 1), committed: at(10, 1) });
      leader.log.append(6, ahead.takeStep(40));
      await leader.settle();
      const offer = await leader.prepare();
      expect(offer).toMatchObject({ at: at(40, 2) });
      continueIn(ahead, 2, 5);
      return { leader, offer: offer!, ahead };
    };
    /** The rest of the leader's history, and an epoch that makes it current. */
    const catchUp = async (ahead: SampleHistory): Promise<void> => {
      append({ ...wholeOf(ahead, 40), epoch: 2, committed: at(40, 2) });
      establish(3, at(45, 2), at(45, 2));
      await settled();
    };
    const boundaries = [at(10, 1), at(40, 2)];

    test("a checkpoint takes the place of another history, and the log goes on after it", async () => {
      const { leader, offer, ahead } = await leaderWithCheckpoint();
      const history = await begin(10, 10);
      continueIn(history, 1, 60);
      append(history.takeStep(10));
      await settled();
      await store.install(leader, offer, boundaries);
      expect(store.isDead).toBe(false);
      write = 0;
      const installed = await restart();
      expect(installed.durable).toMatchObject({
        last: at(40, 2),
        committed: at(40, 2),
        boundaries,
        logStart: 41,
        tail: undefined,
        recovering: undefined,
        clusterId: sampleClusterId,
      });
      expect(installed.digest).toBe(historyAt(ahead, 40).tree.digest);
      await catchUp(ahead);
      const { durable, digest } = await restart();
      expect(durable).toMatchObject({ last: at(45, 2), boundaries: [at(10, 1), at(45, 2)], recovering: undefined });
      expect(digest).toBe(ahead.tree.digest);
      expect(await store.readLog(39, 1e9)).toBeUndefined();
      expect((await store.readLog(40, 1e9))!.bytes).toEqual(encodedAfter(ahead, 40));
    });

    test("a checkpoint brings back a server that has lost everything after its beginning", async () => {
      const { leader, offer, ahead } = await leaderWithCheckpoint();
      const history = await begin(5, 5);
      continueIn(history, 1, 50);
      append(history.takeStep(5));
      await settled();
      expect((await restart("last commit")).durable.recovering).toMatch(/55/);
      await store.install(leader, offer, boundaries);
      write = 0;
      expect((await restart()).durable).toMatchObject({ last: at(40, 2), recovering: expect.stringMatching(/55/) });
      await catchUp(ahead);
      expect((await restart()).durable).toMatchObject({ last: at(45, 2), recovering: undefined });
    });

    test("an empty server takes a checkpoint", async () => {
      const { leader, offer, ahead } = await leaderWithCheckpoint();
      store.log.markRecovering(++write, "this server is new");
      await settled();
      await store.install(leader, offer, boundaries);
      write = 0;
      await catchUp(ahead);
      const { durable, digest } = await restart();
      expect(durable).toMatchObject({ last: at(45, 2), clusterId: sampleClusterId, recovering: undefined });
      expect(digest).toBe(ahead.tree.digest);
    });

    const stillOld: CrashPoint[] = [
      ...(["before checkpoint stored", "after checkpoint stored", "before install"] as const),
      ...(["lowered watermark", "written install"] as const),
    ];
    const alreadyNew: CrashPoint[] = ["synced install", "while swapping", "after swap"];
    test.runIf(canCrashAtPoints).each([...stillOld, ...alreadyNew])(
      "a checkpoint is installed or not, and never a mixture: dying at %s",
      async (point) => {
        const { leader, offer, ahead } = await leaderWithCheckpoint();
        const history = await begin(10, 10);
        continueIn(history, 1, 60);
        append(history.takeStep(10));
        await settled();
        store.crashAt(point);
        await store.install(leader, offer, boundaries);
        expect(store.isDead).toBe(true);
        const { durable, digest } = await restart();
        if (stillOld.includes(point)) {
          expect(durable).toMatchObject({
            last: at(70, 1),
            committed: at(10, 1),
            boundaries: [at(70, 1)],
            logStart: 1,
          });
          expect(digest).toBe(historyAt(history, 10).tree.digest);
          await store.install(leader, offer, boundaries);
          write = 0;
        } else {
          expect(durable).toMatchObject({ last: at(40, 2), committed: at(40, 2), boundaries, logStart: 41 });
          expect(digest).toBe(historyAt(ahead, 40).tree.digest);
        }
        expect(durable.recovering).toBeUndefined();
        await catchUp(ahead);
        const end = await restart();
        expect(end.durable).toMatchObject({ last: at(45, 2), recovering: undefined });
        expect(end.digest).toBe(ahead.tree.digest);
      },
    );

    test.runIf(canCrashAtPoints)(
      "a checkpoint may be followed by another one before the first is caught up",
      async () => {
        const { leader, offer, ahead } = await leaderWithCheckpoint();
        await begin(10, 10);
        await store.install(leader, offer, boundaries);
        leader.log.append(7, ahead.takeStep(45));
        await leader.settle();
        const later = await leader.prepare();
        store.crashAt("after checkpoint stored");
        await store.install(leader, later!, [at(10, 1), later!.at]);
        expect((await restart()).durable).toMatchObject({ last: at(40, 2), recovering: undefined });
        await store.install(leader, later!, [at(10, 1), later!.at]);
        const { durable } = await restart();
        expect(durable).toMatchObject({ last: later!.at, logStart: later!.at.zxid + 1, recovering: undefined });
      },
    );
  });
}

function at(zxid: number, epoch: number): LogPosition {
  return { zxid, epoch };
}

/** A history of epoch 1 with this many transactions, the founding among them, waiting to be appended. */
export function newHistory(transactions: number): SampleHistory {
  const history = new SampleHistory();
  history.found();
  continueIn(history, 1, transactions - 1);
  return history;
}

/** Adds transactions of an epoch. */
export function continueIn(history: SampleHistory, epoch: number, transactions: number): void {
  history.epoch = epoch;
  for (let i = 0; i < transactions; i++) {
    history.create(`/n${history.zxid + 1}of${epoch}`, new TextEncoder().encode(`value ${history.zxid}`));
  }
}

/** What a history was as of a transaction, to be gone on from. */
export function historyAt(history: SampleHistory, zxid: number): SampleHistory {
  const tree = Tree.initial();
  const sessions = new SessionTable();
  const txns = history.txns.slice(0, zxid);
  for (const txn of txns) {
    for (const op of txn.ops) tree.apply(txn.zxid, op);
    applyToSessions(sessions, txn);
  }
  const copy = new SampleHistory({ tree, sessions, zxid, time: txns.at(-1)?.time ?? history.time });
  copy.txns.push(...txns);
  return copy;
}

/** The transactions after one, in canonical bytes. */
export function encodedAfter(history: SampleHistory, after: number): Uint8Array {
  const writer = new ByteWriter();
  for (const txn of history.txns.slice(after)) encodeTxn(txn, writer);
  return writer.copy();
}

function wholeOf(history: SampleHistory, after = 0): Pick<AppendStep, "bytes" | "firstZxid" | "lastZxid"> {
  return { bytes: encodedAfter(history, after), firstZxid: after + 1, lastZxid: history.zxid };
}
