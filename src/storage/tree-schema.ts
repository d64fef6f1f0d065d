/**
 * The schema of tree.db, the checkpoint: everything that is state, as of one transaction. docs/log.md explains the
 * columns. Rows are keyed by the identity of the znode, which grows with creation: written and loaded in order they cost
 * a fraction of rows keyed by path, and the view `znode_path` spells paths out.
 */
import { crc32 } from "node:zlib";
import { finish, hashString, mixNumber } from "../base/hash.ts";
import type { AclRow } from "../tree/acl.ts";
import { znodeDigest } from "../tree/digest.ts";
import { hashPath } from "../tree/path-index.ts";
import { emptyStat } from "../tree/stat.ts";
import { Tree, rootSlot } from "../tree/tree.ts";
import type { Connection, FileKind } from "./database.ts";
import type { SqlValue } from "./proposal-rows.ts";
import { StorageError } from "./storage-error.ts";

export const treeFile: FileKind = {
  name: "checkpoint",
  applicationId: 0x7a627472,
  version: 1,
  create(db) {
    db.exec(tables);
    writeInitialTree(db);
  },
};

const tables = `
CREATE TABLE znode (
  id         INTEGER PRIMARY KEY,
  parent     INTEGER NOT NULL,
  name       TEXT    NOT NULL,
  data       BLOB,
  data_crc   INTEGER NOT NULL,
  acl        INTEGER NOT NULL,
  row_zxid   INTEGER NOT NULL,
  czxid      INTEGER NOT NULL,
  mzxid      INTEGER NOT NULL,
  pzxid      INTEGER NOT NULL,
  ctime      INTEGER NOT NULL,
  mtime      INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  aversion   INTEGER NOT NULL,
  owner      INTEGER NOT NULL,
  sequence   INTEGER NOT NULL,
  children   INTEGER NOT NULL,
  kind       INTEGER NOT NULL,
  path_hash  INTEGER NOT NULL,
  checksum   INTEGER NOT NULL
) STRICT;

CREATE TABLE acl (
  id        INTEGER PRIMARY KEY,
  entries   TEXT    NOT NULL,
  checksum  INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
  id           INTEGER PRIMARY KEY,
  timeout_ms   INTEGER NOT NULL,
  client_key   TEXT    NOT NULL,
  secret_hash  TEXT    NOT NULL,
  identities   TEXT    NOT NULL,
  last_seq     INTEGER NOT NULL,
  acked        INTEGER NOT NULL,
  outcomes     TEXT    NOT NULL,
  ended        TEXT,
  checksum     INTEGER NOT NULL
) STRICT;

CREATE TABLE state (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  zxid        INTEGER NOT NULL,
  epoch       INTEGER NOT NULL,
  crc         INTEGER NOT NULL,
  time        INTEGER NOT NULL,
  znodes      INTEGER NOT NULL,
  next_znode  INTEGER NOT NULL,
  digest      INTEGER NOT NULL,
  founding    TEXT,
  checksum    INTEGER NOT NULL
) STRICT;

-- Each path is put together by climbing from the znode to the root, by primary key.
CREATE VIEW znode_path AS
SELECT
  (WITH RECURSIVE up (parent, path) AS (
     SELECT z.parent, z.name
     UNION ALL
     SELECT above.parent, above.name || '/' || up.path FROM up JOIN znode AS above ON above.id = up.parent
   )
   SELECT CASE path WHEN '' THEN '/' ELSE path END FROM up WHERE parent = 0) AS path,
  z.data, length(z.data) AS data_length,
  z.version, (2 * z.sequence - z.children) AS cversion, z.aversion,
  z.czxid, z.mzxid, z.pzxid,
  strftime('%Y-%m-%dT%H:%M:%fZ', z.ctime / 1000.0, 'unixepoch') AS ctime,
  strftime('%Y-%m-%dT%H:%M:%fZ', z.mtime / 1000.0, 'unixepoch') AS mtime,
  z.owner, z.sequence, z.children,
  CASE z.kind WHEN 1 THEN 'persistent' WHEN 2 THEN 'ephemeral' ELSE CAST(z.kind AS TEXT) END AS kind,
  acl.entries AS acl, z.id
FROM znode AS z LEFT JOIN acl ON acl.id = z.acl;
`;

/** The columns of znode in their order. */
export const znodeColumns =
  "id, parent, name, data, data_crc, acl, row_zxid, czxid, mzxid, pzxid, ctime, mtime, version, aversion, " +
  "owner, sequence, children, kind, path_hash, checksum";

