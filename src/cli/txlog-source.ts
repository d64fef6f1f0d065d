/** Where `zabtree txlog` gets its lines from: the files of a server, or a server. */
import type { JsonObject } from "./json.ts";

export interface LogQuery {
  /** First transaction. */
  readonly from: number;
  /** Last transaction; Infinity to follow the log. */
  readonly to: number;
  /** Only changes at and below this path; `/` for all. */
  readonly path: string;
}

export interface LogLine {
  readonly line: string;
  readonly json: JsonObject;
}

export interface LogSource {
  /** The oldest transaction the log holds. */
  readonly oldestZxid: number;
  /** The last one committed when the log was opened. */
  readonly committedZxid: number;
  /** The lines of a query, in order, some at a time. Ends at `to`, or when `signal` says so. */
  rows(query: LogQuery, signal: AbortSignal): AsyncIterable<readonly LogLine[]>;
}
