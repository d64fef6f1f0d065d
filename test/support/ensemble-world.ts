/**
 * Some replicas in one thread, wired by a network made of queues: messages between two servers pass in order, when a test
 * lets them; what is asked of a disk becomes durable when the world settles. For looking at what servers do for their
 * clients together; the simulator (src/sim) is for everything else.
 */
import type { Refusal } from "../../src/base/reasons.ts";
import type { LocalSession } from "../../src/replica/local-session.ts";
import type { ReadRequest } from "../../src/replica/read-request.ts";
import { Replica, type Divergence, type ReplicaConfig, type ReplicaPorts } from "../../src/replica/replica.ts";
import type { SessionStream } from "../../src/replica/session-stream.ts";
import type { WriteRequest } from "../../src/tree/request.ts";
import type { LinkMessage } from "../../src/zab/message.ts";
import type { Member, PeerNetwork } from "../../src/zab/ports.ts";
import { FakeHistory, FakeLog, RecordingSink, tickMs, type Entry, type OpenedSession } from "./replica-world.ts";
import { identity } from "./tree-leader.ts";

export const voters: readonly Member[] = [1, 2, 3].map((id) => ({ id, voter: true }));

interface Link {
  readonly from: number;
  readonly to: number;
}

/** Something on its way from one server to another. */
interface UnderWay {
  readonly link: number;
  readonly message: LinkMessage | undefined;
  run(): void;
}

export interface Attached {
  readonly sink: RecordingSink;
  /** Undefined as long as it is not attached. */
  stream: SessionStream | undefined;
  refused: Refusal | undefined;
}

/** The stream of somebody who is attached by now. */
export function streamOf({ stream, refused }: Attached): SessionStream {
  if (stream === undefined) throw new Error(refused?.reason ?? "the stream was not attached");
  return stream;
}

export class Server {
  readonly id: number;
  readonly world: EnsembleWorld;
  readonly log = new FakeLog();
  readonly history = new FakeHistory();
  replica!: Replica;
  isAlive = true;
  /** Whether its disk makes durable what it is asked to. */
  isDiskWorking = true;
  divergence: Divergence | undefined;
  private toldWrite = 0;
  private names = 0;

  constructor(world: EnsembleWorld, id: number) {
    this.world = world;
    this.id = id;
    this.boot();
  }

  boot(): void {
    this.isAlive = true;
    this.divergence = undefined;
    this.toldWrite = 0;
    const { members, config } = this.world;
    const peer = { self: this.id, members, newClusterId: String(this.id).repeat(32), tickMs };
    const ports: ReplicaPorts = {
      log: this.log,
      source: this.log,
      snapshots: { prepareSnapshot: () => undefined, installSnapshot: () => undefined },
      network: this.world.network(this.id),
      history: this.history,
      stateChanged: () => undefined,
      diverged: (problem) => {
        this.divergence = problem;
      },
    };
    const featureLevel = 1;
    this.replica = new Replica({ peer, featureLevel, creatorOwned: false, ...config }, ports, this.log.recovered());
  }

  tick(): void {
    this.replica.setTime(this.world.wallMs);
    this.replica.tick(this.world.monotonicMs);
  }

  /** Ends a turn and lets the disk work; returns whether anything happened. */
  work(): boolean {
    const { log, history, replica } = this;
    replica.flush();
    let worked = false;
    const told = (write: number) => {
      this.toldWrite = write;
      replica.persisted(write);
      worked = true;
    };
    if (this.isDiskWorking) log.sync();
    if (log.durableWrite > this.toldWrite) told(log.durableWrite);
    for (const { ticket, after } of this.isDiskWorking ? log.reads.splice(0) : []) {
      replica.peer.logRead(ticket, log.piece(after));
      worked = true;
    }
    for (const { ticket, after, upTo } of history.asked.splice(0)) {
      const txns = log.all().slice(after, upTo);
      const { oldestZxid } = history;
      const isGone = after + 1 < oldestZxid;
      replica.historyRead(ticket, isGone ? { kind: "truncated", oldestZxid } : { kind: "read", txns });
      worked = true;
    }
    replica.flush();
    return worked;
  }

  // ---- clients

  sink(): RecordingSink {
    return new RecordingSink(`${this.id}.${++this.names}`, this.world.trace);
  }

  askToOpen(key: string, timeoutMs = 10_000): RecordingSink {
    const sink = this.sink();
    const opening = { clientKey: key, secretHash: `secret of ${key}`, timeoutMs, identities: [] };
    this.replica.openSession(opening, "", sink, 1);
    return sink;
  }

