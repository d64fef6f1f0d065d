/**
 * The process around one replica: feeds it what happens and carries out what it asks for. All of a server's state is
 * changed on this one thread; workers only write and read files.
 *
 * Work is done in turns: everything that arrives in one round of the event loop is prepared first, then proposed as one
 * batch and answered with one message for each stream.
 *
 * A checkpoint that was fetched from the leader takes the place of the whole state: the replica retires, and another one
 * recovers from the files, as after a restart, while the process and its ports stay.
 */
import { randomBytes, randomInt } from "node:crypto";
import type { Logger } from "pino";
import { refusal } from "../base/reasons.ts";
import { Replica } from "../replica/replica.ts";
import { HeaderEncoder, type Position } from "../rpc/session-writer.ts";
import { openStorage, type ExpectedSnapshot, type IncomingSnapshot, type Storage } from "../storage/index.ts";
import { defaultRetention, type Retention } from "../storage/retention.ts";
import type { Founding } from "../tree/detail.ts";
import type { SnapshotSource } from "../zab/durable-log.ts";
import type { Member, PeerNetwork, PeerTimeouts } from "../zab/ports.ts";
import { ConfigError, splitAddress, type EnsembleOptions, type ServerOptions } from "./config.ts";
import { GrpcPeerNetwork } from "./peer-network.ts";
import { readPeerTls } from "./peer-tls.ts";

export interface CoreOptions {
  readonly dataDir: string;
  readonly acceptLoss: boolean;
  readonly creatorOwned: boolean;
  readonly logger: Logger;
  /** Left out: the server stands alone. */
  readonly ensemble?: EnsembleOptions | undefined;
  readonly timeouts?: Partial<PeerTimeouts> | undefined;
  readonly logKeep?: ServerOptions["logKeep"];
  /** A broken invariant or a failed durable step: the process cannot go on. Must not return control to the server. */
  fatal(error: Error): void;
}

/** The only member of an ensemble of one. */
const aloneId = 1;
const tickMs = 50;
/** Free disk space below which writes that grow the tree are refused, bytes; and where they are accepted again. */
const diskReserve = 256 * 1024 * 1024;
const diskReserveLeft = 384 * 1024 * 1024;
const featureLevel = 1;

/** Something that gathers output during a turn. */
export interface Flushable {
  flush(): void;
}

/** The network of a server that stands alone: it has nobody to talk to. */
const nobody: PeerNetwork = {
  notify: () => undefined,
  connect: () => 0,
  send: () => undefined,
  close: () => undefined,
};

export class ServerCore implements Position {
  readonly memberId: number;
  readonly header = new HeaderEncoder(this);
  readonly startedAt = performance.now();
  readonly logger: Logger;
  /** The members as configured; the log's count once it has any. */
  readonly members: readonly Member[];
  /** Undefined for a server that stands alone. */
  readonly network: GrpcPeerNetwork | undefined;
  replica!: Replica;
  storage!: Storage;
  /** Address that clients are told; "" until it is known. */
  clientAddress = "";
  /** Address that other members know; "" for a server that stands alone. */
  readonly peerAddress: string;
  private readonly options: CoreOptions;
  private readonly dirty = new Set<Flushable>();
  private readonly listeners = new Set<() => void>();
  private turnScheduled = false;
  private timer: NodeJS.Timeout | undefined;
  private diskLow = false;
  private failed = false;
  private closing = false;
  /** A checkpoint that is being fetched. */
  private fetching: AbortController | undefined;
  /** Set while a replica takes the place of another: nothing reaches the old one any more. */
  private replacing: Promise<void> | undefined;

  private constructor(options: CoreOptions) {
    const { ensemble, logger } = options;
    this.options = options;
    this.logger = logger;
    this.memberId = ensemble?.id ?? aloneId;
    this.members = ensemble?.members.map(({ id, voter }) => ({ id, voter })) ?? [{ id: aloneId, voter: true }];
    this.peerAddress = ensemble?.members.find(({ id }) => id === ensemble.id)?.peerAddress ?? "";
    this.network = ensemble === undefined ? undefined : this.newNetwork(ensemble);
  }

