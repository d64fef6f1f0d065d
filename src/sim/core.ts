/**
 * What runs on a server: consensus and the state machine above it, behind one face. The simulator knows the inputs of a
 * core and the ports it calls, and nothing of what is inside.
 */
import type { LogPosition, LogReadResult, SnapshotOffer } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { PeerConfig, PeerPorts } from "../zab/ports.ts";
import type { HistoryPort } from "../replica/ports.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import type { Tree } from "../tree/tree.ts";
import type { DiskRecovered } from "./disk.ts";
import type { FactOf } from "./facts.ts";
import type { Prng } from "./prng.ts";
import type { Row } from "./rows.ts";

/** What client programs tell the world; see facts.ts. */
export type ClientFact = FactOf<"proved" | "ended" | "answered" | "reflected" | "event" | "watching" | "watchOver">;

/** What a core tells the world. */
export interface CoreEvents {
  leading(epoch: number): void;
  following(leader: number, epoch: number): void;
  looking(): void;
  proposed(epoch: number, bytes: Uint8Array): void;
  delivered(bytes: Uint8Array, firstZxid: number, lastZxid: number): void;
  /** The digest of the state after a transaction. */
  digest(zxid: number, digest: number): void;
  /** A client's write is answered. */
  acknowledged(zxid: number, epoch: number): void;
  /** A client's linearizable read is answered. */
  read(floor: number, zxid: number): void;
  client(fact: ClientFact): void;
  /** The core has found that its state is not that of the others. */
  diverged(problem: string): void;
}

export interface CoreSetup {
  readonly config: PeerConfig;
  readonly ports: PeerPorts & { readonly history: HistoryPort };
  readonly events: CoreEvents;
  readonly recovered: DiskRecovered;
  /** The highest zxid that any client was told of, anywhere: what a linearizable read must reflect. */
  readonly floor: () => number;
}

/** The programs of one run: servers' cores, and what the clients of all of them have in common. */
export interface Program {
  makeCore(setup: CoreSetup): Core;
  /** Which server the client calls that this draw stands for. */
  nodeFor(draw: number, nodes: number): number;
}

export interface World {
  readonly virtualMs: number;
  stream(name: string): Prng;
}

export type ProgramFactory = (world: World) => Program;

export interface Core {
  // inputs
  tick(monotonicMs: number, wallMs: number): void;
  persisted(write: number): void;
  notified(from: number, notification: Notification): void;
  unreachable(from: number): void;
  linkOpened(link: number, from: number): void;
  linkReceived(link: number, message: LinkMessage): void;
  linkClosed(link: number): void;
  logRead(ticket: number, result: LogReadResult): void;
  snapshotReady(ticket: number, offer: SnapshotOffer | undefined): void;
  snapshotFailed(ticket: number): void;
  historyRead(ticket: number, result: { truncated: number } | { rows: readonly Row[] }): void;
  /** A client asks for something; `draw` says what. */
  client(draw: number): void;
  setDiskLow(low: boolean): void;
  resign(): void;
  /** Another core takes over from the files. */
  retire(): void;
  /** The process is gone: clients notice. */
  died(): void;
  /** The end of a turn: what was gathered goes out. */
  flush(): void;
  // facts
  readonly role: string;
  /** The role, and how far it has come. */
  readonly phase: string;
  phaseOfLink(link: number): string;
  readonly serving: boolean;
  readonly leader: number;
  readonly epoch: number;
  readonly committed: LogPosition;
  readonly last: LogPosition;
  readonly clusterId: string;
  readonly recovering: string | undefined;
  readonly applied: number;
  readonly digest: number;
  /** The whole state, where there is one. */
  readonly state: { readonly tree: Tree; readonly sessions: SessionTable } | undefined;
  /** Messages refused so far. */
  readonly refused: number;
}
