/**
 * An ensemble in one process: servers with their disks and clocks, the network between them, clients, and the faults of
 * a scenario. First a part with faults; then what is broken stays broken, except for a core with a quorum, which is
 * healed and must come to a leader, to one history and to rest.
 */
import { AssertionError } from "../base/assert.ts";
import { ByteReader } from "../base/bytes.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { Member } from "../zab/ports.ts";
import { SimClock } from "./clock.ts";
import type { Core, CoreEvents, Program, ProgramFactory } from "./core.ts";
import { Coverage } from "./coverage.ts";
import { SimDisk, type CrashMode, type DiskHost, type DurableFacts } from "./disk.ts";
import type { Fact } from "./facts.ts";
import type { Fault, Scenario, Target } from "./fault.ts";
import { Input } from "./input.ts";
import type { Step } from "./log-image.ts";
import { SimNetwork } from "./network.ts";
import { Seed, type Prng } from "./prng.ts";
import { SimProcess, type ProcessHost } from "./process.ts";
import { splitRows } from "./rows.ts";
import { Scheduler, type EventTarget } from "./scheduler.ts";

const Event = { fault: 1, boot: 2, call: 3, unblock: 4, diskRight: 5, diskRoomy: 6 } as const;

/** What went wrong, and when. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly check: string;
  readonly virtualMs: number;

  constructor(check: string, problem: string, virtualMs: number, options?: ErrorOptions) {
    super(`${check}: ${problem}`, options);
    this.check = check;
    this.virtualMs = virtualMs;
  }
}

/** Judges facts; throws nothing, but calls back when something is wrong. */
export interface Judge {
  see(fact: Fact): void;
}

/** For people who watch a run. */
export interface Tracer {
  line(node: number, text: string): void;
}

interface Server {
  readonly id: number;
  readonly voter: boolean;
  readonly disk: SimDisk;
  readonly clock: SimClock;
  process: SimProcess | undefined;
  lives: number;
  /** Down until somebody starts it, by its number of boots planned. */
  boots: number;
  committedZxid: number;
  phase: string;
  looked: number;
}

/** The whole state is looked at when this many transactions were applied since the last time. */
const stateEvery = 97;

export class Cluster implements EventTarget, DiskHost, ProcessHost {
  readonly scenario: Scenario;
  readonly coverage = new Coverage();
  readonly scheduler: Scheduler;
  readonly servers = new Map<number, Server>();
  readonly members: readonly Member[];
  /** Events that are no ticks. */
  steps = 0;
  calls = 0;
  acknowledged = 0;
  readsAnswered = 0;
  /** How many transactions were delivered, somewhere. */
  private delivered = 0;
  /** The newest transaction that any client knows of. */
  floor = 0;
  failure: Failure | undefined;
  tracer: Tracer | undefined;
  judge: Judge = { see: () => undefined };
  private readonly network: SimNetwork;
  private readonly seed: Seed;
  private readonly chance: Prng;
  private readonly clients: Prng;
  private readonly program: Program;
  /** Servers that lost what they had acknowledged, and are not synchronized since. */
  private readonly lossy = new Set<number>();
  /** Messages sent long ago, to be sent once more. */
  private readonly sentBefore = new Map<string, LinkMessage[]>();
  private readonly strays = new Set<unknown>();
  private before: { last: number; committed: number } | undefined;
  private calling = true;
  /** While healing: no faults any more. */
  private frozen = false;

  constructor(scenario: Scenario, makeProgram: ProgramFactory) {
    this.scenario = scenario;
    this.seed = new Seed(scenario.seed);
    this.chance = this.seed.stream("cluster");
    this.clients = this.seed.stream("clients");
    this.scheduler = new Scheduler(this.seed.stream("ties"));
    this.network = new SimNetwork(this.scheduler, this.seed, scenario.network, {
      sent: (from, to, _link, message) => this.sent(from, to, message),
      notifying: (node, to, notification) => this.see({ kind: "notifying", node, to, notification }),
    });
    const virtualMs = () => this.virtualMs;
    this.program = makeProgram({
      get virtualMs() {
        return virtualMs();
      },
      stream: (name) => this.seed.stream(name),
    });
    const { voters, observers } = scenario;
    this.members = Array.from({ length: voters + observers }, (_, index) => ({ id: index + 1, voter: index < voters }));
    for (const { id, voter } of this.members) this.servers.set(id, this.newServer(id, voter));
  }

