/** What log.db knows apart from its rows: one row of state, the boundaries of epochs, what members acknowledged. */
import type { AclRow } from "../tree/acl.ts";
import type { Forming, LogPosition, MemberAck } from "../zab/durable-log.ts";
import type { Connection } from "./database.ts";
import type { ChainPoint } from "./log-chain.ts";
import { StorageError } from "./storage-error.ts";

/** The one row of the table `state`. */
export interface LogState {
  readonly cluster_id: string;
  readonly server_id: number;
  readonly accepted_epoch: number;
  readonly current_epoch: number;
  readonly committed_zxid: number;
  readonly committed_epoch: number;
  readonly base_zxid: number;
  readonly base_epoch: number;
  readonly base_crc: number;
  readonly base_digest: number;
  readonly log_start: number;
  readonly log_start_epoch: number;
  readonly log_start_crc: number;
  readonly install: string | null;
  readonly forming: string | null;
  readonly recovering: string | null;
}

export function readLogState(db: Connection): LogState {
  const state = db.prepare("SELECT * FROM state").get() as LogState | undefined;
  if (state === undefined) throw new StorageError("CORRUPT", "log.db has no state");
  return state;
}

/** The last row logged; where there is none, the point the log starts from. */
export function readLastPoint(db: Connection, state: LogState): ChainPoint {
  const last = db.prepare("SELECT zxid, epoch, crc FROM proposal ORDER BY zxid DESC, op DESC LIMIT 1").get();
  if (last !== undefined) return last as ChainPoint;
  return { zxid: state.log_start - 1, epoch: state.log_start_epoch, crc: state.log_start_crc };
}

/** The last transaction of each epoch, ascending: the table has those of epochs that are over, `last` is the last. */
export function readBoundaries(db: Connection, last: LogPosition): LogPosition[] {
  const rows = db.prepare("SELECT last_zxid AS zxid, epoch FROM epoch ORDER BY epoch").all() as LogPosition[];
  return last.zxid === 0 ? rows : [...rows, { zxid: last.zxid, epoch: last.epoch }];
}

export function readMemberAcks(db: Connection): MemberAck[] {
  const rows = db.prepare("SELECT member, zxid, epoch FROM member_ack ORDER BY member").all();
  return (rows as { member: number; zxid: number; epoch: number }[]).map(({ member, zxid, epoch }) => {
    return { member, position: { zxid, epoch } };
  });
}

export function readForming(state: LogState): Forming | undefined {
  return state.forming === null ? undefined : (JSON.parse(state.forming) as Forming);
}

/** A checkpoint that a log continues, and what the log must know of it. */
export interface LogBase extends ChainPoint {
  readonly digest: number;
  readonly clusterId: string;
  readonly acls: readonly AclRow[];
  /** The last transaction of each epoch up to the checkpoint; the last one is the checkpoint's own. */
  readonly boundaries: readonly LogPosition[];
}

/** The base of a log as an installation of a checkpoint left it. */
export type InstalledBase = Pick<LogBase, "zxid" | "epoch" | "crc" | "digest">;

/** The checkpoint whose installation is not over; undefined when there is none. */
export function readInstalling(state: LogState): InstalledBase | undefined {
  if (state.install === null) return undefined;
  return { zxid: state.base_zxid, epoch: state.base_epoch, crc: state.base_crc, digest: state.base_digest };
}

/** Inside a transaction: cuts off everything after a transaction that is logged. */
export function cutAfter(db: Connection, zxid: number): void {
  db.prepare("DELETE FROM proposal WHERE zxid > ?").run(zxid);
  db.prepare("DELETE FROM acl WHERE zxid > ?").run(zxid);
  // Where the epoch ends that is now the last one is open again.
  db.prepare("DELETE FROM epoch WHERE last_zxid >= ?").run(zxid);
}

/** Inside a transaction: drops whatever is logged, and lets the log begin right after a checkpoint. */
export function startFrom(db: Connection, base: LogBase): void {
  // Without a condition SQLite frees whole pages instead of looking at each row: a gigabyte takes a tenth of a second.
  db.exec("DELETE FROM proposal");
  db.exec("DELETE FROM acl");
  db.exec("DELETE FROM epoch");
  const addAcl = db.prepare("INSERT INTO acl (id, zxid, entries) VALUES (?, ?, ?)");
  for (const { id, entries } of base.acls) addAcl.run(id, base.zxid, entries);
  const addBoundary = db.prepare("INSERT INTO epoch (epoch, last_zxid) VALUES (?, ?)");
  for (const { zxid, epoch } of base.boundaries.slice(0, -1)) addBoundary.run(epoch, zxid);
  const { zxid, epoch, crc, digest, clusterId } = base;
  db.prepare(
    `UPDATE state SET
       cluster_id = @clusterId, committed_zxid = @zxid, committed_epoch = @epoch,
       base_zxid = @zxid, base_epoch = @epoch, base_crc = @crc, base_digest = @digest,
       log_start = @zxid + 1, log_start_epoch = @epoch, log_start_crc = @crc`,
  ).run({ zxid, epoch, crc, digest, clusterId });
}
