/**
 * The process around one replica: feeds it what happens and carries out what it asks for. All of a server's state is
 * changed on this one thread; workers only write and read files.
 *
 * Work is done in turns: everything that arrives in one round of the event loop is prepared first, then proposed as one
 * batch and answered with one message for each stream.
 */
import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { refusal } from "../base/reasons.ts";
import { Replica } from "../replica/replica.ts";
import { HeaderEncoder, type Position } from "../rpc/session-writer.ts";
import { openStorage, type Storage } from "../storage/index.ts";

export interface CoreOptions {
  readonly dataDir: string;
  readonly acceptLoss: boolean;
  readonly creatorOwned: boolean;
  readonly logger: Logger;
  /** A broken invariant or a failed durable step: the process cannot go on. Must not return control to the server. */
  fatal(error: Error): void;
}

const serverId = 1;
const tickMs = 50;
/** Free disk space below which writes that grow the tree are refused, bytes; and where they are accepted again. */
const diskReserve = 256 * 1024 * 1024;
const diskReserveLeft = 384 * 1024 * 1024;
const featureLevel = 1;

/** Something that gathers output during a turn. */
export interface Flushable {
  flush(): void;
}

export class ServerCore implements Position {
  readonly memberId = serverId;
  readonly header = new HeaderEncoder(this);
  readonly startedAt = performance.now();
  readonly logger: Logger;
  replica!: Replica;
  storage!: Storage;
  private readonly options: CoreOptions;
  private readonly dirty = new Set<Flushable>();
  private turnScheduled = false;
  private timer: NodeJS.Timeout | undefined;
  private diskLow = false;
  private failed = false;

  private constructor(options: CoreOptions) {
    this.options = options;
    this.logger = options.logger;
  }

  /** Recovers the data directory and brings the replica into office. */
  static async open(options: CoreOptions): Promise<ServerCore> {
    const core = new ServerCore(options);
    await core.start();
    return core;
  }

  private async start(): Promise<void> {
    const { dataDir, acceptLoss, creatorOwned } = this.options;
    this.storage = await openStorage({
      dataDir,
      serverId,
      acceptLoss,
      onFailure: (error) => {
        this.fail(error);
      },
      onPersisted: (write) => {
        this.input(() => {
          this.replica.persisted(write);
        });
      },
      onDamage: (error) => {
        this.logger.error({ err: error }, "damaged data was found; the server goes on without it");
      },
      onHistory: (ticket, result) => {
        this.input(() => {
          this.replica.historyRead(ticket, result);
        });
      },
    });
    const { recovered } = this.storage;
    await new Promise<void>((serving) => {
      this.replica = new Replica(
        {
          serverId,
          founding: {
            clusterId: recovered.clusterId === "" ? randomBytes(16).toString("hex") : recovered.clusterId,
            members: [{ id: serverId, voter: true }],
            featureLevel,
          },
          tickMs,
          creatorOwned,
        },
        { log: this.storage.log, history: this.storage.history, serving },
        recovered,
      );
      this.timer = setInterval(() => {
        this.tick();
      }, tickMs);
    });
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
      this.fail(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
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
      this.replica.flush();
      // Sending may make an output dirty again: it then waits for the next turn.
      const outputs = [...this.dirty];
      this.dirty.clear();
      for (const output of outputs) output.flush();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private tick(): void {
    this.input(() => {
      this.watchDisk();
      this.replica.tick(performance.now());
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

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    clearInterval(this.timer);
    this.options.fatal(error);
  }

  /** Refuses what follows; session streams end once the writes under way are answered. */
  async stopStreams(): Promise<void> {
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
    clearInterval(this.timer);
    await this.storage.close(this.replica.committed);
  }
}
