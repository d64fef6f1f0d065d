/** The production replica as the core of a simulated server, and the clients of all servers. */
import { ByteReader } from "../base/bytes.ts";
import { refusal } from "../base/reasons.ts";
import type { Recovered } from "../replica/ports.ts";
import { Replica, type ReplicaConfig, type ReplicaPorts } from "../replica/replica.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import { applyToSessions } from "../sessions/apply.ts";
import { SessionTable } from "../sessions/session-table.ts";
import { parseFounding, type Founding } from "../tree/detail.ts";
import { Tree } from "../tree/tree.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { LogReadResult, SnapshotOffer } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import { SimClient, type ClientServer } from "./clients.ts";
import type { ClientFact, Core, CoreEvents, CoreSetup, Program, ProgramFactory, World } from "./core.ts";
import type { DiskRecovered } from "./disk.ts";
import type { Prng } from "./prng.ts";
import type { Row } from "./rows.ts";

const clientCount = 8;

export const replicaProgram: ProgramFactory = (world) => new ReplicaProgram(world);

class ReplicaProgram implements Program {
  readonly clients: readonly SimClient[];
  readonly chance: Prng;

  constructor(world: World) {
    this.chance = world.stream("program");
    this.clients = Array.from({ length: clientCount }, (_, index) => {
      return new SimClient(index + 1, world.stream(`client.${index + 1}`), () => world.virtualMs);
    });
  }

  makeCore(setup: CoreSetup): Core {
    return new ReplicaCore(setup, this.clients);
  }

  /** Where the client is; now and then, or when it is nowhere, somewhere else. */
  nodeFor(draw: number, nodes: number): number {
    const client = this.clients[draw % clientCount]!;
    const moves = (draw >>> 8) % 50 === 0;
    return client.node === 0 || moves ? 1 + ((draw >>> 16) % nodes) : client.node;
  }
}

/** A replica that says what it is told by its peer. */
class WatchedReplica extends Replica {
  events: CoreEvents | undefined;

  override deliver(bytes: Uint8Array, firstZxid: number, lastZxid: number): void {
    this.events?.delivered(bytes, firstZxid, lastZxid);
    super.deliver(bytes, firstZxid, lastZxid);
  }

  override leading(epoch: number): void {
    this.events?.leading(epoch);
    super.leading(epoch);
  }

  override following(): void {
    this.events?.following(this.peer.leader, this.peer.epoch);
    super.following();
  }

  override looking(): void {
    this.events?.looking();
    super.looking();
  }
}

class ReplicaCore implements Core, ClientServer {
  readonly node: number;
  readonly replica: WatchedReplica;
  private readonly setup: CoreSetup;
  private readonly clients: readonly SimClient[];

  constructor(setup: CoreSetup, clients: readonly SimClient[]) {
    const { config, ports, events, recovered } = setup;
    this.setup = setup;
    this.clients = clients;
    this.node = config.self;
    const replicaConfig: ReplicaConfig = {
      peer: config,
      featureLevel: 1,
      creatorOwned: false,
      digestEvery: 64,
      sizes: { recentTxns: 40 },
    };
    const replicaPorts: ReplicaPorts = {
      ...ports,
      history: ports.history,
      stateChanged: () => undefined,
      diverged: ({ zxid, own, agreed }) => {
        events.diverged(`its digest at ${zxid} is ${own}, most have ${agreed ?? "different ones"}`);
      },
    };
    this.replica = new WatchedReplica(replicaConfig, replicaPorts, rebuild(recovered));
    this.replica.events = events;
    const { peer } = this.replica;
    const propose = peer.propose.bind(peer);
    peer.propose = (bytes, firstZxid, lastZxid) => {
      events.proposed(peer.epoch, bytes);
      propose(bytes, firstZxid, lastZxid);
    };
  }

  // ---- inputs

  tick(monotonicMs: number, wallMs: number): void {
    this.replica.setTime(wallMs);
    this.replica.tick(monotonicMs);
  }

  persisted(write: number): void {
    this.replica.persisted(write);
  }

