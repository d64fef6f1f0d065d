/** What the history reader and its caller say to each other. */
export interface HistoryRequest {
  readonly ticket: number;
  readonly after: number;
  readonly upTo: number;
  readonly maxBytes: number;
}

export type ToHistoryWorker = { readonly kind: "read"; readonly request: HistoryRequest } | { readonly kind: "close" };

export type FromHistoryWorker =
  /** Transactions in their canonical encoding, one after the other. */
  | { readonly kind: "read"; readonly ticket: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "truncated"; readonly ticket: number; readonly oldestZxid: number }
  | { readonly kind: "damaged"; readonly ticket: number; readonly upTo: number; readonly message: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