  private newServer(id: number, voter: boolean): Server {
    const { scheduler, coverage, scenario } = this;
    const chance = this.seed.stream(`disk.${id}`);
    const disk = new SimDisk(id, { scheduler, chance, coverage }, scenario.disk, this);
    const rate = scenario.clockRates[id - 1] ?? 1;
    const clock = new SimClock(rate, this.chance.between(0, 1_000_000), this.chance.between(-60_000, 60_000));
    return { id, voter, disk, clock, process: undefined, lives: 0, boots: 0, committedZxid: 0, phase: "", looked: 0 };
  }

  server(id: number): Server {
    return this.servers.get(id)!;
  }

  get virtualMs(): number {
    return this.scheduler.now / 1000;
  }

  // ---- a run

  start(): void {
    for (const server of this.servers.values()) this.bootAfter(server, this.chance.between(0, 300));
    this.scenario.faults.forEach((fault, index) => {
      this.scheduler.at(fault.at * 1000, this, Event.fault, index, fault);
    });
    this.scheduler.after(this.scenario.callEvery, this, Event.call);
  }

  /** Runs up to a moment; false when something failed before. */
  runTo(virtualMs: number): boolean {
    const until = virtualMs * 1000;
    while (this.failure === undefined && this.scheduler.step(until));
    if (this.failure === undefined) this.scheduler.now = Math.max(this.scheduler.now, until);
    return this.failure === undefined;
  }

  fail(check: string, problem: string, cause?: unknown): void {
    this.failure ??= new Failure(check, problem, this.virtualMs, { cause });
    this.trace(0, `FAILED ${check}: ${problem}`);
  }

  trace(node: number, text: string): void {
    this.tracer?.line(node, text);
  }

  private see(fact: Fact): void {
    this.judge.see(fact);
  }

  fire(what: number, a: number, payload: unknown): void {
    switch (what) {
      case Event.fault:
        if (!this.frozen) this.strike(payload as Fault);
        break;
      case Event.boot:
        this.boot(this.server(a), payload as number);
        break;
      case Event.call:
        this.call();
        break;
      case Event.unblock:
        for (const [from, to] of payload as [number, number][]) this.unblock(from, to);
        break;
      case Event.diskRight: {
        const { disk } = this.server(a);
        disk.slowness = 1;
        disk.lying = false;
        break;
      }
      default:
        this.server(a).process?.core?.setDiskLow(false);
    }
  }

  // ---- clients

  private call(): void {
    if (!this.calling || this.calls >= this.scenario.calls) return;
    // After the faults, servers that lag must be able to catch up with their small pieces of history.
    const every = this.scenario.callEvery * (this.frozen ? 4 : 1);
    this.scheduler.after(this.clients.exponential(every), this, Event.call);
    const burst = this.clients.chance(0.1) ? this.clients.between(2, 8) : 1;
    for (let i = 0; i < burst; i++) {
      const draw = this.clients.next();
      this.calls++;
      this.server(this.program.nodeFor(draw, this.members.length)).process?.deliver(Input.client, draw, undefined);
    }
  }

  // ---- processes

  private bootAfter(server: Server, ms: number): void {
    server.boots++;
    this.scheduler.after(ms * 1000, this, Event.boot, server.id, server.boots);
  }