  /** Opens a session; settles. */
  open(timeoutMs = 10_000): OpenedSession {
    const key = `key ${++this.world.keys}`;
    const sink = this.askToOpen(key, timeoutMs);
    this.world.settle();
    const answer = sink.answers[0];
    if (answer?.what !== "committed") throw new Error(`opening a session failed: ${answer?.reason ?? "no answer"}`);
    return { id: answer.zxid, secret: `secret of ${key}` };
  }

  /** Asks for a session; it is attached by the time the world has settled, if it can be. */
  attach(session: OpenedSession, address = "", minZxid = 0): Attached {
    const attached: Attached = { sink: this.sink(), stream: undefined, refused: undefined };
    const who = { sessionId: session.id, secretHash: session.secret, minZxid, sink: attached.sink };
    this.replica.attach({ ...who, address: address === "" ? undefined : identity(address) }, (result) => {
      if ("reason" in result) attached.refused = result;
      else attached.stream = result;
    });
    return attached;
  }

  /** Opens a session and attaches a stream; settles. */
  connect(timeoutMs = 10_000): { session: OpenedSession; sink: RecordingSink; stream: SessionStream } {
    const session = this.open(timeoutMs);
    const attached = this.attach(session);
    this.world.settle();
    return { session, sink: attached.sink, stream: streamOf(attached) };
  }

  /** The session of a caller, which this server must know already. */
  local(session: OpenedSession): LocalSession {
    let local: LocalSession | undefined;
    this.replica.authenticate(session.id, session.secret, (result) => {
      if (!("reason" in result)) local = result;
    });
    if (local === undefined) throw new Error("the session is not known here");
    return local;
  }

  /** A write without a stream. */
  write(request: WriteRequest, options: { session?: OpenedSession; seq?: number } = {}): RecordingSink {
    const sink = this.sink();
    const { session, seq = 0 } = options;
    const live = session === undefined ? undefined : this.local(session);
    const caller = { session: session?.id ?? 0, identities: [], who: "" };
    this.replica.write({ request, seq, ackedSeq: 0, caller, live, sink, call: 1 });
    return sink;
  }

  read(request: ReadRequest, linearizable = false): RecordingSink {
    const sink = this.sink();
    const caller = { session: 0, identities: [], who: "" };
    this.replica.readUnary({ sink, call: 1, request, caller, freshness: { linearizable, minZxid: 0 } });
    return sink;
  }

  /** Why its last answer is none; "" for success. */
  outcomeOf(session: OpenedSession, seq: number): string[] {
    const told: string[] = [];
    this.replica.outcome(session.id, session.secret, seq, (report) => {
      told.push("reason" in report ? report.reason : report.state);
    });
    return told;
  }
}

export class EnsembleWorld {
  readonly members: readonly Member[];
  readonly config: Partial<ReplicaConfig>;
  readonly servers: readonly Server[];
  readonly trace: Entry[] = [];
  monotonicMs = 1000;
  wallMs = 1_700_000_000_000;
  keys = 0;
  private readonly queues = new Map<string, UnderWay[]>();
  private readonly links = new Map<number, Link>();
  private linkCount = 0;
  /** Directed pairs that nothing passes: what is sent is lost, and links break. */
  private readonly cuts = new Set<string>();
  /** Directed pairs whose messages wait. */
  private readonly held = new Set<string>();

  constructor(members: readonly Member[] = voters, config: Partial<ReplicaConfig> = {}) {
    this.members = members;
    this.config = config;
    this.servers = members.map(({ id }) => new Server(this, id));
  }

  /** A world in which every server serves. */
  static serving(members: readonly Member[] = voters, config: Partial<ReplicaConfig> = {}): EnsembleWorld {
    const world = new EnsembleWorld(members, config);
    world.elect();
    return world;
  }

  server(id: number): Server {
    return this.servers.find((server) => server.id === id)!;
  }

  get alive(): Server[] {
    return this.servers.filter(({ isAlive }) => isAlive);
  }

  /** The server that leads and serves. */
  get leader(): Server {
    const leaders = this.alive.filter(({ replica }) => replica.role === "leading" && replica.serving);
    if (leaders.length !== 1) throw new Error(`${leaders.length} servers lead`);
    return leaders[0]!;
  }

  /** Those that follow and serve, by id. */
  get followers(): Server[] {
    return this.alive.filter(({ replica }) => replica.role === "following" && replica.serving);
  }

  /** Time passes until these servers serve. */
  elect(servers: readonly Server[] = this.alive): void {
    for (let i = 0; i < 400; i++) {
      this.pass(tickMs);
      if (servers.every(({ replica }) => replica.serving)) return;
    }
    throw new Error("no leader was elected");
  }

