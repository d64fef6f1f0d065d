/**
 * What runs on a server: consensus and the state machine above it, behind one face. The simulator knows the inputs of a
 * core and the ports it calls, and nothing of what is inside.
 */
import type { LogPosition, LogReadResult, SnapshotOffer } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { PeerConfig, PeerPorts } from "../zab/ports.ts";
import type { HistoryPort } from "../replica/ports.ts";
import type { DiskRecovered } from "./disk.ts";
import type { Row } from "./rows.ts";

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
}

export interface CoreSetup {
  readonly config: PeerConfig;
  readonly ports: PeerPorts & { readonly history: HistoryPort };
  readonly events: CoreEvents;
  readonly recovered: DiskRecovered;
  /** The highest zxid that any client was told of, anywhere: what a linearizable read must reflect. */
  readonly floor: () => number;
}

export type CoreFactory = (setup: CoreSetup) => Core;

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
  /** Messages refused so far. */
  readonly refused: number;
}