  private boot(server: Server, boots: number): void {
    if (server.process !== undefined || server.boots !== boots) return;
    const { id, disk } = server;
    const recovered = this.recover(server);
    // A fault has ended it meanwhile, and its next start is planned.
    if (recovered === undefined) return;
    const process = new SimProcess(id, ++server.lives, this.scheduler, this);
    server.process = process;
    server.committedZxid = recovered.state.committed.zxid;
    server.phase = "";
    this.trace(id, `boots with ${describe(recovered.state.last)} committed ${recovered.state.committed.zxid}`);
    this.see({ kind: "booted", node: id, state: recovered.state, committed: recovered.committed });
    if (recovered.state.recovering !== undefined) this.coverage.hit("recovering", "at start");
    const network = this.network.attach(process);
    const { scenario } = this;
    const timeout = scenario.timeoutMs;
    try {
      process.core = this.program.makeCore({
        config: {
          self: id,
          members: this.members,
          newClusterId: (id * 1000 + server.lives).toString(16).padStart(32, "c"),
          tickMs: scenario.tickMs,
          windowBytes: scenario.windowBytes,
          pieceBytes: scenario.pieceBytes,
          timeouts: {
            pingMs: scenario.pingMs,
            hearMs: timeout,
            syncMs: timeout,
            initMs: 2 * timeout,
            stallMs: 3 * timeout,
          },
        },
        ports: { ...disk.attach(process), network },
        events: this.eventsOf(server, process),
        recovered,
        floor: () => this.floor,
      });
    } catch (error) {
      this.failed(process, error);
      return;
    }
    process.start();
    this.see({ kind: "digest", node: id, zxid: process.core.applied, digest: process.core.digest });
  }

  private recover(server: Server) {
    try {
      return server.disk.recover();
    } catch (error) {
      this.fail("P01", `server ${server.id} cannot recover: ${String(error)}`, error);
      return undefined;
    }
  }

  private eventsOf(server: Server, process: SimProcess): CoreEvents {
    const { id: node, disk } = server;
    return {
      leading: (epoch) => {
        this.coverage.hit("election", "leader established");
        this.trace(node, `LEADS epoch ${epoch}`);
        const last = process.core!.last;
        this.see({ kind: "leading", node, epoch, last, durable: disk.durable });
      },
      following: (leader, epoch) => {
        this.trace(node, `FOLLOWS ${leader} in epoch ${epoch}`);
        this.see({ kind: "following", node, leader, epoch });
      },
      looking: () => {
        this.trace(node, "looks");
        this.see({ kind: "looking", node });
      },
      proposed: (epoch, bytes) => {
        this.see({ kind: "proposed", node, epoch, rows: splitRows(bytes, 0) });
      },
      delivered: (bytes) => {
        const durableZxid = disk.durable.last.zxid;
        const role = process.core!.role;
        for (const row of splitRows(bytes, 0)) {
          this.see({ kind: "delivered", node, role, row, durableZxid });
          if (row.zxid !== this.delivered + 1) continue;
          this.delivered++;
          this.see({ kind: "txn", txn: decodeTxn(new ByteReader(row.bytes)), epoch: row.epoch });
        }
      },
      digest: (zxid, digest) => {
        this.see({ kind: "digest", node, zxid, digest });
      },
      acknowledged: (zxid, epoch) => {
        this.acknowledged++;
        this.floor = Math.max(this.floor, zxid);
        this.see({ kind: "acknowledged", node, zxid, epoch });
      },
      read: (floor, zxid) => {
        this.readsAnswered++;
        this.see({ kind: "read", node, floor, zxid });
      },
      client: (fact) => {
        if (this.tracer !== undefined) this.trace(node, `client ${JSON.stringify(fact)}`);
        if (fact.kind === "event") this.coverage.hit("client", "watch event");
        else if (fact.kind === "ended") this.coverage.hit("client", "session over");
        this.see(fact);
      },
      diverged: (problem) => this.fail("T01", `server ${node}: ${problem}`),
    };
  }

  private kill(server: Server, mode: CrashMode, reason: string): void {
    const { process, disk, id } = server;
    if (process === undefined) return;
    if (disk.hasUnsynced) this.coverage.hit("fault", `${mode} with unsynced writes`);
    this.trace(id, `CRASHES (${mode}): ${reason}`);
    process.core?.died();
    process.end();
    server.process = undefined;
    this.network.detach(process, mode === "power");
    disk.detach();
    if (mode === "power") disk.losePower();
    this.see({ kind: "crashed", node: id });
  }

