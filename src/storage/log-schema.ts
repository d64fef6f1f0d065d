/**
 * The schema of log.db. docs/log.md explains every table and column for people who query it.
 *
 * `proposal` is what was logged, committed or not; the view `txn` ends at the stored commit point and has words where
 * the table has numbers. No secondary index: it would sit on the path of every write.
 */
import { reasonNumber, reasons } from "../base/reasons.ts";
import { AclTable } from "../tree/acl.ts";
import { ZnodeKind } from "../tree/stat.ts";
import { Cause, CreateMode, OpKind, RequestKind } from "../tree/txn.ts";
import type { Connection, FileKind } from "./database.ts";
import { proposalColumns } from "./proposal-rows.ts";

export const logFile: FileKind = {
  name: "transaction log",
  applicationId: 0x7a626c67,
  version: 2,
  create(db) {
    db.exec(tables);
    db.exec(txnView);
    const addAcl = db.prepare("INSERT INTO acl (id, zxid, entries) VALUES (?, 0, ?)");
    for (const { id, entries } of new AclTable().rows()) addAcl.run(id, entries);
    db.prepare("INSERT INTO state (id) VALUES (1)").run();
  },
};

const tables = `
CREATE TABLE proposal (${proposalColumns},
  PRIMARY KEY (zxid, op)
) STRICT, WITHOUT ROWID;

CREATE TABLE acl (
  id       INTEGER PRIMARY KEY,
  zxid     INTEGER NOT NULL,
  entries  TEXT    NOT NULL
) STRICT;

CREATE TABLE epoch (
  epoch      INTEGER PRIMARY KEY,
  last_zxid  INTEGER NOT NULL
) STRICT;

CREATE TABLE member_ack (
  member  INTEGER PRIMARY KEY,
  zxid    INTEGER NOT NULL,
  epoch   INTEGER NOT NULL
) STRICT;

CREATE TABLE state (
  id               INTEGER PRIMARY KEY CHECK (id = 1),
  cluster_id       TEXT    NOT NULL DEFAULT '',
  server_id        INTEGER NOT NULL DEFAULT 0,
  accepted_epoch   INTEGER NOT NULL DEFAULT 0,
  current_epoch    INTEGER NOT NULL DEFAULT 0,
  committed_zxid   INTEGER NOT NULL DEFAULT 0,
  committed_epoch  INTEGER NOT NULL DEFAULT 0,
  base_zxid        INTEGER NOT NULL DEFAULT 0,
  base_epoch       INTEGER NOT NULL DEFAULT 0,
  base_crc         INTEGER NOT NULL DEFAULT 0,
  base_digest      INTEGER NOT NULL DEFAULT 0,
  log_start        INTEGER NOT NULL DEFAULT 1,
  log_start_epoch  INTEGER NOT NULL DEFAULT 0,
  log_start_crc    INTEGER NOT NULL DEFAULT 0,
  install          TEXT,
  forming          TEXT,
  recovering       TEXT
) STRICT;
`;

/** Words of the view, by the numbers in the rows. */
export const words = {
  request: snakeCase(RequestKind),
  kind: snakeCase(OpKind),
  cause: snakeCase(Cause),
  mode: snakeCase(CreateMode),
  znodeKind: snakeCase(ZnodeKind),
  code: Object.fromEntries([["OK", 0], ...reasons.map((reason) => [reason, reasonNumber(reason)] as const)]),
} satisfies Record<string, Record<string, number>>;

function snakeCase(numbers: Readonly<Record<string, number>>): Record<string, number> {
  const renamed = Object.entries(numbers).map(
    ([name, number]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), number] as const,
  );
  return Object.fromEntries(renamed);
}

/** An expression that turns a number into its word; a number this version does not know stays one. */
function wordOf(column: string, numbers: Readonly<Record<string, number>>): string {
  const cases = Object.entries(numbers).map(([word, number]) => `WHEN ${number} THEN '${word}'`);
  return `CASE ${column} ${cases.join(" ")} ELSE CAST(${column} AS TEXT) END`;
}

const txnView = `CREATE VIEW txn AS
SELECT
  p.zxid, p.op, p.epoch,
  strftime('%Y-%m-%dT%H:%M:%fZ', p.time / 1000.0, 'unixepoch') AS time, p.time AS time_ms,
  p.session, p.seq, p.acked, p.who,
  ${wordOf("p.request", words.request)} AS request,
  ${wordOf("p.kind", words.kind)} AS kind,
  ${wordOf("p.cause", words.cause)} AS cause,
  ${wordOf("p.code", words.code)} AS code, p.failed_op,
  CASE p.mode WHEN 0 THEN NULL ELSE ${wordOf("p.mode", words.mode)} END AS mode,
  p.path, p.data, p.data_length,
  p.version, (2 * p.sequence - p.children) AS cversion, p.aversion,
  p.czxid, p.mzxid, p.pzxid, p.ctime, p.mtime, p.owner, p.sequence, p.children,
  CASE p.znode_kind WHEN 0 THEN NULL ELSE ${wordOf("p.znode_kind", words.znodeKind)} END AS znode_kind,
  a.entries AS acl, b.entries AS parent_acl,
  p.znode, p.parent, p.prev_zxid, p.detail
FROM proposal AS p
LEFT JOIN acl AS a ON a.id = p.acl
LEFT JOIN acl AS b ON b.id = p.parent_acl
WHERE p.zxid <= (SELECT committed_zxid FROM state)`;

/** Brings the view up to the words this version knows. Views hold no data, so this is no change of the format. */
export function refreshView(db: Connection): void {
  const stored = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'txn'").pluck().get();
  if (stored === txnView) return;
  db.transaction(() => {
    db.exec("DROP VIEW IF EXISTS txn");
    db.exec(txnView);
  }).immediate();
}
