/**
 * What a start does about data that are missing or damaged. A server that is all there is refuses: cutting anything off
 * would make the loss final. In an ensemble others have what is missing here, so the server keeps what is proved and
 * starts as one that must not count until it is synchronized; why, it remembers until then.
 */
import type { MemberAck } from "../zab/durable-log.ts";
import { StorageError } from "./storage-error.ts";

export interface LossOptions {
  readonly dataDir: string;
  /** Whether other servers have what this one has. */
  readonly ensemble: boolean;
  /** Start, and count, although acknowledged transactions are missing. */
  readonly acceptLoss: boolean;
  onDamage(error: StorageError): void;
}

export class Losses {
  /** Why this server must not count; undefined as long as nothing is known to be missing. */
  reason: string | undefined;
  /** What can be read of a log that cannot be used: promises hold, whatever happens to the rest. */
  acceptedEpoch = 0;
  memberAcks: readonly MemberAck[] = [];
  private readonly options: LossOptions;

  constructor(options: LossOptions) {
    this.options = options;
  }

  /** Acknowledged transactions are missing. Throws where that may not be. */
  missing(problem: string): void {
    const { acceptLoss, ensemble, dataDir } = this.options;
    if (acceptLoss) return;
    if (!ensemble) {
      const help = `Restore ${dataDir} from a complete copy, or start with --accept-loss to go on without them.`;
      throw new StorageError("LOST", `${problem}. ${help}`);
    }
    this.report(new StorageError("LOST", problem));
  }

  /** Something that was written is damaged. Throws where nobody else has it. */
  damaged(error: StorageError): void {
    if (!this.options.ensemble) throw error;
    this.report(error);
  }

  /** A reason that an earlier start, or a peer, has stored. */
  remembered(reason: string): void {
    if (this.options.acceptLoss) return;
    if (this.options.ensemble) this.reason ??= reason;
    else this.missing(reason);
  }

  private report(error: StorageError): void {
    if (this.reason === error.message) return;
    this.options.onDamage(error);
    this.reason ??= error.message;
  }
}