  // ---- what a disk says

  crashed(node: number, mode: CrashMode, reason: string): void {
    const server = this.server(node);
    // Also in the midst of a recovery, when there is no process yet.
    if (server.process === undefined && mode === "power") server.disk.losePower();
    this.kill(server, mode, reason);
    this.bootAfter(server, this.chance.pick([5, 50, 500, 2000]));
  }

  broken(node: number, error: unknown): void {
    this.fail("log", `server ${node} asks for a step that breaks its log: ${String(error)}`, error);
  }

  fetch(node: number, from: number, id: string) {
    const source = this.server(from);
    const checkpoint = source.disk.offeredCheckpoint(id);
    if (source.process === undefined || checkpoint === undefined) return undefined;
    const bytes = checkpoint.rows.length * 100;
    const micros = this.network.transferTime(from, node, bytes);
    return micros === undefined ? undefined : { checkpoint, micros };
  }

  replacing(node: number): void {
    const server = this.server(node);
    this.trace(node, "installs a checkpoint");
    const { process } = server;
    if (process === undefined) return;
    process.core?.retire();
    process.core?.died();
    process.core = undefined;
    this.network.detach(process, false);
  }

  replaced(node: number): void {
    const server = this.server(node);
    this.see({ kind: "crashed", node });
    server.process?.end();
    server.process = undefined;
    server.disk.detach();
    server.boots++;
    this.boot(server, server.boots);
  }

  mayLose(node: number, remaining: LogPosition): boolean {
    if (!this.server(node).voter || !this.allowsLoss(node)) return false;
    const shows = this.others(node).every(({ voter, disk }) => {
      const remembered = disk.durable.header.memberAcks.get(node);
      return !voter || (remembered !== undefined && remembered.zxid > remaining.zxid);
    });
    if (shows) this.loses(node);
    return shows;
  }

  private loses(node: number): void {
    this.lossy.add(node);
    this.see({ kind: "lost", node });
  }

  /** Whether a quorum that has lost nothing remains. */
  private allowsLoss(node: number): boolean {
    const sound = this.members.filter(({ id, voter }) => voter && id !== node && !this.isLossy(id)).length;
    return sound > this.scenario.voters / 2;
  }

  private others(node: number): Server[] {
    return [...this.servers.values()].filter(({ id }) => id !== node);
  }

  durable(node: number, written: readonly Step[], facts: DurableFacts): void {
    const kinds = written.map(({ kind }) => kind);
    if (kinds.includes("establishEpoch")) this.lossy.delete(node);
    if (this.tracer !== undefined) this.trace(node, `durable: ${kinds.join(" ")}, log to ${describe(facts.last)}`);
    for (const kind of kinds) if (kind !== "append" && kind !== "commit") this.coverage.hit("log", kind);
    this.see({ kind: "durable", node, steps: kinds, facts });
  }

  // ---- what a process says

  monotonicMs(node: number): number {
    return this.server(node).clock.monotonicMs(this.scheduler.now);
  }

  wallMs(node: number): number {
    return this.server(node).clock.wallMs(this.scheduler.now);
  }

  tickMicros(node: number): number {
    return this.server(node).clock.microsFor(this.scenario.tickMs);
  }

  private sent(from: number, to: number, message: LinkMessage): void {
    if (this.tracer !== undefined) this.trace(from, `-> ${to} ${short(message)}`);
    this.see({ kind: "sent", node: from, to, message, durable: this.server(from).disk.durable });
    if ("epoch" in message) {
      const key = `${from} ${to} ${message.type}`;
      const kept = this.sentBefore.get(key) ?? [];
      if (kept.length === 0) this.sentBefore.set(key, kept);
      if (kept.length < 4) kept.push(message);
      else kept[this.chance.below(4)] = message;
    }
  }

