/**
 * The ensemble's network as the replica sees it: notifications to every member, links between learners and their leader.
 * Effects only enqueue; what arrives becomes an input. Three kinds of connections, so that none waits for another:
 * notifications, one link, one checkpoint.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { Metadata, Server, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { FollowRequestSchema, PeerAcceptedSchema, type PeerHello } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { addressOf, helloMessage, type Hello } from "../rpc/peer-hello.ts";
import { LinkReader } from "../rpc/peer-link-reader.ts";
import { LinkEncoder } from "../rpc/peer-link-writer.ts";
import { decode } from "../rpc/peer-values.ts";
import { asBuffer } from "../rpc/service-definition.ts";
import { refusalOf } from "../rpc/status.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { PeerNetwork } from "../zab/ports.ts";
import type { Flushable } from "./core.ts";
import { PeerAdmission } from "./peer-admission.ts";
import { openPeerClient, peerDefinition, peerServerOptions } from "./peer-channel.ts";
import { PeerLink, type LinkCall, type LinkHost } from "./peer-link.ts";
import { PeerNotifier } from "./peer-notifier.ts";
import { PeerServiceCalls, readMessage, type IncomingCall, type PeerServiceHost } from "./peer-service.ts";
import { fetchSnapshot, type OpenSnapshotById } from "./peer-snapshots.ts";
import { peerServerCredentials, type PeerTls } from "./peer-tls.ts";

/** What arrives from other servers. Called one at a time, never from within an effect. */
export interface PeerInputs {
  notified(from: number, notification: Notification): void;
  unreachable(from: number): void;
  linkOpened(link: number, from: number): void;
  linkReceived(link: number, message: LinkMessage): void;
  linkClosed(link: number): void;
}

export interface PeerNetworkOptions {
  readonly self: number;
  /** Where the others are: HOST:PORT by member id, this server left out. */
  readonly others: ReadonlyMap<number, string>;
  readonly tls: PeerTls | undefined;
  readonly logger: Logger;
  /** Random, from 1 to 2^48 - 1: tells two processes under one member id apart. */
  readonly incarnation: number;
  /** "" while this server belongs to no cluster. */
  clusterId(): string;
  /** Address of this server's client API; "" while it is not known. */
  clientAddress(): string;
  markDirty(output: Flushable): void;
  readonly inputs: PeerInputs;
  readonly openSnapshot: OpenSnapshotById;
  /** Bytes that may wait for a server that does not read its link. */
  readonly backlogMax?: number;
}

/** What is known of another member, for operators. */
export interface MemberNews {
  readonly address: string;
  readonly clientAddress: string;
  /** Whether this server's notifications reach it. */
  readonly isConnected: boolean;
  readonly said: Notification | undefined;
  /** Monotonic time of its last notification, milliseconds. */
  readonly heardAt: number | undefined;
}

/** Another member. */
interface Neighbour {
  readonly address: string;
  notifier: PeerNotifier | undefined;
  /** The call on which its notifications arrive. */
  incoming: IncomingCall | undefined;
  clientAddress: string;
  said: Notification | undefined;
  heardAt: number | undefined;
}

type OutgoingCall = ClientDuplexStream<Buffer, Buffer>;

const followPath = "/zabtree.peer.v1.PeerService/Follow";
/** How much a leader may send ahead to a learner, bytes. */
const linkWindowBytes = 8 * 1024 * 1024;
const defaultBacklogMax = 64 * 1024 * 1024;
/** How long a leader may take to accept a link, milliseconds. */
const acceptMs = 2000;

export class GrpcPeerNetwork implements PeerNetwork, LinkHost, PeerServiceHost {
  readonly encoder = new LinkEncoder();
  readonly backlogMax: number;
  readonly admission: PeerAdmission;
  private readonly options: PeerNetworkOptions;
  private readonly server: Server;
  private readonly neighbours = new Map<number, Neighbour>();
  private readonly links = new Map<number, PeerLink>();
  private nextLink = 1;
  private closed = false;

