/** One server's half of a session, in memory only: its stream here, and what the client has acknowledged here. */
import { formatIdentities, type Session } from "../sessions/session-table.ts";
import type { Identity } from "../tree/acl.ts";
import type { Caller } from "../tree/prepare.ts";
import type { SessionStream } from "./session-stream.ts";

export class LocalSession {
  readonly session: Session;
  stream: SessionStream | undefined;
  /** Streams that wait for the leader to give them the session. */
  attaching = 0;
  /** The highest acknowledgement of the client. */
  acked = 0;
  /** Whether the leader is to be told that it was heard of. */
  isTouched = false;

  constructor(session: Session) {
    this.session = session;
  }

  get timeoutMs(): number {
    return this.session.terms.timeoutMs;
  }

  acknowledge(seq: number): void {
    if (seq > this.acked) this.acked = seq;
  }
}

/** A caller with a session: its identities, and that of its connection. */
export function callerOf({ session }: LocalSession, address: Identity | undefined): Caller {
  return callerWith(session, address === undefined ? [] : [address]);
}

/** A caller with a session, and identities besides those of the session. */
export function callerWith(session: Session, more: readonly Identity[]): Caller {
  const identities = more.length === 0 ? session.terms.identities : [...session.terms.identities, ...more];
  return { session: session.id, identities, who: formatIdentities(identities) };
}