  beforeTurn(process: SimProcess, what: number, a: number, payload: unknown): void {
    const { node } = process;
    const core = process.core!;
    if (what !== Input.tick) this.steps++;
    if (what === Input.linkReceived) {
      const message = payload as LinkMessage;
      const stage = core.phaseOfLink(a);
      this.coverage.hit("cell", `${stage === "" ? core.phase : `leading, learner in ${stage}`} × ${message.type}`);
      if (this.tracer !== undefined) this.trace(node, `<- ${short(message)}`);
      this.see({ kind: "received", node, from: this.network.otherEnd(a, node), message });
      if (this.strays.delete(payload)) {
        this.coverage.hit("fault", "stray message received");
        this.before = { last: core.last.zxid, committed: core.committed.zxid };
      }
    } else if (what === Input.notified) {
      this.coverage.hit("cell", `${core.phase} × notification of ${(payload as Notification).state}`);
    }
  }

  afterTurn(process: SimProcess): void {
    const { node } = process;
    const server = this.server(node);
    const core = process.core!;
    if (this.before !== undefined) {
      const { last, committed } = this.before;
      this.before = undefined;
      if (core.last.zxid !== last || core.committed.zxid !== committed) {
        this.fail("Z21", `a message of an earlier epoch changed the state of server ${node}`);
      }
    }
    const { committed } = core;
    if (committed.zxid !== server.committedZxid) {
      server.committedZxid = committed.zxid;
      const { role, epoch } = core;
      this.see({ kind: "committed", node, role, epoch, committed, durable: server.disk.durable });
    }
    if (Math.floor(core.applied / stateEvery) !== server.looked) {
      server.looked = Math.floor(core.applied / stateEvery);
      this.look(server);
    }
    if (core.phase !== server.phase) {
      server.phase = core.phase;
      this.trace(node, `is ${core.phase}`);
    }
    server.disk.endTurn();
  }

  /** Looks at the whole state of a server. */
  look({ id, process }: { readonly id: number; readonly process: SimProcess | undefined }): void {
    const core = process?.core;
    const state = core?.state;
    if (core === undefined || state === undefined) return;
    this.see({ kind: "state", node: id, zxid: core.applied, ...state });
    this.see({ kind: "digest", node: id, zxid: core.applied, digest: core.digest });
  }

  failed(process: SimProcess, error: unknown): void {
    const what = error instanceof AssertionError ? "assertion" : "exception";
    this.fail(what, `server ${process.node}: ${error instanceof Error ? error.message : String(error)}`, error);
  }

  // ---- faults

  private resolve(target: Target): Server | undefined {
    if (typeof target === "number") return this.servers.get(target);
    const leader = [...this.servers.values()].find(({ process }) => process?.core?.role === "leading");
    if (target === "leader") return leader;
    return [...this.servers.values()].find(({ process }) => process?.core?.role === "following");
  }

  private strike(fault: Fault): void {
    if (this.struck(fault)) {
      this.coverage.hit("fault", fault.kind);
      if (this.tracer !== undefined) this.trace(0, `fault ${JSON.stringify(fault)}`);
    }
  }

  /** Returns whether it could be done. */
  private struck(fault: Fault): boolean {
    const { now } = this.scheduler;
    switch (fault.kind) {
      case "crashAll":
        for (const server of this.servers.values()) this.killFor(server, fault.mode, fault.downMs[server.id - 1] ?? 0);
        return true;
      case "partition":
        this.blockFor(fault.blocked, fault.ms);
        return true;
      case "clog":
        this.network.clog(fault.from, fault.to, now + fault.ms * 1000);
        return true;
      case "reset":
        this.network.reset(fault.a, fault.b);
        return true;
      case "breakOn":
        this.network.trap(fault.from, fault.to, fault.type, fault.count);
        return true;
      case "stray":
        return this.replay(fault);
      default: {
        const server = this.resolve(fault.target);
        return server !== undefined && this.strikeServer(fault, server);
      }
    }
  }

