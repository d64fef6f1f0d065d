/**
 * Transactions: what the leader decided, in a form that replicas only apply. A transaction is a header and one or
 * more operations; each operation is one row of the log and says everything about its effect: the resulting Stat, the
 * final name, the ACL in force. Nothing is left for a replica to decide, so all come to the same state.
 */
import type { Stat } from "./stat.ts";

/** What a caller asked for; one for each transaction. */
export const RequestKind = {
  found: 1,
  create: 2,
  delete: 3,
  deleteSubtree: 4,
  setData: 5,
  setAcl: 6,
  multi: 7,
  openSession: 8,
  closeSession: 9,
  expireSession: 10,
  /** Forgets acknowledged outcomes of sessions that do not write. */
  trim: 11,
} as const;

/** What one row of the log does. */
export const OpKind = {
  /** Founds the ensemble: cluster id and members. Transaction 1 only. */
  found: 1,
  create: 2,
  delete: 3,
  setData: 4,
  setAcl: 5,
  /** A condition of a Multi that held. Changes nothing. */
  check: 6,
  /** A request that was refused after looking at the state. Changes nothing but the session's outcome. */
  rejected: 7,
  openSession: 8,
  closeSession: 9,
  trim: 10,
} as const;

/** Why a row happened; numbered as in the contract. */
export const Cause = { request: 1, sessionClosed: 2, sessionExpired: 3 } as const;

/** How a znode is created; numbered as in the contract. */
export const CreateMode = {
  persistent: 1,
  ephemeral: 2,
  persistentSequential: 3,
  ephemeralSequential: 4,
} as const;

/** One row. Fields that do not apply to its kind are 0, "", null. */
export interface TxnOp {
  kind: number;
  cause: number;
  /** rejected: number of the reason. */
  code: number;
  /** rejected: index of the operation that failed, of a Multi. */
  failedOp: number;
  /** create: the mode asked for. */
  mode: number;
  path: string;
  /** Identity of the znode; see Wide.id. */
  znode: number;
  /** Identity of its parent: creations and deletions. */
  parent: number;
  /** Number of the ACL in force; for a deletion the one just before. */
  acl: number;
  /** create, setAcl: the entries of `acl` where this row gives it its number; "" otherwise. */
  newAcl: string;
  /** Number of the parent's ACL: creations and deletions. */
  parentAcl: number;
  /** create, setData: the new data; null when there is none. */
  data: Uint8Array | null;
  /** CRC-32 of the data; 0 when there is none. */
  dataCrc: number;
  /** The Stat after the operation; for a deletion the last one. */
  stat: Stat;
  /** zxid of the previous row of this znode; 0 for a creation. */
  prevZxid: number;
  /** JSON with what only some kinds have: sessions, founding, trim, rejected. */
  detail: string;
}

export interface Txn {
  zxid: number;
  epoch: number;
  /** Milliseconds since the Unix epoch; never less than the transaction before. */
  time: number;
  /** The session that asked; 0 for none. */
  session: number;
  /** Its sequence number; 0 for none. */
  seq: number;
  /** The session's acknowledgement as of this transaction: outcomes up to here are forgotten. */
  acked: number;
  /** Fingerprint of the request, to recognise other content under a used seq; 0 without a seq. */
  fingerprint: number;
  /** The caller's identities, for people: `digest:bob:…, ip:127.0.0.1`. */
  who: string;
  request: number;
  ops: TxnOp[];
}