  constructor(options: PeerNetworkOptions) {
    this.options = options;
    this.backlogMax = options.backlogMax ?? defaultBacklogMax;
    for (const [id, address] of options.others) {
      this.neighbours.set(id, {
        address,
        notifier: undefined,
        incoming: undefined,
        clientAddress: "",
        said: undefined,
        heardAt: undefined,
      });
    }
    const { self } = options;
    const clusterId = (): string => options.clusterId();
    this.admission = new PeerAdmission({ self, isMember: (id) => this.neighbours.has(id), clusterId }, options.logger);
    this.server = new Server(peerServerOptions);
    this.server.addService(peerDefinition, new PeerServiceCalls(this).implementation);
  }

  get logger(): Logger {
    return this.options.logger;
  }

  get usesTls(): boolean {
    return this.options.tls !== undefined;
  }

  readonly openSnapshot: OpenSnapshotById = (id) => this.options.openSnapshot(id);

  clientAddress(): string {
    return this.options.clientAddress();
  }

  /** Listens; returns the address with the port that was bound. Then everybody else is called. */
  async listen(address: string): Promise<string> {
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, peerServerCredentials(this.options.tls), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    return address.replace(/:\d+$/, `:${port}`);
  }

  /** Begins to call the others. */
  start(): void {
    for (const [id, neighbour] of this.neighbours) neighbour.notifier = this.newNotifier(id, neighbour);
  }

  /** What is known of another member. */
  newsOf(id: number): MemberNews | undefined {
    const neighbour = this.neighbours.get(id);
    if (neighbour === undefined) return undefined;
    const { address, clientAddress, said, heardAt, notifier } = neighbour;
    return { address, clientAddress, said, heardAt, isConnected: notifier?.isConnected ?? false };
  }

  /** Ends all links, unheard: the replica they belonged to is no more. */
  reset(): void {
    for (const link of [...this.links.values()]) this.close(link.number);
    for (const { notifier } of this.neighbours.values()) notifier?.forget();
  }

