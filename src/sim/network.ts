/**
 * A network of connections, as TCP and HTTP/2 have them: in order inside a connection, lost only with it. A connection
 * across a partition stalls, and after a while each end notices by itself; until then it is half open. Notifications
 * go over one stream per direction, on which a newer one replaces one that was not sent yet.
 */
import { assert } from "../base/assert.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { PeerNetwork } from "../zab/ports.ts";
import { Input, type Endpoint } from "./input.ts";
import type { Prng, Seed } from "./prng.ts";
import type { Scheduler } from "./scheduler.ts";

const Event = { segment: 1, broken: 2, notification: 3, unreachable: 4, stalled: 5, connectTimeout: 6 } as const;

export interface NetworkParams {
  /** Least and mean one-way delay, microseconds. */
  readonly minDelay: number;
  readonly meanDelay: number;
  /** How long an end of a dead connection may not notice, microseconds. */
  readonly keepalive: number;
}

export interface NetworkObserver {
  sent(from: number, to: number, link: number, message: LinkMessage): void;
  notifying(from: number, to: number, notification: Notification): void;
}

/** One direction between two servers. */
interface Path {
  readonly from: number;
  readonly to: number;
  readonly chance: Prng;
  blocks: number;
  cloggedUntil: number;
  /** Messages of this type break their connection, this many times. */
  trap: { type: string; count: number } | undefined;
  // the stream of notifications
  waiting: Notification | undefined;
  underWay: boolean;
  /** The life of the receiver that the stream ends at. */
  life: number;
}

interface End {
  readonly node: number;
  readonly life: number;
  open: boolean;
}

interface Connection {
  readonly id: number;
  /** The connector and the acceptor. */
  readonly ends: [End, End];
  /** When the last segment of each direction arrives. */
  readonly arrivals: [number, number];
  /** Segments that a partition holds up, per direction. */
  readonly held: [Segment[], Segment[]];
}

type Segment =
  { readonly kind: "open" } | { readonly kind: "message"; readonly message: LinkMessage } | { readonly kind: "end" };

const openSegment: Segment = { kind: "open" };
const endSegment: Segment = { kind: "end" };

export class SimNetwork {
  private readonly scheduler: Scheduler;
  private readonly params: NetworkParams;
  private readonly observer: NetworkObserver;
  private readonly chance: Prng;
  private readonly paths = new Map<number, Path>();
  private readonly endpoints = new Map<number, Endpoint>();
  private readonly connections = new Map<number, Connection>();
  private readonly seed: Seed;
  /** The servers that each link is between. */
  private readonly pairs: (readonly [number, number])[] = [[0, 0]];

  constructor(scheduler: Scheduler, seed: Seed, params: NetworkParams, observer: NetworkObserver) {
    this.scheduler = scheduler;
    this.seed = seed;
    this.params = params;
    this.observer = observer;
    this.chance = seed.stream("network");
  }

  // ---- processes

  /** The network as one life of a server sees it. */
  attach(endpoint: Endpoint): PeerNetwork {
    this.endpoints.set(endpoint.node, endpoint);
    const isCurrent = () => this.endpoints.get(endpoint.node) === endpoint;
    return {
      notify: (to, notification) => {
        if (isCurrent()) this.notify(this.path(endpoint.node, to), notification);
      },
      connect: (to) => this.connect(endpoint, to),
      send: (link, message) => {
        if (isCurrent()) this.send(endpoint, link, message);
      },
      close: (link) => {
        if (isCurrent()) this.closeByOwner(endpoint, link);
      },
    };
  }

  /** The process is gone. A host that lives on says so to the other ends; one without power says nothing. */
  detach(endpoint: Endpoint, silently: boolean): void {
    if (this.endpoints.get(endpoint.node) !== endpoint) return;
    this.endpoints.delete(endpoint.node);
    for (const connection of this.connections.values()) {
      const side = sideOf(connection, endpoint);
      if (side === undefined || !connection.ends[side].open) continue;
      connection.ends[side].open = false;
      if (silently) this.breakLater(connection, 1 - side);
      else this.transmit(connection, side, endSegment);
    }
    for (const path of this.paths.values()) {
      if (path.from !== endpoint.node) continue;
      path.waiting = undefined;
      if (!silently && path.blocks === 0) this.streamBroken(path);
    }
  }

  // ---- faults

  block(from: number, to: number): void {
    this.path(from, to).blocks++;
  }

  unblock(from: number, to: number): void {
    const path = this.path(from, to);
    assert(path.blocks > 0, "a path is unblocked that is not blocked");
    if (--path.blocks > 0) return;
    this.sendNotification(path);
    for (const connection of this.connections.values()) {
      for (const side of [0, 1] as const) {
        if (connection.ends[side].node !== from || connection.ends[1 - side]!.node !== to) continue;
        for (const segment of connection.held[side].splice(0)) this.schedule(connection, side, segment);
      }
    }
  }

