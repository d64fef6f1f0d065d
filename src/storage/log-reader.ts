/**
 * Reads the log of a server from outside, for people: also while the server runs, and without disturbing it. It never
 * checkpoints, sees what is committed and nothing else, and reads in short statements, because a long one would keep
 * the server's write-ahead log from starting over.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openForReading, type Connection, type Statement } from "./database.ts";
import { logFile } from "./log-schema.ts";
import { StorageError } from "./storage-error.ts";

/** One row of the view `txn`: one operation of a committed transaction. */
export interface LogRow {
  readonly zxid: number;
  readonly op: number;
  readonly epoch: number;
  /** ISO 8601, and milliseconds since the Unix epoch. */
  readonly time: string;
  readonly time_ms: number;
  /** 0 for none. */
  readonly session: number;
  readonly seq: number;
  readonly acked: number;
  readonly who: string;
  readonly request: string;
  readonly kind: string;
  readonly cause: string;
  /** OK, or the reason of a refusal. */
  readonly code: string;
  readonly failed_op: number;
  readonly mode: string | null;
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly data_length: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly owner: number;
  readonly sequence: number;
  readonly children: number;
  readonly znode_kind: string | null;
  readonly acl: string | null;
  readonly parent_acl: string | null;
  readonly znode: number;
  readonly parent: number;
  readonly prev_zxid: number;
  readonly detail: string;
}

export interface LogSelection {
  /** First and last transaction; all that are committed when left out. */
  readonly from?: number;
  readonly to?: number;
  /** Only rows of this path and of those below it. */
  readonly pathPrefix?: string;
  /** At most this many rows. */
  readonly limit?: number;
}

const rowsPerStatement = 128;
/** Transactions one statement looks at: a long one would keep the WAL of a running server from being emptied. */
const transactionsPerStatement = 10_000;

export class LogReader {
  private readonly db: Connection;
  private readonly state: Statement;
  private readonly rowsAfter: Statement;

  constructor(dataDir: string) {
    const path = join(dataDir, "log.db");
    if (!existsSync(path)) throw new StorageError("IO", `there is no log.db in ${dataDir}`);
    this.db = openForReading(path, logFile);
    this.state = this.db.prepare("SELECT log_start, committed_zxid FROM state");
    // `substr` and not LIKE, whose wildcards may occur in paths.
    this.rowsAfter = this.db.prepare(
      `SELECT * FROM txn
       WHERE (zxid, op) > (@zxid, @op) AND zxid <= @to
         AND (@prefix = '/' OR path = @prefix OR substr(path, 1, length(@prefix) + 1) = @prefix || '/')
       ORDER BY zxid, op LIMIT @limit`,
    );
  }

  /** The oldest transaction in the log, as of now; likewise below. */
  get oldestZxid(): number {
    return (this.state.get() as { log_start: number }).log_start;
  }

  /** The stored commit point. A running server stores it within 100 ms. */
  get committedZxid(): number {
    return (this.state.get() as { committed_zxid: number }).committed_zxid;
  }

  *transactions(selection: LogSelection = {}): Generator<LogRow, void> {
    const { from = 0, to = Number.MAX_SAFE_INTEGER, pathPrefix: prefix = "/" } = selection;
    let left = selection.limit ?? Infinity;
    let [zxid, op] = [from - 1, Number.MAX_SAFE_INTEGER];
    while (left > 0) {
      const limit = Math.min(left, rowsPerStatement);
      const until = Math.min(to, Math.max(zxid, this.oldestZxid - 1) + transactionsPerStatement);
      const rows = this.rowsAfter.all({ zxid, op, to: until, prefix, limit }) as LogRow[];
      yield* rows;
      left -= rows.length;
      if (rows.length === limit) ({ zxid, op } = rows.at(-1)!);
      else if (until >= Math.min(to, this.committedZxid)) return;
      else [zxid, op] = [until, Number.MAX_SAFE_INTEGER];
    }
  }

  close(): void {
    this.db.close();
  }
}

/** Opens the log of a data directory, whether its server runs or not. Throws a StorageError. */
export function openLogReader(dataDir: string): LogReader {
  return new LogReader(dataDir);
}
