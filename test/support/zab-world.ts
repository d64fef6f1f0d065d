/**
 * Peers in one thread, wired without a network: messages wait in queues until a test lets them pass, durable steps until
 * a test makes them durable. For looking at the protocol step by step; the simulator (src/sim) is for everything else.
 */
import type {
  DurableLog,
  DurableState,
  EpochStep,
  AppendStep,
  Forming,
  HistoryPiece,
  LogPosition,
  LogSource,
  MemberAck,
  SnapshotSource,
} from "../../src/zab/durable-log.ts";
import type { LinkMessage, Notification } from "../../src/zab/message.ts";
import { Peer } from "../../src/zab/peer.ts";
import type { Member, PeerHost, PeerNetwork } from "../../src/zab/ports.ts";

/** A transaction: its epoch and a word. */
export function transaction(epoch: number, word: string): Uint8Array {
  const text = new TextEncoder().encode(`${epoch} ${word}`);
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  return bytes;
}

export function transactions(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at, true);
    found.push(bytes.slice(at, end));
    at = end;
  }
  return found;
}

export function wordOf(txn: Uint8Array): string {
  return new TextDecoder().decode(txn.subarray(4)).split(" ")[1]!;
}

function epochOf(txn: Uint8Array): number {
  return Number(new TextDecoder().decode(txn.subarray(4)).split(" ")[0]);
}

interface Durable {
  clusterId: string;
  acceptedEpoch: number;
  currentEpoch: number;
  log: Uint8Array[];
  logStart: number;
  committed: number;
  forming: Forming | undefined;
  recovering: string | undefined;
  acks: readonly MemberAck[];
}

const empty: Durable = {
  clusterId: "",
  acceptedEpoch: 0,
  currentEpoch: 0,
  log: [],
  logStart: 1,
  committed: 0,
  forming: undefined,
  recovering: undefined,
  acks: [],
};

/** Steps take effect on `cached` at once, and on `durable` when `sync` is called. */
export class FakeStore implements DurableLog, LogSource {
  durable: Durable = { ...empty, log: [] };
  cached: Durable = { ...empty, log: [] };
  lastWrite = 0;
  readonly asked: string[] = [];
  readonly reads: { ticket: number; after: number }[] = [];

  get oldestZxid(): number {
    return this.cached.logStart;
  }
  acceptEpoch(write: number, epoch: number): void {
    this.note(write, `accept ${epoch}`);
    this.cached.acceptedEpoch = epoch;
  }
  establishEpoch(write: number, step: EpochStep): void {
    this.note(write, `establish ${step.epoch} after ${step.last.zxid}`);
    Object.assign(this.cached, { currentEpoch: step.epoch, recovering: undefined });
  }
  append(write: number, step: AppendStep): void {
    this.note(write, `append ${step.firstZxid}-${step.lastZxid}`);
    this.cached.log.push(...transactions(step.bytes));
    this.cached.committed = step.committed.zxid;
  }
  truncate(write: number, to: LogPosition): void {
    this.note(write, `truncate ${to.zxid}`);
    this.cached.log.length = to.zxid;
  }
  commit(write: number, point: LogPosition): void {
    this.note(write, `commit ${point.zxid}`);
    this.cached.committed = point.zxid;
  }
  rememberAcks(write: number, acks: readonly MemberAck[]): void {
    this.note(write, "acks");
    this.cached.acks = acks;
  }
  form(write: number, forming: Forming): void {
    this.note(write, `form ${forming.clusterId}`);
    this.cached.forming = forming;
  }
  markRecovering(write: number, reason: string): void {
    this.note(write, "recovering");
    this.cached.recovering = reason;
  }
  readLog(ticket: number, after: number): void {
    this.reads.push({ ticket, after });
  }

  /** Answers what was asked to be read. */
  answerReads(answer: (ticket: number, piece: HistoryPiece) => void): void {
    for (const { ticket, after } of this.reads.splice(0)) {
      const part = this.cached.log.slice(after);
      const bytes = new Uint8Array(part.reduce((sum, txn) => sum + txn.length, 0));
      let at = 0;
      for (const txn of part) {
        bytes.set(txn, at);
        at += txn.length;
      }
      answer(ticket, { bytes, firstZxid: after + 1, boundaries: boundariesOf(this.cached.log, after) });
    }
  }