  private strikeServer(fault: Fault & { readonly target: Target }, server: Server): boolean {
    const { disk, process, clock, id } = server;
    const { now } = this.scheduler;
    switch (fault.kind) {
      case "crash":
        return this.killFor(server, fault.mode, fault.downMs);
      case "trap":
        disk.trap = { point: fault.point, skip: fault.skip, mode: fault.mode };
        return true;
      case "failSync":
        disk.failingSync = { skip: fault.skip, variant: fault.variant };
        return true;
      case "slowDisk":
        disk.slowness = fault.factor;
        this.scheduler.after(fault.ms * 1000, this, Event.diskRight, id);
        return true;
      case "stallDisk":
        disk.stalledUntil = now + fault.ms * 1000;
        return true;
      case "lyingDisk":
        disk.lying = true;
        this.scheduler.after(fault.ms * 1000, this, Event.diskRight, id);
        return true;
      case "wipe":
        if (!server.voter || !this.allowsLoss(id) || disk.isEmpty) return false;
        // Until somebody has an epoch, an empty directory cannot be told from one that never held anything.
        if (!this.others(id).some((other) => other.voter && other.disk.durable.header.currentEpoch > 0)) return false;
        this.kill(server, "power", "its disk is replaced by an empty one");
        this.loses(id);
        disk.wipe();
        this.bootAfter(server, fault.downMs);
        return true;
      case "setAside":
        if (!disk.canSetAside) return false;
        disk.setAside();
        return true;
      case "restore": {
        const { backup } = disk;
        if (backup === undefined || !this.mayLose(id, backup.durable.last)) return false;
        this.kill(server, "power", "its disk is restored from an old copy");
        disk.restore(backup);
        this.bootAfter(server, fault.downMs);
        return true;
      }
      case "pause":
        if (process === undefined) return false;
        process.pause(now + fault.ms * 1000);
        return true;
      case "isolate": {
        const blocked: [number, number][] = [];
        for (const other of this.others(id)) {
          if (fault.way !== "out") blocked.push([other.id, id]);
          if (fault.way !== "in") blocked.push([id, other.id]);
        }
        if (fault.way !== "both") this.coverage.hit("fault", "asymmetric link");
        this.blockFor(blocked, fault.ms);
        return true;
      }
      case "clockJump":
        clock.jump(now, fault.ms);
        return true;
      case "clockRate":
        clock.setRate(now, fault.rate);
        return true;
      case "diskLow":
        if (process?.core === undefined) return false;
        process.core.setDiskLow(true);
        this.scheduler.after(fault.ms * 1000, this, Event.diskRoomy, id);
        return true;
      case "resign":
        if (process?.core === undefined || process.isPaused) return false;
        process.core.resign();
        this.afterTurn(process);
        return true;
      default:
        return false;
    }
  }

  private killFor(server: Server, mode: CrashMode, downMs: number): boolean {
    if (server.process === undefined) return false;
    this.kill(server, mode, "it is killed");
    this.bootAfter(server, downMs);
    return true;
  }

  private readonly blocks = new Map<string, number>();

  private blockFor(blocked: readonly (readonly [number, number])[], ms: number): void {
    for (const [from, to] of blocked) {
      const key = `${from} ${to}`;
      this.blocks.set(key, (this.blocks.get(key) ?? 0) + 1);
      this.network.block(from, to);
      if (!this.network.isBlocked(to, from)) this.coverage.hit("fault", "asymmetric link");
    }
    this.scheduler.after(ms * 1000, this, Event.unblock, 0, blocked);
  }

  private unblock(from: number, to: number): void {
    const key = `${from} ${to}`;
    const count = this.blocks.get(key) ?? 0;
    if (count === 0) return;
    this.blocks.set(key, count - 1);
    this.network.unblock(from, to);
  }

