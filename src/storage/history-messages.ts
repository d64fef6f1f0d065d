/** What the history reader and its caller say to each other. */
import type { LogPosition } from "../zab/durable-log.ts";

export interface HistoryRequest {
  readonly ticket: number;
  readonly after: number;
  /** Infinity for everything that is logged. */
  readonly upTo: number;
  readonly maxBytes: number;
  /** For whom: clients see what is committed, other servers whatever is logged. */
  readonly reader: "client" | "server";
}

export type ToHistoryWorker = { readonly kind: "read"; readonly request: HistoryRequest } | { readonly kind: "close" };

export type FromHistoryWorker =
  | {
      readonly kind: "read";
      readonly request: HistoryRequest;
      /** Transactions in their canonical encoding, one after the other. */
      readonly bytes: Uint8Array<ArrayBuffer>;
      /** The last transaction of each epoch in it. */
      readonly boundaries: readonly LogPosition[];
    }
  | { readonly kind: "truncated"; readonly request: HistoryRequest; readonly oldestZxid: number }
  /** The very first transaction asked for cannot be read. */
  | { readonly kind: "damaged"; readonly request: HistoryRequest; readonly message: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