/** What proves a row of znode, apart from its data, which has its CRC: its part of the digest, and what is not in that. */
export function znodeChecksum(digest: number, parent: number, name: string): number {
  return znodeChecksumOf(hashString(name, nameSeed), digest, parent);
}

/** Where the hash of a name begins. */
export const nameSeed = 0x811c9dc5;

/** Likewise for who has hashed the name already. */
export function znodeChecksumOf(nameHash: number, digest: number, parent: number): number {
  return finish(mixNumber(mixNumber(nameHash, digest), parent)) >>> 0;
}

/** What proves a row of the small tables: the CRC of its values. */
export function rowChecksum(values: readonly SqlValue[]): number {
  return crc32(JSON.stringify(values));
}

/** The one row of `state`: what the tree is as of. */
export interface TreeState {
  readonly zxid: number;
  readonly epoch: number;
  /** CRC of the log's chain after the last row of that transaction. */
  readonly crc: number;
  readonly time: number;
  readonly znodes: number;
  readonly nextZnode: number;
  readonly digest: number;
  /** JSON, as transaction 1 has it; null before. */
  readonly founding: string | null;
}

function stateValues(state: TreeState): SqlValue[] {
  const { zxid, epoch, crc, time, znodes, nextZnode, digest, founding } = state;
  return [zxid, epoch, crc, time, znodes, nextZnode, digest, founding];
}

export function writeTreeState(db: Connection, state: TreeState): void {
  const values = stateValues(state);
  const { length } = values;
  const marks = new Array(length + 1).fill("?").join(", ");
  db.prepare(`INSERT OR REPLACE INTO state VALUES (1, ${marks})`).run(...values, rowChecksum(values));
}

export function readTreeState(db: Connection): TreeState {
  const row = db.prepare("SELECT * FROM state").get() as
    (Record<string, number> & { founding: string | null }) | undefined;
  if (row === undefined) throw new StorageError("CORRUPT", "tree.db has no state");
  const state: TreeState = {
    zxid: row["zxid"]!,
    epoch: row["epoch"]!,
    crc: row["crc"]!,
    time: row["time"]!,
    znodes: row["znodes"]!,
    nextZnode: row["next_znode"]!,
    digest: row["digest"]!,
    founding: row.founding,
  };
  if (rowChecksum(stateValues(state)) !== row["checksum"]) {
    throw new StorageError("CORRUPT", "the state of tree.db fails its checksum");
  }
  return state;
}

/** The root page of the table `znode`. */
export function znodeRoot(db: Connection): number {
  return db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'znode'").pluck().get() as number;
}

/** The ACLs by number. */
export function readAcls(db: Connection): AclRow[] {
  return db
    .prepare("SELECT id, entries, checksum FROM acl ORDER BY id")
    .raw(true)
    .all()
    .map((row) => {
      const [id, entries, checksum] = row as [number, string, number];
      if (rowChecksum([id, entries]) !== checksum) throw new StorageError("CORRUPT", `ACL ${id} in tree.db is damaged`);
      return { id, entries };
    });
}

/** The znodes and ACLs every ensemble starts with. */
function writeInitialTree(db: Connection): void {
  const tree = Tree.initial();
  const marks = new Array(20).fill("?").join(", ");
  const insert = db.prepare(`INSERT INTO znode (${znodeColumns}) VALUES (${marks})`);
  for (const slot of tree.slots()) {
    const stat = tree.readStat(slot, emptyStat());
    const id = tree.id(slot);
    const acl = tree.acl(slot);
    const path = tree.path(slot);
    const name = tree.name(slot);
    const parent = slot === rootSlot ? 0 : tree.id(tree.parent(slot));
    const pathHash = slot === rootSlot ? 0 : hashPath(path, path.length);
    const digest = znodeDigest(pathHash, id, acl, 0, 0, -1, stat);
    insert.run(
      ...[id, parent, name, null, 0, acl, 0, 0, 0, 0, 0, 0, 0, 0, 0, stat.sequence, stat.children, stat.kind],
      ...[pathHash, znodeChecksum(digest, parent, name)],
    );
  }
  const addAcl = db.prepare("INSERT INTO acl (id, entries, checksum) VALUES (?, ?, ?)");
  for (const { id, entries } of tree.acls.rows()) addAcl.run(id, entries, rowChecksum([id, entries]));
  const { nextId: nextZnode, count: znodes, digest } = tree;
  writeTreeState(db, { zxid: 0, epoch: 0, crc: 0, time: 0, znodes, nextZnode, digest, founding: null });
}
