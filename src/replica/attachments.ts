/**
 * The session streams of this server. The leader says whose stream has a session: a new stream asks for it, and after a
 * change of leaders every stream says which number it has.
 */
import type { Refusal } from "../base/reasons.ts";
import type { Identity } from "../tree/acl.ts";
import { sessionExpired, sessionMoved, type AttachNumber, type StreamHolder } from "./live-session.ts";
import { callerOf, LocalSession } from "./local-session.ts";
import type { SessionSink } from "./ports.ts";
import { SessionStream, type StreamHost } from "./session-stream.ts";
import { noLeader } from "./waiter.ts";

/** What attachments need of their replica. */
export interface AttachmentHost extends StreamHost {
  /** Asks the leader for the session, if there is one; `numbered` or `refused` is called. */
  askForSession(attachment: Attachment): void;
  /** Time until the session expires that is not heard of again, as the leader has just proved. */
  provenMs(local: LocalSession): number;
}

export class Attachment implements StreamHolder {
  readonly local: LocalSession;
  readonly stream: SessionStream;
  /** Identities besides those of the session. */
  readonly identities: readonly Identity[];
  number: AttachNumber | undefined;
  private readonly host: AttachmentHost;
  private readonly sink: SessionSink;
  private done: ((result: SessionStream | Refusal) => void) | undefined;

  constructor(
    host: AttachmentHost,
    who: { local: LocalSession; address: Identity | undefined; id: number; sink: SessionSink },
    done: (result: SessionStream | Refusal) => void,
  ) {
    const { local, address, id, sink } = who;
    this.host = host;
    this.local = local;
    this.sink = sink;
    this.identities = address === undefined ? [] : [address];
    this.stream = new SessionStream(host, local, callerOf(local, address), sink, id);
    this.done = done;
    local.attaching++;
  }

  get isWaiting(): boolean {
    return this.done !== undefined;
  }

  private takeDone(): ((result: SessionStream | Refusal) => void) | undefined {
    const { done } = this;
    this.done = undefined;
    if (done !== undefined) this.local.attaching--;
    return done;
  }

  /** The leader has numbered it, and is known to lead; everything committed before is applied here. */
  complete(): void {
    const { local, stream } = this;
    const done = this.takeDone();
    if (done === undefined) return;
    local.stream?.end(sessionMoved(local.session.id));
    local.stream = stream;
    const { timeoutMs, session } = local;
    this.sink.attached({ timeoutMs, lastSeq: session.lastSeq, remainingMs: this.host.provenMs(local) });
    done(stream);
  }

  moved(): void {
    this.end(sessionMoved(this.local.session.id));
  }

  /** The stream ends; one that was never attached is only told why. */
  end(reason: Refusal): void {
    const { stream } = this;
    const done = this.takeDone();
    if (done === undefined) stream.end(reason);
    else {
      stream.detach();
      done(reason);
    }
  }
}

export class Attachments {
  private readonly host: AttachmentHost;
  private readonly locals = new Map<number, LocalSession>();
  private readonly byStream = new Map<number, Attachment>();
  private streams = 0;

  constructor(host: AttachmentHost) {
    this.host = host;
  }

  get count(): number {
    return this.byStream.size;
  }

  get(stream: number): Attachment | undefined {
    return this.byStream.get(stream);
  }

  /** This server's half of a session. */
  local(session: LocalSession["session"]): LocalSession {
    let local = this.locals.get(session.id);
    if (local === undefined) this.locals.set(session.id, (local = new LocalSession(session)));
    return local;
  }

  attach(
    who: { local: LocalSession; address: Identity | undefined; sink: SessionSink },
    done: (result: SessionStream | Refusal) => void,
  ): void {
    const attachment = new Attachment(this.host, { ...who, id: ++this.streams }, done);
    this.byStream.set(attachment.stream.number, attachment);
    this.host.askForSession(attachment);
  }

  /** A stream is gone. Whether it was one of these. */
  detached(stream: SessionStream): Attachment | undefined {
    const attachment = this.byStream.get(stream.number);
    this.byStream.delete(stream.number);
    return attachment;
  }

  /** There is a leader again: it is told of every stream, in the order in which they came. */
  announce(): void {
    for (const attachment of [...this.byStream.values()]) this.host.askForSession(attachment);
  }

  /** A session's end was applied, and whoever asked for it was answered. */
  sessionEnded(id: number): void {
    const local = this.locals.get(id);
    if (local === undefined) return;
    this.locals.delete(id);
    local.stream?.end(sessionExpired(id));
    if (local.attaching === 0) return;
    for (const attachment of [...this.byStream.values()]) {
      if (attachment.local === local) attachment.end(sessionExpired(id));
    }
  }

  endAll(reason: Refusal): void {
    for (const attachment of [...this.byStream.values()]) attachment.end(reason);
  }

  /** Ends those that still wait for a leader. */
  endWaiting(): void {
    for (const attachment of [...this.byStream.values()]) if (attachment.isWaiting) attachment.end(noLeader());
  }
}