  /** Recovers the data directory. Nothing happens before `start`. */
  static async open(options: CoreOptions): Promise<ServerCore> {
    const core = new ServerCore(options);
    await core.recover();
    return core;
  }

  /** Listens to the other members; returns the address with the port that was bound. */
  async listen(): Promise<string | undefined> {
    const { ensemble } = this.options;
    if (ensemble === undefined) return undefined;
    const own = ensemble.members.find(({ id }) => id === ensemble.id)!.peerAddress;
    return await this.network?.listen(ensemble.peerListen ?? own);
  }

  /** Lets time pass: from here on the server stands for election, or looks for its leader. */
  start(): void {
    this.network?.start();
    this.tick();
    this.timer = setInterval(() => {
      this.tick();
    }, tickMs);
  }

  /** Resolves when the server serves for the first time. */
  async untilServing(): Promise<void> {
    if (this.replica.serving) return;
    await new Promise<void>((resolve) => {
      const stop = this.onState(() => {
        if (!this.replica.serving) return;
        stop();
        resolve();
      });
    });
  }

  /** Calls `listener` whenever the role, the leader, or whether the server serves has changed; returns how to stop that. */
  onState(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private newNetwork(ensemble: EnsembleOptions): GrpcPeerNetwork {
    const { id, members, peerTls } = ensemble;
    const others = members.filter((member) => member.id !== id);
    const input = (run: (replica: Replica) => void): void => {
      this.coreInput(run);
    };
    return new GrpcPeerNetwork({
      self: id,
      others: new Map(others.map((member) => [member.id, member.peerAddress])),
      tls: peerTls === undefined ? undefined : readPeerTls(peerTls),
      logger: this.logger,
      incarnation: randomInt(1, 2 ** 47),
      clusterId: () => this.clusterId,
      clientAddress: () => this.clientAddress,
      markDirty: (output) => {
        this.markDirty(output);
      },
      inputs: {
        notified: (from, notification) => {
          input(({ peer }) => peer.notified(from, notification));
        },
        unreachable: (from) => {
          input(({ peer }) => peer.unreachable(from));
        },
        linkOpened: (link, from) => {
          input(({ peer }) => peer.linkOpened(link, from));
        },
        linkReceived: (link, message) => {
          input(({ peer }) => peer.linkReceived(link, message));
        },
        linkClosed: (link) => {
          input(({ peer }) => peer.linkClosed(link));
        },
      },
      openSnapshot: (name) => this.storage.openSnapshot(name),
    });
  }

  /** Opens the files and makes the replica that goes on from them. */
  private async recover(): Promise<void> {
    const { dataDir, acceptLoss, logKeep, ensemble } = this.options;
    this.storage = await openStorage({
      dataDir,
      serverId: this.memberId,
      ensemble: ensemble !== undefined,
      acceptLoss,
      retention: retentionOf(logKeep),
      onFailure: (error) => {
        this.fail(error);
      },
      onPersisted: (write) => {
        this.coreInput((replica) => {
          replica.persisted(write);
        });
      },
      onDamage: (error) => {
        this.logger.error({ err: error }, "damaged data was found; the server goes on without it");
      },
      onHistory: (ticket, result) => {
        this.coreInput((replica) => {
          replica.historyRead(ticket, result);
        });
      },
      onLogRead: (ticket, result) => {
        this.coreInput(({ peer }) => {
          peer.logRead(ticket, result);
        });
      },
    });
    try {
      checkFounding(this.storage.recovered.founding, this.members, ensemble);
    } catch (error) {
      await this.storage.close();
      throw error;
    }
    this.replica = this.newReplica();
  }

  private newReplica(): Replica {
    const { creatorOwned, timeouts } = this.options;
    const { storage } = this;
    const peer = {
      self: this.memberId,
      members: this.members,
      newClusterId: randomBytes(16).toString("hex"),
      tickMs,
      ...(timeouts === undefined ? {} : { timeouts }),
    };
    const ports = {
      log: storage.log,
      history: storage.history,
      source: storage.source,
      snapshots: this.snapshotSource(),
      network: this.network ?? nobody,
      stateChanged: () => {
        // Within an input: whoever listens looks at the replica after it.
        queueMicrotask(() => {
          this.stateChanged();
        });
      },
      diverged: ({ zxid, own, agreed }: { zxid: number; own: number; agreed: number | undefined }) => {
        const others = agreed === undefined ? "no majority agrees on one" : `the majority has ${agreed}`;
        this.fail(new Error(`the state diverged at transaction ${zxid}: its digest is ${own}, ${others}`));
      },
    };
    return new Replica({ peer, featureLevel, creatorOwned }, ports, storage.recovered);
  }

  get clusterId(): string {
    return this.replica.clusterId;
  }

  get epoch(): number {
    return this.replica.epoch;
  }

  get appliedZxid(): number {
    return this.replica.appliedZxid;
  }

  /** Runs an input of the replica. An exception is a broken invariant: it ends the process. */
  input<T>(run: () => T): T | undefined {
    if (this.failed) return undefined;
    try {
      this.replica.setTime(Date.now());
      const result = run();
      this.scheduleTurn();
      return result;
    } catch (error) {
      this.fail(asError(error));
      return undefined;
    }
  }

  /** An input of consensus, of the disk or of time: a replica that has retired hears none. */
  private coreInput(run: (replica: Replica) => void): void {
    if (this.replacing !== undefined) return;
    this.input(() => {
      run(this.replica);
    });
  }

  /** This output has something to send at the end of the turn. */
  markDirty(output: Flushable): void {
    this.dirty.add(output);
    this.scheduleTurn();
  }

  private scheduleTurn(): void {
    if (this.turnScheduled) return;
    this.turnScheduled = true;
    setImmediate(() => {
      this.endTurn();
    });
  }

  private endTurn(): void {
    this.turnScheduled = false;
    if (this.failed) return;
    try {
      if (this.replacing === undefined) this.replica.flush();
      // Sending may make an output dirty again: it then waits for the next turn.
      const outputs = [...this.dirty];
      this.dirty.clear();
      for (const output of outputs) output.flush();
    } catch (error) {
      this.fail(asError(error));
    }
  }

  private tick(): void {
    this.coreInput((replica) => {
      this.watchDisk();
      replica.tick(performance.now());
    });
  }

  private watchDisk(): void {
    const { freeBytes } = this.storage.stats();
    const low = freeBytes < (this.diskLow ? diskReserveLeft : diskReserve);
    if (low === this.diskLow) return;
    this.diskLow = low;
    this.replica.setDiskLow(low);
    this.logger.warn({ freeBytes }, low ? "disk space is low: growth is refused" : "disk space is sufficient again");
  }

  private stateChanged(): void {
    const { replica } = this;
    const { role, epoch, serving, peer } = replica;
    this.logger.info({ role, leader: peer.leader, epoch, serving }, "the server's role has changed");
    for (const listener of [...this.listeners]) listener();
  }

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    clearInterval(this.timer);
    this.options.fatal(error);
  }