  notified(from: number, notification: Notification): void {
    this.replica.peer.notified(from, notification);
  }

  unreachable(from: number): void {
    this.replica.peer.unreachable(from);
  }

  linkOpened(link: number, from: number): void {
    this.replica.peer.linkOpened(link, from);
  }

  linkReceived(link: number, message: LinkMessage): void {
    this.replica.peer.linkReceived(link, message);
  }

  linkClosed(link: number): void {
    this.replica.peer.linkClosed(link);
  }

  logRead(ticket: number, result: LogReadResult): void {
    this.replica.peer.logRead(ticket, result);
  }

  snapshotReady(ticket: number, offer: SnapshotOffer | undefined): void {
    this.replica.peer.snapshotReady(ticket, offer);
  }

  snapshotFailed(ticket: number): void {
    this.replica.peer.snapshotFailed(ticket);
  }

  historyRead(ticket: number, result: { truncated: number } | { rows: readonly Row[] }): void {
    if ("truncated" in result) {
      this.replica.historyRead(ticket, { kind: "truncated", oldestZxid: result.truncated });
    } else {
      const txns = result.rows.map(({ bytes }) => decodeTxn(new ByteReader(bytes)));
      this.replica.historyRead(ticket, { kind: "read", txns });
    }
  }

  client(draw: number): void {
    this.clients[draw % clientCount]!.act(this);
  }

  setDiskLow(low: boolean): void {
    this.replica.setDiskLow(low);
  }

  resign(): void {
    this.replica.peer.resign();
  }

  retire(): void {
    this.replica.retire(refusal("NO_LEADER", "a checkpoint takes the place of this state"));
  }

  died(): void {
    this.replica.events = undefined;
    for (const client of this.clients) client.lost(this);
  }

  flush(): void {
    this.replica.flush();
  }

  // ---- what clients say

  tell(fact: ClientFact): void {
    this.setup.events.client(fact);
  }

  acknowledged(zxid: number, epoch: number): void {
    this.setup.events.acknowledged(zxid, epoch);
  }

  read(floor: number, zxid: number): void {
    this.setup.events.read(floor, zxid);
  }

  floor(): number {
    return this.setup.floor();
  }

  // ---- facts

  get role(): string {
    return this.replica.role;
  }

  get phase(): string {
    return this.replica.peer.phase;
  }

  phaseOfLink(link: number): string {
    return this.replica.peer.learnerStage(link) ?? "";
  }

  get serving(): boolean {
    return this.replica.serving;
  }

  get leader(): number {
    return this.replica.peer.leader;
  }

  get epoch(): number {
    return this.replica.epoch;
  }

  get committed() {
    return this.replica.committed;
  }

  get last() {
    return this.replica.peer.last;
  }

  get clusterId(): string {
    return this.replica.clusterId;
  }

  get recovering(): string | undefined {
    return this.replica.peer.recovering;
  }

  get applied(): number {
    return this.replica.appliedZxid;
  }

  get digest(): number {
    return this.replica.digest();
  }

  get state() {
    const { tree, sessions } = this.replica;
    return { tree, sessions };
  }

  get refused(): number {
    let sum = 0;
    for (const count of this.replica.peer.refused.values()) sum += count;
    return sum;
  }
}

/** The state made of what is committed, as recovery makes it. */
function rebuild({ state, committed, tail }: DiskRecovered): Recovered {
  const tree = Tree.initial();
  const sessions = new SessionTable();
  let founding: Founding | undefined;
  let lastTime = 0;
  const decoded = (row: Row): Txn => decodeTxn(new ByteReader(row.bytes));
  for (const row of committed) {
    const txn = decoded(row);
    for (const op of txn.ops) {
      tree.apply(txn.zxid, op);
      if (op.kind === OpKind.found) founding = parseFounding(op.detail);
    }
    applyToSessions(sessions, txn);
    lastTime = txn.time;
  }
  for (const row of tail) lastTime = decoded(row).time;
  return { durable: state, founding, tree, sessions, lastTime };
}
