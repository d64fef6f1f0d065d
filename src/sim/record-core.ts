/**
 * Consensus alone: a peer, and above it a state machine whose whole state is a running checksum of what was delivered.
 * Clients write records on any server and read with the leader's confirmation.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { crc32 } from "../base/crc32.ts";
import { encodeTxn } from "../replica/txn-codec.ts";
import { foundingDetail } from "../tree/detail.ts";
import { blankOp } from "../tree/prepare.ts";
import { emptyStat } from "../tree/stat.ts";
import { OpKind, RequestKind, type Txn } from "../tree/txn.ts";
import type { LogReadResult, SnapshotOffer } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import { Peer } from "../zab/peer.ts";
import type { PeerHost } from "../zab/ports.ts";
import type { Core, CoreSetup, ProgramFactory } from "./core.ts";

/** How many of a client's calls are linearizable reads, of 16. */
const readsOf16 = 4;

export const recordProgram: ProgramFactory = () => ({
  makeCore: (setup) => new RecordCore(setup),
  nodeFor: (draw, nodes) => 1 + (draw % nodes),
});

class RecordCore implements Core, PeerHost {
  private readonly peer: Peer;
  private readonly setup: CoreSetup;
  private readonly writer = new ByteWriter(1024);
  /** A leader's proposals of this turn. */
  private first = 0;
  private nextZxid = 0;
  private epochOfOffice = 0;
  /** Zxids that clients of this server wait for. */
  private readonly waiting = new Map<number, number>();
  /** Reads that wait until this server has applied a zxid. */
  private reads: { readonly zxid: number; readonly floor: number }[] = [];
  private writeCounter = 0;
  applied: number;
  digest = 0;

  constructor(setup: CoreSetup) {
    this.setup = setup;
    const { config, ports, recovered } = setup;
    for (const { bytes } of recovered.committed) this.digest = crc32(bytes, this.digest);
    this.applied = recovered.committed.length;
    this.peer = new Peer(config, ports, this, recovered.state);
  }

  // ---- inputs

  tick(monotonicMs: number): void {
    this.peer.tick(monotonicMs);
    this.peer.storeCommitPoint();
  }

  persisted(write: number): void {
    this.peer.persisted(write);
  }

  notified(from: number, notification: Notification): void {
    this.peer.notified(from, notification);
  }

  unreachable(from: number): void {
    this.peer.unreachable(from);
  }

  linkOpened(link: number, from: number): void {
    this.peer.linkOpened(link, from);
  }

  linkReceived(link: number, message: LinkMessage): void {
    this.peer.linkReceived(link, message);
  }

  linkClosed(link: number): void {
    this.peer.linkClosed(link);
  }

  logRead(ticket: number, result: LogReadResult): void {
    this.peer.logRead(ticket, result);
  }

  snapshotReady(ticket: number, offer: SnapshotOffer | undefined): void {
    this.peer.snapshotReady(ticket, offer);
  }

  snapshotFailed(ticket: number): void {
    this.peer.snapshotFailed(ticket);
  }

  historyRead(): void {}

  client(draw: number): void {
    if (!this.peer.serving) return;
    if (draw % 16 < readsOf16) this.askToRead(this.setup.floor());
    else if (this.epochOfOffice > 0) this.write(draw);
    else this.peer.request(request("write", draw));
  }

  setDiskLow(low: boolean): void {
    this.peer.diskLow = low;
  }

  retire(): void {}

  died(): void {}

  resign(): void {
    this.peer.resign();
  }

  flush(): void {
    if (this.first === 0) return;
    const bytes = this.writer.copy();
    const { first } = this;
    this.first = 0;
    this.setup.events.proposed(this.epochOfOffice, bytes);
    this.peer.propose(bytes, first, this.nextZxid - 1);
  }

  // ---- writes and reads

  /** Leading: proposes one record; returns its zxid. */
  private write(draw: number, txn?: Partial<Txn>): number {
    if (this.first === 0) {
      this.first = this.nextZxid;
      this.writer.reset();
    }
    const zxid = this.nextZxid++;
    const { self } = this.setup.config;
    const unique = `${self}.${this.epochOfOffice}.${++this.writeCounter}.${draw}`;
    const op = { ...blankOp(OpKind.check, `/${unique.padEnd(draw % 200, ".")}`, emptyStat()), detail: "" };
    const record = { session: 0, seq: 0, acked: 0, fingerprint: 0, who: "", request: RequestKind.multi, ops: [op] };
    encodeTxn({ ...record, zxid, epoch: this.epochOfOffice, time: zxid, ...txn }, this.writer);
    if (txn === undefined) this.waiting.set(zxid, this.epochOfOffice);
    return zxid;
  }

