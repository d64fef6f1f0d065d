/** Sessions, tombstones included, as rows of tree.db. */
import type { Identity } from "../tree/acl.ts";
import { Session, SessionTable, type Outcome, type SessionEnd } from "../sessions/session-table.ts";
import type { Connection, Statement } from "./database.ts";
import { rowChecksum } from "./tree-schema.ts";
import { StorageError } from "./storage-error.ts";

type SessionRow = readonly [
  id: number,
  timeoutMs: number,
  clientKey: string,
  secretHash: string,
  identities: string,
  lastSeq: number,
  acked: number,
  outcomes: string,
  ended: string | null,
];

export class SessionRows {
  private readonly put: Statement;
  private readonly remove: Statement;

  constructor(db: Connection) {
    this.put = db.prepare("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.remove = db.prepare("DELETE FROM session WHERE id = ?");
  }

  write(session: Session): void {
    const row = rowOf(session);
    this.put.run(...row, rowChecksum(row));
  }

  delete(id: number): void {
    this.remove.run(id);
  }
}

function rowOf(session: Session): SessionRow {
  const { terms, lastSeq, acked, end } = session;
  const outcomes = [...session.unacknowledged()].map(({ seq, fingerprint, zxid, code, failedOp }) => {
    return [seq, fingerprint, zxid, code, failedOp];
  });
  return [
    terms.id,
    terms.timeoutMs,
    terms.clientKey,
    terms.secretHash,
    JSON.stringify(terms.identities),
    lastSeq,
    acked,
    JSON.stringify(outcomes),
    end === undefined ? null : JSON.stringify({ zxid: end.zxid, time: end.time, expired: end.expired }),
  ];
}

/** All sessions, in the orders a SessionTable wants: the living by id, the ended by their ends. */
export function readSessions(db: Connection): SessionTable {
  const sessions: Session[] = [];
  for (const stored of db.prepare("SELECT * FROM session ORDER BY id").raw(true).iterate()) {
    const row = (stored as unknown[]).slice(0, -1) as unknown as SessionRow;
    if (rowChecksum(row) !== (stored as unknown[]).at(-1)) {
      throw new StorageError("CORRUPT", `session ${row[0]} in tree.db fails its checksum`);
    }
    sessions.push(sessionOf(row));
  }
  const table = new SessionTable();
  for (const session of sessions) if (session.end === undefined) table.add(session);
  const ended = sessions.filter((session) => session.end !== undefined);
  ended.sort((a, b) => a.end!.zxid - b.end!.zxid);
  for (const session of ended) table.add(session);
  return table;
}

function sessionOf(row: SessionRow): Session {
  const [id, timeoutMs, clientKey, secretHash, identities, lastSeq, acked, outcomes, ended] = row;
  const session = new Session({
    id,
    timeoutMs,
    clientKey,
    secretHash,
    identities: JSON.parse(identities) as Identity[],
  });
  session.restore({
    lastSeq,
    acked,
    outcomes: (JSON.parse(outcomes) as number[][]).map(outcomeOf),
    end: ended === null ? undefined : (JSON.parse(ended) as SessionEnd),
  });
  return session;
}

function outcomeOf(values: readonly number[]): Outcome {
  const [seq, fingerprint, zxid, code, failedOp] = values as [number, number, number, number, number];
  return { seq, fingerprint, zxid, code, failedOp };
}