  private note(write: number, what: string): void {
    this.lastWrite = write;
    this.asked.push(what);
  }

  sync(): void {
    this.durable = { ...this.cached, log: [...this.cached.log] };
  }

  recover(): DurableState {
    this.cached = { ...this.durable, log: [...this.durable.log] };
    this.lastWrite = 0;
    this.reads.length = 0;
    const { log, committed } = this.cached;
    const tail = log.slice(committed);
    const bytes = new Uint8Array(tail.reduce((sum, txn) => sum + txn.length, 0));
    let at = 0;
    for (const txn of tail) {
      bytes.set(txn, at);
      at += txn.length;
    }
    const boundaries = boundariesOf(log, 0);
    const position = (zxid: number): LogPosition => ({ zxid, epoch: zxid === 0 ? 0 : epochOf(log[zxid - 1]!) });
    return {
      ...this.cached,
      last: position(log.length),
      committed: position(committed),
      boundaries,
      tail: tail.length === 0 ? undefined : bytes,
      memberAcks: this.cached.acks,
    };
  }
}

export function boundariesOf(log: readonly Uint8Array[], after: number): LogPosition[] {
  const ends: LogPosition[] = [];
  for (let zxid = after + 1; zxid <= log.length; zxid++) {
    const epoch = epochOf(log[zxid - 1]!);
    if (ends.at(-1)?.epoch === epoch) ends.pop();
    ends.push({ zxid, epoch });
  }
  return ends;
}

interface Link {
  readonly a: number;
  readonly b: number;
  open: boolean;
}

export class Node implements PeerHost {
  readonly id: number;
  readonly world: ZabWorld;
  readonly store = new FakeStore();
  peer!: Peer;
  alive = true;
  applied: string[] = [];
  readonly told: string[] = [];
  readonly installs: { ticket: number; from: number }[] = [];

  constructor(world: ZabWorld, id: number) {
    this.world = world;
    this.id = id;
    this.boot();
  }

  boot(): void {
    this.alive = true;
    const state = this.store.recover();
    this.applied = this.store.cached.log.slice(0, state.committed.zxid).map(wordOf);
    const snapshots: SnapshotSource = {
      prepareSnapshot: () => undefined,
      installSnapshot: (ticket, from) => this.installs.push({ ticket, from }),
    };
    const { members } = this.world;
    this.peer = new Peer(
      { self: this.id, members, newClusterId: "c".repeat(32), tickMs: 50 },
      { log: this.store, source: this.store, snapshots, network: this.world.network(this.id) },
      this,
      state,
    );
    this.peer.tick(this.world.now);
  }

  deliver(bytes: Uint8Array, firstZxid: number): void {
    if (firstZxid !== this.applied.length + 1) throw new Error("delivered out of order");
    this.applied.push(...transactions(bytes).map(wordOf));
  }
  leading(epoch: number): void {
    this.told.push(`leading ${epoch}`);
  }
  following(leader: number, epoch: number): void {
    this.told.push(`following ${leader} ${epoch}`);
  }
  looking(): void {
    this.told.push("looking");
  }
  received(from: number, payload: Uint8Array): void {
    this.told.push(`received ${from} ${new TextDecoder().decode(payload)}`);
  }
  learnerJoined(member: number): void {
    this.told.push(`joined ${member}`);
  }
  learnerLeft(member: number): void {
    this.told.push(`left ${member}`);
  }

  /** Proposes a transaction for each word. */
  propose(...words: string[]): void {
    for (const word of words) {
      const zxid = this.peer.last.zxid + 1;
      this.peer.propose(transaction(this.peer.epoch, word), zxid, zxid);
    }
  }

  /** Makes everything durable that was asked for; returns whether there was anything. */
  sync(): boolean {
    if (!this.alive) return false;
    const hasReads = this.store.reads.length > 0;
    this.store.answerReads((ticket, piece) => {
      this.peer.logRead(ticket, piece);
    });
    if (this.store.lastWrite === 0) return hasReads;
    const { lastWrite } = this.store;
    this.store.lastWrite = 0;
    this.store.sync();
    this.peer.persisted(lastWrite);
    return true;
  }
}