  isBlocked(from: number, to: number): boolean {
    return this.path(from, to).blocks > 0;
  }

  clog(from: number, to: number, until: number): void {
    const path = this.path(from, to);
    path.cloggedUntil = Math.max(path.cloggedUntil, until);
  }

  /** The next messages of this type break their connection. */
  trap(from: number, to: number, type: string, count: number): void {
    this.path(from, to).trap = { type, count };
  }

  /** Every connection between two servers breaks. */
  reset(a: number, b: number): void {
    for (const connection of this.connections.values()) {
      const [x, y] = connection.ends;
      if ((x.node === a && y.node === b) || (x.node === b && y.node === a)) this.break(connection);
    }
    this.streamBroken(this.path(a, b));
    this.streamBroken(this.path(b, a));
  }

  heal(): void {
    for (const path of this.paths.values()) {
      path.cloggedUntil = 0;
      path.trap = undefined;
    }
  }

  /** How long a transfer takes, microseconds; undefined when it cannot be. */
  transferTime(from: number, to: number, bytes: number): number | undefined {
    if (this.isBlocked(from, to) || this.isBlocked(to, from) || !this.endpoints.has(from)) return undefined;
    return this.delay(this.path(from, to)) + bytes / 20;
  }

  /** The server at the other end of a link, also of one that is gone. */
  otherEnd(link: number, node: number): number {
    const [connector, acceptor] = this.pairs[link]!;
    return connector === node ? acceptor : connector;
  }

  /** A message as if a member had sent it on a link of its own, whatever its phase says. */
  inject(from: number, to: number, message: LinkMessage): boolean {
    for (const connection of this.connections.values()) {
      for (const side of [0, 1] as const) {
        if (connection.ends[side].node !== from || connection.ends[1 - side]!.node !== to) continue;
        if (!connection.ends[0].open || !connection.ends[1].open) continue;
        this.transmit(connection, side, { kind: "message", message });
        return true;
      }
    }
    return false;
  }

  // ---- notifications

  private notify(path: Path, notification: Notification): void {
    this.observer.notifying(path.from, path.to, notification);
    path.waiting = notification;
    this.sendNotification(path);
  }

  private sendNotification(path: Path): void {
    if (path.underWay || path.waiting === undefined || path.blocks > 0) return;
    path.underWay = true;
    path.life = this.endpoints.get(path.to)?.life ?? 0;
    const notification = path.waiting;
    path.waiting = undefined;
    this.scheduler.at(this.arrival(path), this, Event.notification, pathKey(path.from, path.to), notification);
  }

  private streamBroken(path: Path): void {
    this.scheduler.at(this.arrival(path), this, Event.unreachable, pathKey(path.from, path.to));
  }

  // ---- links

  private connect(endpoint: Endpoint, to: number): number {
    const { node, life } = endpoint;
    const id = this.pairs.push([node, to]) - 1;
    const target = this.endpoints.get(to);
    const connection: Connection = {
      id,
      ends: [
        { node, life, open: true },
        { node: to, life: target?.life ?? -1, open: false },
      ],
      arrivals: [0, 0],
      held: [[], []],
    };
    this.connections.set(id, connection);
    this.transmit(connection, 0, openSegment);
    this.scheduler.after(this.params.keepalive, this, Event.connectTimeout, id);
    return id;
  }

  private send(endpoint: Endpoint, link: number, message: LinkMessage): void {
    const connection = this.connections.get(link);
    const side = connection === undefined ? undefined : sideOf(connection, endpoint);
    if (connection === undefined || side === undefined || !connection.ends[side].open) return;
    const to = connection.ends[1 - side]!.node;
    this.observer.sent(endpoint.node, to, link, message);
    const { trap } = this.path(endpoint.node, to);
    if (trap !== undefined && trap.count > 0 && trap.type === message.type) {
      trap.count--;
      this.break(connection);
      return;
    }
    this.transmit(connection, side, { kind: "message", message });
  }

  private closeByOwner(endpoint: Endpoint, link: number): void {
    const connection = this.connections.get(link);
    const side = connection === undefined ? undefined : sideOf(connection, endpoint);
    if (connection === undefined || side === undefined) return;
    connection.ends[side].open = false;
    this.transmit(connection, side, endSegment);
  }

  /** Both ends lose the connection, each at a time of its own; what is under way is lost. */
  private break(connection: Connection): void {
    if (!this.connections.delete(connection.id)) return;
    for (const side of [0, 1] as const) {
      const end = connection.ends[side];
      if (!end.open) continue;
      this.scheduler.after(this.chance.exponential(20_000), this, Event.broken, connection.id, end);
    }
  }

  /** One end is gone without a word: the other one notices some time. */
  private breakLater(connection: Connection, side: number): void {
    const end = connection.ends[side as 0 | 1];
    this.connections.delete(connection.id);
    if (!end.open) return;
    this.scheduler.after(this.chance.float() * this.params.keepalive, this, Event.broken, connection.id, end);
  }