  private askToRead(floor: number): void {
    if (this.epochOfOffice === 0) {
      this.peer.request(request("read", floor));
      return;
    }
    this.peer.confirmLeadership((zxid) => {
      if (zxid !== undefined) this.readAt(zxid, floor);
    });
  }

  private readAt(zxid: number, floor: number): void {
    if (this.applied >= zxid) this.setup.events.read(floor, this.applied);
    else this.reads.push({ zxid, floor });
  }

  // ---- what the peer says

  deliver(bytes: Uint8Array, firstZxid: number, lastZxid: number): void {
    const { events } = this.setup;
    events.delivered(bytes, firstZxid, lastZxid);
    const reader = new ByteReader(bytes);
    while (!reader.done) {
      const start = reader.at;
      const end = start + 4 + reader.fixed32();
      this.digest = crc32(bytes.subarray(start, end), this.digest);
      reader.at = end;
      this.applied++;
      events.digest(this.applied, this.digest);
      const epoch = this.waiting.get(this.applied);
      if (epoch === undefined) continue;
      this.waiting.delete(this.applied);
      events.acknowledged(this.applied, epoch);
    }
    if (this.reads.length === 0) return;
    const ready = this.reads.filter(({ zxid }) => zxid <= this.applied);
    this.reads = this.reads.filter(({ zxid }) => zxid > this.applied);
    for (const { floor } of ready) events.read(floor, this.applied);
  }

  leading(epoch: number): void {
    this.epochOfOffice = epoch;
    this.nextZxid = this.peer.last.zxid + 1;
    this.setup.events.leading(epoch);
    if (this.nextZxid > 1) return;
    const { members } = this.setup.config;
    const detail = foundingDetail({ clusterId: this.peer.clusterId, members, featureLevel: 1 });
    const found = { ...blankOp(OpKind.found, "", emptyStat()), detail };
    this.write(0, { request: RequestKind.found, ops: [found] });
  }

  following(leader: number, epoch: number): void {
    this.setup.events.following(leader, epoch);
  }

  looking(): void {
    this.epochOfOffice = 0;
    this.first = 0;
    // What was asked for may or may not have happened; nobody is told that it has.
    this.waiting.clear();
    this.reads = [];
    this.setup.events.looking();
  }

  received(from: number, payload: Uint8Array): void {
    const reader = new ByteReader(payload);
    const isRead = reader.byte() === 1;
    const a = reader.varint();
    if (this.epochOfOffice > 0) {
      if (isRead) {
        this.peer.confirmLeadership((zxid) => {
          if (zxid !== undefined) this.peer.answer(from, answer(1, zxid, a));
        });
      } else {
        const zxid = this.write(a);
        this.waiting.delete(zxid);
        this.peer.answer(from, answer(0, zxid, this.epochOfOffice));
      }
      return;
    }
    const b = reader.varint();
    if (isRead) this.readAt(a, b);
    else if (a > this.applied) this.waiting.set(a, b);
    else this.setup.events.acknowledged(a, b);
  }

  learnerJoined(): void {}

  learnerLeft(): void {}

  // ---- facts

  get role(): string {
    return this.peer.role;
  }

  get phase(): string {
    return this.peer.phase;
  }

  phaseOfLink(link: number): string {
    return this.peer.learnerStage(link) ?? "";
  }

  get serving(): boolean {
    return this.peer.serving;
  }

  get leader(): number {
    return this.peer.leader;
  }

  get epoch(): number {
    return this.peer.epoch;
  }

  get committed() {
    return this.peer.committed;
  }

  get last() {
    return this.peer.last;
  }

  get clusterId(): string {
    return this.peer.clusterId;
  }

  get recovering(): string | undefined {
    return this.peer.recovering;
  }

  get state(): undefined {
    return undefined;
  }

  get refused(): number {
    let sum = 0;
    for (const count of this.peer.refused.values()) sum += count;
    return sum;
  }
}

function request(kind: "write" | "read", value: number): Uint8Array {
  const writer = new ByteWriter(16);
  writer.byte(kind === "read" ? 1 : 0);
  writer.varint(value);
  return writer.copy();
}

function answer(kind: number, a: number, b: number): Uint8Array {
  const writer = new ByteWriter(16);
  writer.byte(kind);
  writer.varint(a);
  writer.varint(b);
  return writer.copy();
}