  // ---- time and messages

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= tickMs) {
      this.advance();
      this.settle();
    }
  }

  /** One tick, and nothing else. */
  advance(): void {
    this.monotonicMs += tickMs;
    this.wallMs += tickMs;
    for (const server of this.alive) server.tick();
  }

  /** Lets everything happen that is under way, without time passing. */
  settle(): void {
    for (let i = 0; i < 100_000; i++) {
      let worked = false;
      for (const server of this.alive) worked = server.work() || worked;
      if (!this.step() && !worked) return;
    }
    throw new Error("the world does not settle");
  }

  /** Lets one message pass, held or not. */
  stepWay(from: Server, to: Server): void {
    this.queues.get(`${from.id}>${to.id}`)?.shift()?.run();
  }

  /** Lets one message pass on each way; returns whether there was one. */
  step(): boolean {
    let passed = false;
    for (const [way, queue] of [...this.queues]) {
      if (this.held.has(way)) continue;
      const next = queue.shift();
      if (next === undefined) continue;
      passed = true;
      next.run();
    }
    return passed;
  }

  network(self: number): PeerNetwork {
    return {
      notify: (to, notification) => {
        this.send(self, to, 0, undefined, () => {
          this.server(to).replica.peer.notified(self, notification);
        });
      },
      connect: (to) => {
        const link = ++this.linkCount;
        this.links.set(link, { from: self, to });
        this.send(self, to, link, undefined, () => {
          this.server(to).replica.peer.linkOpened(link, self);
        });
        return link;
      },
      send: (link, message) => {
        const ends = this.links.get(link);
        if (ends === undefined) return;
        const to = ends.from === self ? ends.to : ends.from;
        this.send(self, to, link, message, () => {
          this.server(to).replica.peer.linkReceived(link, message);
        });
      },
      close: (link) => {
        const ends = this.links.get(link);
        this.links.delete(link);
        if (ends === undefined) return;
        const to = ends.from === self ? ends.to : ends.from;
        this.push(self, to, { link, message: undefined, run: () => this.closed(to, link) });
      },
    };
  }

  private send(from: number, to: number, link: number, message: LinkMessage | undefined, run: () => void): void {
    const deliver = () => {
      if (!this.server(to).isAlive || this.cuts.has(`${from}>${to}`)) this.breakLink(link);
      else if (link === 0 || this.links.has(link)) run();
    };
    this.push(from, to, { link, message, run: deliver });
  }

  private push(from: number, to: number, underWay: UnderWay): void {
    const way = `${from}>${to}`;
    let queue = this.queues.get(way);
    if (queue === undefined) this.queues.set(way, (queue = []));
    queue.push(underWay);
  }

  private closed(at: number, link: number): void {
    const server = this.server(at);
    if (server.isAlive) server.replica.peer.linkClosed(link);
  }

  /** The network breaks a link: both ends hear of it, and what is under way is lost. */
  private breakLink(link: number): void {
    const ends = this.links.get(link);
    if (ends === undefined) return;
    this.links.delete(link);
    this.closed(ends.from, link);
    this.closed(ends.to, link);
  }

  /** What is under way between two servers, as the types of messages. */
  underWay(from: Server, to: Server): string[] {
    return (this.queues.get(`${from.id}>${to.id}`) ?? []).flatMap(({ message }) => message?.type ?? []);
  }

  // ---- faults

  /** Messages wait, both ways. */
  hold(a: Server, b: Server): void {
    this.holdWay(a, b);
    this.holdWay(b, a);
  }

  holdWay(from: Server, to: Server): void {
    this.held.add(`${from.id}>${to.id}`);
  }

  release(): void {
    this.held.clear();
  }

  /** Nobody hears a server, and it hears nobody. */
  isolate(server: Server): void {
    this.part(server);
  }

  /** These servers and the rest do not hear each other. */
  part(...servers: readonly Server[]): void {
    for (const here of servers) {
      for (const there of this.servers) {
        if (servers.includes(there)) continue;
        this.cuts.add(`${here.id}>${there.id}`);
        this.cuts.add(`${there.id}>${here.id}`);
      }
    }
  }

  heal(): void {
    this.cuts.clear();
  }

  kill(server: Server): void {
    server.isAlive = false;
    server.log.crash();
    server.history.asked.length = 0;
    for (const [link, { from, to }] of [...this.links])
      if (from === server.id || to === server.id) this.breakLink(link);
    for (const [way, queue] of this.queues) if (way.startsWith(`${server.id}>`)) queue.length = 0;
    for (const other of this.alive) other.replica.peer.unreachable(server.id);
  }

  restart(server: Server): void {
    server.boot();
  }
}