  // ---- checkpoints of other servers

  private snapshotSource(): SnapshotSource {
    return {
      prepareSnapshot: (ticket) => {
        this.storage.prepareSnapshot().then(
          (offer) => {
            this.coreInput(({ peer }) => {
              peer.snapshotReady(ticket, offer);
            });
          },
          (error: unknown) => {
            this.fail(asError(error));
          },
        );
      },
      installSnapshot: (ticket, from, offer, boundaries) => {
        this.fetching?.abort();
        const fetching = new AbortController();
        this.fetching = fetching;
        const expected = { offer, boundaries, clusterId: this.clusterId };
        void this.installFrom(from, expected, fetching.signal).then((problem) => {
          if (problem === undefined) return;
          this.logger.warn({ err: problem, from, zxid: offer.at.zxid }, "a checkpoint could not be installed");
          this.coreInput(({ peer }) => {
            peer.snapshotFailed(ticket);
          });
        });
      },
    };
  }

  /** Fetches a checkpoint and installs it. Returns why that failed; as long as it may, nothing has changed here. */
  private async installFrom(from: number, expected: ExpectedSnapshot, signal: AbortSignal): Promise<Error | undefined> {
    const { storage, network } = this;
    let incoming: IncomingSnapshot | undefined;
    try {
      const receiving = await storage.receiveSnapshot(expected);
      incoming = receiving;
      await network!.fetch(from, expected.offer, (content) => receiving.write(content), signal);
      await receiving.complete();
    } catch (error) {
      await incoming?.discard();
      return asError(error);
    }
    if (!incoming.fits || signal.aborted || this.closing || this.failed) {
      await incoming.discard();
      return new Error("the history here has changed meanwhile");
    }
    this.replacing = this.replaceState(incoming).finally(() => {
      this.replacing = undefined;
    });
    await this.replacing;
    return undefined;
  }