  private transmit(connection: Connection, side: 0 | 1, segment: Segment): void {
    if (connection.held[side].length > 0 || this.pathOf(connection, side).blocks > 0)
      this.hold(connection, side, segment);
    else this.schedule(connection, side, segment);
  }

  private schedule(connection: Connection, side: 0 | 1, segment: Segment): void {
    const time = Math.max(this.arrival(this.pathOf(connection, side)), connection.arrivals[side] + 1);
    connection.arrivals[side] = time;
    this.scheduler.at(time, this, Event.segment, connection.id * 2 + side, segment);
  }

  private hold(connection: Connection, side: 0 | 1, segment: Segment): void {
    if (connection.held[side].length === 0) {
      const patience = this.params.keepalive * (0.2 + this.chance.float());
      this.scheduler.after(patience, this, Event.stalled, connection.id * 2 + side);
    }
    connection.held[side].push(segment);
  }

  // ---- events

  fire(what: number, a: number, payload: unknown): void {
    switch (what) {
      case Event.segment:
        this.arrived(a, payload as Segment);
        break;
      case Event.broken: {
        const { node, life } = payload as End;
        this.deliver(node, life, Input.linkClosed, a, undefined);
        break;
      }
      case Event.notification: {
        const path = this.paths.get(a)!;
        path.underWay = false;
        if (path.blocks > 0) path.waiting ??= payload as Notification;
        else this.deliver(path.to, path.life, Input.notified, path.from, payload);
        this.sendNotification(path);
        break;
      }
      case Event.unreachable: {
        const { from, to } = this.paths.get(a)!;
        this.deliver(to, undefined, Input.unreachable, from, undefined);
        break;
      }
      case Event.stalled: {
        const connection = this.connections.get(Math.floor(a / 2));
        if (connection !== undefined && connection.held[(a % 2) as 0 | 1].length > 0) this.break(connection);
        break;
      }
      default: {
        const connection = this.connections.get(a);
        if (connection !== undefined && connection.ends[0].open && !connection.ends[1].open) this.break(connection);
      }
    }
  }

  private arrived(key: number, segment: Segment): void {
    const connection = this.connections.get(Math.floor(key / 2));
    if (connection === undefined) return;
    const side = (key % 2) as 0 | 1;
    if (connection.held[side].length > 0 || this.pathOf(connection, side).blocks > 0) {
      this.hold(connection, side, segment);
      return;
    }
    const end = connection.ends[1 - side]!;
    if (segment.kind === "open") this.opened(connection);
    else if (!end.open) {
      if (segment.kind === "end") this.connections.delete(connection.id);
    } else if (segment.kind === "message") {
      this.deliver(end.node, end.life, Input.linkReceived, connection.id, segment.message);
    } else {
      end.open = false;
      this.connections.delete(connection.id);
      this.deliver(end.node, end.life, Input.linkClosed, connection.id, undefined);
    }
  }

  private opened(connection: Connection): void {
    const [connector, acceptor] = connection.ends;
    const endpoint = this.endpoints.get(acceptor.node);
    if (endpoint === undefined || !connector.open) {
      this.break(connection);
      return;
    }
    connection.ends[1] = { node: endpoint.node, life: endpoint.life, open: true };
    endpoint.deliver(Input.linkOpened, connection.id, connector.node);
  }

  private deliver(node: number, life: number | undefined, what: number, a: number, payload: unknown): void {
    const endpoint = this.endpoints.get(node);
    if (endpoint !== undefined && (life === undefined || endpoint.life === life)) endpoint.deliver(what, a, payload);
  }

  // ---- paths

  private pathOf(connection: Connection, side: 0 | 1): Path {
    return this.path(connection.ends[side].node, connection.ends[1 - side]!.node);
  }

  private path(from: number, to: number): Path {
    const key = pathKey(from, to);
    let path = this.paths.get(key);
    if (path === undefined) {
      const chance = this.seed.stream(`network.${from}-${to}`);
      path = {
        from,
        to,
        chance,
        blocks: 0,
        cloggedUntil: 0,
        trap: undefined,
        waiting: undefined,
        underWay: false,
        life: 0,
      };
      this.paths.set(key, path);
    }
    return path;
  }

  private delay(path: Path): number {
    return this.params.minDelay + path.chance.exponential(this.params.meanDelay - this.params.minDelay);
  }

  private arrival(path: Path): number {
    return Math.floor(Math.max(this.scheduler.now, path.cloggedUntil) + this.delay(path));
  }
}

function pathKey(from: number, to: number): number {
  return from * 1024 + to;
}

function sideOf(connection: Connection, endpoint: Endpoint): 0 | 1 | undefined {
  const [connector, acceptor] = connection.ends;
  if (connector.node === endpoint.node && connector.life === endpoint.life) return 0;
  if (acceptor.node === endpoint.node && acceptor.life === endpoint.life) return 1;
  return undefined;
}