  /** Takes leave of everybody. */
  async stop(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const link of [...this.links.values()]) this.close(link.number);
    for (const { notifier, incoming } of this.neighbours.values()) {
      notifier?.close();
      incoming?.end();
    }
    // What was written last goes out before connections are cut.
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.server.forceShutdown();
  }

  // ---- effects of the replica

  notify(to: number, notification: Notification): void {
    this.neighbours.get(to)?.notifier?.notify(notification);
  }

  connect(to: number): number {
    const neighbour = this.neighbours.get(to);
    if (neighbour === undefined) {
      const number = this.nextLink++;
      setImmediate(() => {
        if (!this.closed) this.options.inputs.linkClosed(number);
      });
      return number;
    }
    const client = openPeerClient(neighbour.address, to, this.options.tls, linkWindowBytes);
    const call: OutgoingCall = client.makeBidiStreamRequest(followPath, asBuffer, asBuffer, new Metadata());
    const end = (): void => {
      call.cancel();
      client.close();
    };
    const link = this.addLink(to, { write: (message, taken) => call.write(message, taken), end }, false);
    this.listenToLeader(link, call, end);
    const hello = create(FollowRequestSchema, { hello: helloMessage(this.hello(to)) });
    call.write(asBuffer(toBinary(FollowRequestSchema, hello)));
    return link.number;
  }

  send(link: number, message: LinkMessage): void {
    this.links.get(link)?.send(message);
  }

  close(link: number): void {
    const found = this.links.get(link);
    this.links.delete(link);
    found?.end();
  }

  /** Fetches a checkpoint that another member has offered. */
  async fetch(
    from: number,
    snapshot: { readonly id: string; readonly bytes: number },
    write: (content: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const address = this.neighbours.get(from)?.address;
    if (address === undefined) throw new Error(`there is no member ${from}`);
    const { tls } = this.options;
    const hello = (): PeerHello => helloMessage(this.hello(from));
    await fetchSnapshot({
      address,
      member: from,
      tls,
      hello,
      snapshotId: snapshot.id,
      bytes: snapshot.bytes,
      write,
      signal,
    });
  }

  // ---- host of links

  markDirty(link: PeerLink): void {
    this.options.markDirty(link);
  }

  overflowed(link: PeerLink): void {
    const { member, number } = link;
    this.admission.complain(`slow ${member}`, "a member does not read its link, which is cut", { member });
    this.ended(number);
  }

  /** Bytes that wait for the slowest link. */
  get longestBacklog(): number {
    let longest = 0;
    for (const { backlog } of this.links.values()) longest = Math.max(longest, backlog);
    return longest;
  }

  // ---- outgoing calls

  private hello(receiverId: number): Hello {
    const { self: memberId, incarnation } = this.options;
    const clusterId = this.options.clusterId();
    return { clusterId, memberId, incarnation, receiverId, clientAddress: this.options.clientAddress() };
  }

  private newNotifier(id: number, neighbour: Neighbour): PeerNotifier {
    return new PeerNotifier({
      openClient: () => openPeerClient(neighbour.address, id, this.options.tls),
      hello: () => this.hello(id),
      accepted: (clientAddress) => {
        if (clientAddress !== "") neighbour.clientAddress = clientAddress;
      },
      refused: (reason, problem) => {
        const details = { member: id, address: neighbour.address, reason, problem };
        this.admission.complain(`refused by ${id} ${reason}`, "another server refuses this one", details);
      },
    });
  }

  private listenToLeader(link: PeerLink, call: OutgoingCall, hangUp: () => void): void {
    const { member } = link;
    const peer = `member ${member}`;
    const end = (): void => {
      clearTimeout(timer);
      hangUp();
      this.linkEnded(link);
    };
    const timer = setTimeout(end, acceptMs);
    const accepted = (content: Buffer): void => {
      const { clientAddress } = decode(PeerAcceptedSchema, content);
      const neighbour = this.neighbours.get(member);
      if (neighbour !== undefined && clientAddress !== "") neighbour.clientAddress = addressOf(clientAddress);
      clearTimeout(timer);
      link.opened();
    };
    const reader = new LinkReader("leader", (message) => {
      this.linkReceived(link, message);
    });
    call.on("data", (message: Buffer) => {
      if (link.isOver) return;
      const problem = readMessage(this.admission, peer, () => {
        reader.message(message, accepted);
        return undefined;
      });
      if (problem !== undefined) end();
    });
    call.on("error", (error: ServiceError) => {
      const refused = refusalOf(error);
      if (refused !== undefined && this.links.has(link.number)) {
        const details = { member, reason: refused.reason, problem: refused.message };
        this.admission.complain(`link refused by ${member} ${refused.reason}`, "a link was refused", details);
      }
      end();
    });
    call.on("end", end);
  }

  // ---- host of incoming calls

  electOpened(call: IncomingCall, hello: Hello): void {
    const neighbour = this.neighbours.get(hello.memberId)!;
    const before = neighbour.incoming;
    neighbour.incoming = call;
    if (hello.clientAddress !== "") neighbour.clientAddress = hello.clientAddress;
    before?.end();
    // It is there, so it can be called.
    neighbour.notifier?.hurry();
  }

  notified(call: IncomingCall, hello: Hello, notification: Notification): void {
    const neighbour = this.neighbours.get(hello.memberId)!;
    if (neighbour.incoming !== call) return;
    this.admission.heard(hello);
    neighbour.said = notification;
    neighbour.heardAt = performance.now();
    this.options.inputs.notified(hello.memberId, notification);
  }

  electEnded(call: IncomingCall, member: number): void {
    const neighbour = this.neighbours.get(member)!;
    // A newer call may have taken its place.
    if (neighbour.incoming !== call) return;
    neighbour.incoming = undefined;
    if (!this.closed) this.options.inputs.unreachable(member);
  }

  newLink(member: number, call: LinkCall): PeerLink {
    return this.addLink(member, call, true);
  }

  linkOpened({ number, member }: PeerLink): void {
    this.options.inputs.linkOpened(number, member);
  }

  linkReceived({ number }: PeerLink, message: LinkMessage): void {
    // The replica may have closed it a message ago.
    if (this.links.has(number)) this.options.inputs.linkReceived(number, message);
  }

  linkEnded(link: PeerLink): void {
    link.over();
    this.ended(link.number);
  }

  private addLink(member: number, call: LinkCall, isOpen: boolean): PeerLink {
    const link = new PeerLink(this, call, { number: this.nextLink++, member, isOpen });
    this.links.set(link.number, link);
    return link;
  }

  /** A link has ended by itself. */
  private ended(number: number): void {
    if (!this.links.delete(number) || this.closed) return;
    this.options.inputs.linkClosed(number);
  }
}