  /** The replica retires, and another one recovers from the checkpoint. When that fails the process must end. */
  private async replaceState(incoming: IncomingSnapshot): Promise<void> {
    try {
      this.input(() => {
        this.replica.retire(refusal("NO_LEADER", "this server is being brought up to date"));
      });
      this.network?.reset();
      // Streams say goodbye in this turn's end.
      this.storage = await this.storage.install(incoming);
      this.replica = this.newReplica();
      this.replica.setDiskLow(this.diskLow);
      this.logger.info({ zxid: this.replica.appliedZxid }, "a checkpoint of the leader was installed");
    } catch (error) {
      this.fail(asError(error));
    }
  }

  // ---- the end

  /** Refuses what follows; session streams end once the writes under way are answered. */
  async stopStreams(): Promise<void> {
    this.closing = true;
    this.fetching?.abort();
    await this.replacing;
    await new Promise<void>((stopped) => {
      this.input(() => {
        this.replica.stop(refusal("SHUTTING_DOWN", "the server is stopping"), stopped);
      });
      // A server that has failed answers nothing any more.
      if (this.failed) stopped();
    });
    // One turn, so that the last messages go out.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Makes everything durable and lets go of the files. */
  async close(): Promise<void> {
    this.closing = true;
    this.fetching?.abort();
    await this.replacing;
    clearInterval(this.timer);
    await this.network?.stop();
    await this.storage.close(this.replica.committed);
  }
}

/**
 * The members are in the log, and the list on the command line says where they are: of other members it would be another
 * ensemble. Throws a ConfigError.
 */
function checkFounding(
  founding: Founding | undefined,
  members: readonly Member[],
  ensemble: EnsembleOptions | undefined,
): void {
  if (founding === undefined || describe(founding.members) === describe(members)) return;
  const known = describe(founding.members);
  throw new ConfigError(
    ensemble === undefined
      ? `the data are those of an ensemble with the members ${known}; start with --id and --members`
      : `the data are those of an ensemble with the members ${known}, but --members says ${describe(members)}`,
  );
}

function describe(members: readonly Member[]): string {
  return [...members]
    .sort((a, b) => a.id - b.id)
    .map(({ id, voter }) => (voter ? String(id) : `${id} (observer)`))
    .join(", ");
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Address that clients on other machines can use: a server that listens everywhere is where its member address is. */
export function clientAddressOf(listen: string, ensemble: EnsembleOptions | undefined): string {
  if (ensemble?.advertise !== undefined) return ensemble.advertise;
  const { host, port } = splitAddress(listen, "--listen");
  if (ensemble === undefined || (host !== "0.0.0.0" && host !== "::")) return listen;
  const own = ensemble.members.find(({ id }) => id === ensemble.id)!;
  return own.peerAddress.replace(/:\d+$/, `:${port}`);
}

function retentionOf(keep: ServerOptions["logKeep"]): Retention {
  const { milliseconds, transactions, bytes } = defaultRetention;
  const hours = keep?.hours;
  return {
    milliseconds: hours === undefined ? milliseconds : hours * 3_600_000,
    transactions: keep?.transactions ?? transactions,
    bytes,
  };
}