export class ZabWorld {
  now = 1000;
  readonly members: readonly Member[];
  readonly nodes = new Map<number, Node>();
  /** Messages under way; a test may look at them, drop them, or hold some back. */
  readonly underWay: { from: number; to: number; link: number; message: LinkMessage | Notification }[] = [];
  private readonly links = new Map<number, Link>();
  private linkCount = 0;
  /** Directed pairs "a>b" that nothing passes. */
  readonly cut = new Set<string>();

  constructor(members: readonly Member[]) {
    this.members = members;
    for (const { id } of members) this.nodes.set(id, new Node(this, id));
  }

  node(id: number): Node {
    return this.nodes.get(id)!;
  }

  network(self: number): PeerNetwork {
    return {
      notify: (to, message) => {
        this.underWay.push({ from: self, to, link: 0, message });
      },
      connect: (to) => {
        this.links.set(++this.linkCount, { a: self, b: to, open: false });
        return this.linkCount;
      },
      send: (link, message) => {
        const known = this.links.get(link);
        if (known === undefined) return;
        this.underWay.push({ from: self, to: self === known.a ? known.b : known.a, link, message });
      },
      close: (link) => {
        this.breakLink(link, self);
      },
    };
  }

  private breakLink(id: number, by: number): void {
    const link = this.links.get(id);
    if (link === undefined) return;
    this.links.delete(id);
    const other = this.nodes.get(by === link.a ? link.b : link.a)!;
    if (other.alive && (link.open || other.id === link.a))
      this.later.push(() => other.alive && other.peer.linkClosed(id));
  }

  private readonly later: (() => void)[] = [];

  private passes(from: number, to: number): boolean {
    return !this.cut.has(`${from}>${to}`) && this.node(from).alive && this.node(to).alive;
  }

  /** Lets the oldest message pass; returns whether there was one. */
  step(): boolean {
    for (const run of this.later.splice(0)) run();
    const next = this.underWay.shift();
    if (next === undefined) return this.later.length > 0;
    const { from, to, link, message } = next;
    if (!this.passes(from, to)) {
      // A link that loses a message is broken, for both sides.
      if (this.links.has(link)) {
        this.breakLink(link, from);
        this.later.push(() => this.node(from).alive && this.node(from).peer.linkClosed(link));
      }
      return true;
    }
    const { peer } = this.node(to);
    if (link === 0) peer.notified(from, message as Notification);
    else if (this.links.has(link)) {
      const known = this.links.get(link)!;
      if (!known.open) {
        known.open = true;
        peer.linkOpened(link, from);
      }
      if (this.links.has(link)) peer.linkReceived(link, message as LinkMessage);
    }
    return true;
  }

  /** Lets everything pass and become durable until nothing moves. */
  settle(): void {
    for (let steps = 0; steps < 100_000; steps++) {
      if (this.step()) continue;
      let moved = false;
      for (const node of this.nodes.values()) moved = node.sync() || moved;
      if (!moved && this.underWay.length === 0 && this.later.length === 0) return;
    }
    throw new Error("the world does not come to rest");
  }

  /** Time passes in ticks, everything settling in between. */
  pass(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end;) {
      this.now += 50;
      for (const node of this.nodes.values()) if (node.alive) node.peer.tick(this.now);
      this.settle();
    }
  }

  crash(id: number): void {
    const node = this.node(id);
    node.alive = false;
    for (const [number, { a, b }] of [...this.links]) if (a === id || b === id) this.breakLink(number, id);
    for (const other of this.nodes.values())
      if (other.alive) this.later.push(() => other.alive && other.peer.unreachable(id));
  }

  leader(): Node | undefined {
    return [...this.nodes.values()].find(({ alive, peer }) => alive && peer.role === "leading" && peer.serving);
  }
}

export const three: readonly Member[] = [1, 2, 3].map((id) => ({ id, voter: true }));