  /** Sends a message of an earlier epoch once more. */
  private replay(fault: Fault & { kind: "stray" }): boolean {
    const { from, to, type, age } = fault;
    const kept = this.sentBefore.get(`${from} ${to} ${type}`);
    const message = kept?.[age % kept.length];
    const now = Math.max(...[...this.servers.values()].map(({ disk }) => disk.durable.header.currentEpoch));
    if (message === undefined || !("epoch" in message) || message.epoch >= now) return false;
    const accepted = this.server(to).disk.durable.header.acceptedEpoch;
    if (message.epoch >= accepted) return false;
    const copy = { ...message };
    if (!this.network.inject(from, to, copy)) return false;
    this.strays.add(copy);
    return true;
  }

  // ---- healing

  /**
   * Ends all faults in a core with a quorum that has lost nothing; whatever else is broken stays so. Returns its servers.
   */
  heal(): number[] {
    this.frozen = true;
    const chance = this.seed.stream("heal");
    const voters = this.members.filter(({ voter }) => voter).map(({ id }) => id);
    const sound = chance.shuffled(voters.filter((id) => !this.isLossy(id)));
    const needed = Math.floor(voters.length / 2) + 1;
    const isWhole = chance.chance(0.6) || !this.isFounded();
    const core = isWhole ? this.members.map(({ id }) => id) : sound.slice(0, chance.between(needed, sound.length));
    const within = new Set(core);
    this.network.heal();
    for (const server of this.servers.values()) {
      if (!within.has(server.id)) {
        if (chance.chance(0.5)) {
          this.kill(server, "kill", "it stays down");
          server.boots++;
        }
        continue;
      }
      const { disk } = server;
      disk.trap = undefined;
      disk.failingSync = undefined;
      disk.lying = false;
      disk.slowness = 1;
      disk.stalledUntil = 0;
      server.process?.core?.setDiskLow(false);
      server.process?.wake();
      if (server.process === undefined) this.bootAfter(server, chance.between(0, 500));
    }
    for (const [key, count] of this.blocks) {
      const [from, to] = key.split(" ").map(Number) as [number, number];
      if (!within.has(from) || !within.has(to)) continue;
      this.blocks.set(key, 0);
      for (let i = 0; i < count; i++) this.network.unblock(from, to);
    }
    this.trace(0, `healed: ${core.join(", ")}`);
    return core.sort((a, b) => a - b);
  }

  /** Directions that carry nothing until they are opened again, beside those that faults have closed. */
  close(paths: readonly (readonly [number, number])[]): void {
    for (const [from, to] of paths) this.network.block(from, to);
  }

  open(paths: readonly (readonly [number, number])[]): void {
    for (const [from, to] of paths) this.network.unblock(from, to);
  }

  /** Before the ensemble is founded, every founder is needed. */
  private isFounded(): boolean {
    return (
      [...this.servers.values()].filter(({ disk, voter }) => voter && disk.durable.last.zxid > 0).length >
      this.scenario.voters / 2
    );
  }

  private isLossy(id: number): boolean {
    const { header } = this.server(id).disk.durable;
    return this.lossy.has(id) || header.recovering !== undefined || header.clusterId === "";
  }

  /** Clients ask for nothing more. */
  stopCalling(): void {
    this.calling = false;
  }

  cores(ids: readonly number[]): { id: number; core: Core | undefined }[] {
    return ids.map((id) => ({ id, core: this.server(id).process?.core }));
  }
}

function describe({ zxid, epoch }: LogPosition): string {
  return `${zxid}@${epoch}`;
}

function short(message: LinkMessage): string {
  const parts: string[] = [message.type];
  if ("epoch" in message) parts.push(`e${message.epoch}`);
  if ("last" in message) parts.push(`last ${describe(message.last)}`);
  if ("to" in message) parts.push(`to ${describe(message.to)}`);
  if ("piece" in message && message.piece !== undefined) {
    parts.push(`${message.piece.firstZxid}-${message.piece.boundaries.at(-1)?.zxid ?? 0}`);
  }
  if ("firstZxid" in message) parts.push(`${message.firstZxid}-${message.lastZxid}`);
  if ("zxid" in message) parts.push(`${message.zxid}`);
  if ("committed" in message) parts.push(`committed ${message.committed.zxid}`);
  return parts.join(" ");
}
