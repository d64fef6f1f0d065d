/**
 * A session: it owns ephemeral znodes, keeps the order of its requests, and makes its writes happen exactly once.
 *
 * Requests made in one turn of the event loop travel in one message. When the stream breaks the session is SUSPENDED:
 * the server keeps it until its timeout, and `reattach` takes it up again and sends what was unanswered once more, the
 * writes under their old numbers, so that none happens twice.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { GrpcCode, refusal, type Reason } from "../base/reasons.ts";
import type {
  AttachSessionResponse,
  SessionAttached,
  SessionFrame,
  SessionHeartbeatReply,
  SessionResponse,
  SessionWatchUpdate,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { SessionRequestSchema, type SessionRequest } from "../../gen/ts/zabtree/v1/session_pb.js";
import type { WatchEvent, WatchSpecSchema, WatchUpdate } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { errorOfOperation, errorOfRefusal, ZabtreeError } from "./error.ts";
import { RequestPipeline, type PendingRequest } from "./request-pipeline.ts";
import { openSessionStream, type SessionStream } from "./session-stream.ts";
import type { CallContext, SessionIdentity } from "./stub.ts";
import { UpdateQueue } from "./update-queue.ts";

/**
 * - CONNECTED: the server has confirmed the session, and its time has not run out.
 * - SUSPENDED: the stream broke; the session may live on. Ephemeral znodes must not be relied on.
 * - LOST: the session is over, and its ephemeral znodes with it, or another stream has taken it.
 * - CLOSED: closed by `close`.
 */
export type SessionState = "CONNECTED" | "SUSPENDED" | "LOST" | "CLOSED";

type Operations = SessionRequest["operation"];
type Results = SessionResponse["result"];

/** What can be asked on a session, by name: `create`, `getData`, … */
export type OperationName = Exclude<Operations["case"], undefined>;
/** The fields of a request. */
export type RequestOf<N extends OperationName> = Extract<
  NonNullable<MessageInitShape<typeof SessionRequestSchema>["operation"]>,
  { case: N }
>["value"];
/** The answer to a request. */
export type ResultOf<N extends OperationName> = Extract<Results, { case: N }>["value"];

/** A watch that fires once, left by a read. */
export interface OneShotWatch {
  /** Goes into `watchId` of `exists`, `getData` or `listChildren`. */
  readonly id: bigint;
  /** The event; rejected when the stream ends first. */
  readonly fired: Promise<WatchEvent>;
}

interface WatchRoute {
  update(update: WatchUpdate): void;
  end(error: ZabtreeError | undefined): void;
}

const retryPauseMs = 50;

export class Session {
  /** Id and secret: whoever has both can act as this session. */
  readonly identity: SessionIdentity;
  private readonly context: CallContext;
  private readonly pipeline = new RequestPipeline();
  private readonly watches = new Map<bigint, WatchRoute>();
  private readonly stateListeners = new Set<(state: SessionState) => void>();
  private currentState: SessionState = "SUSPENDED";
  private stream: SessionStream | undefined;
  private attaching: Promise<void> | undefined;
  private attached: { resolve: () => void; reject: (error: ZabtreeError) => void } | undefined;
  private endedReason: ZabtreeError | undefined;
  /** Why the server said it is about to end the stream. */
  private announcedEnd: ZabtreeError | undefined;
  private timeout: number;
  private nextCallId = 1n;
  private nextWatchId = 1n;
  private lastZxid = 0n;
  private attachSentAt = 0;
  private readonly heartbeatsSent = new Map<bigint, number>();
  private nextHeartbeat = 1n;
  private heartbeatTimer: NodeJS.Timeout | undefined;
  private validityTimer: NodeJS.Timeout | undefined;
  private validUntil = 0;
  private flushScheduled = false;
  private retryScheduled = false;
  private blocked = false;
  private closing = false;

  /** Use `Connection.openSession`. */
  constructor(context: CallContext, identity: SessionIdentity, timeoutMs: number) {
    this.context = context;
    this.identity = identity;
    this.timeout = timeoutMs;
  }

  /** The id: the zxid of the transaction that opened the session. Not a secret. */
  get id(): bigint {
    return this.identity.id;
  }

  get state(): SessionState {
    return this.currentState;
  }

  /** Time without contact after which the server ends the session. */
  get timeoutMs(): number {
    return this.timeout;
  }

  /** Why the session was suspended or lost. */
  get error(): ZabtreeError | undefined {
    return this.endedReason;
  }

  /** Calls `listener` at every change of state; returns how to stop that. */
  onState(listener: (state: SessionState) => void): () => void {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  }

  /** Calls `listener` once, when the session is over: CLOSED or LOST. */
  onEnded(listener: (state: "CLOSED" | "LOST", error: ZabtreeError | undefined) => void): () => void {
    const stop = this.onState((state) => {
      if (state !== "CLOSED" && state !== "LOST") return;
      stop();
      listener(state, this.endedReason);
    });
    return stop;
  }

  /**
   * Sends a request. Requests take effect and are answered in the order of these calls; there is no need to wait for
   * one before making the next. Rejects with a ZabtreeError.
   */
  async request<N extends OperationName>(name: N, request: RequestOf<N>): Promise<ResultOf<N>> {
    if (this.currentState === "LOST" || this.currentState === "CLOSED" || this.closing) throw this.overError();
    const response = await new Promise<SessionResponse>((resolve, reject) => {
      const operation = { case: name, value: request } as MessageInitShape<typeof SessionRequestSchema>["operation"];
      const message = create(SessionRequestSchema, { callId: this.nextCallId++, operation: operation! });
      this.pipeline.add({ message, seq: 0, resolve, reject });
      this.scheduleFlush();
    });
    if (response.result.case !== name) throw protocolError(`a request to ${name} was answered by something else`);
    return response.result.value as ResultOf<N>;
  }

  /**
   * Watches on this session's stream: an update comes before the answer to any request that shows the change. Ends when
   * the stream ends; resume from the last cursor on the next one.
   */
  async watch(spec: MessageInitShape<typeof WatchSpecSchema>): Promise<AsyncIterableIterator<WatchUpdate, undefined>> {
    const watchId = this.nextWatchId++;
    const queue = new UpdateQueue(() => {
      this.watches.delete(watchId);
      // Where the stream has gone, so has the watch.
      if (this.currentState === "CONNECTED" && !this.closing) {
        this.request("cancelWatch", { watchId }).catch(() => undefined);
      }
    });
    this.watches.set(watchId, {
      update: (update) => {
        queue.push(update);
      },
      end: (error) => {
        queue.end(error);
      },
    });
    try {
      await this.request("addWatch", { watchId, spec });
    } catch (error) {
      this.watches.delete(watchId);
      throw error;
    }
    return queue;
  }

  /** Prepares a watch that fires once; it is in force when a read that carries its id has succeeded. */
  oneShotWatch(): OneShotWatch {
    const id = this.nextWatchId++;
    const fired = new Promise<WatchEvent>((resolve, reject) => {
      this.watches.set(id, {
        update: (update) => {
          const event = update.events[0];
          if (event === undefined) return;
          this.watches.delete(id);
          resolve(event);
        },
        end: (error) => {
          reject(error ?? this.overError());
        },
      });
    });
    // Nobody has to wait for it.
    fired.catch(() => undefined);
    return { id, fired };
  }

  /** Opens the stream, or opens it again after it broke. Safe to repeat until the session is LOST. */
  async reattach(): Promise<void> {
    if (this.currentState === "CONNECTED") return;
    if (this.currentState !== "SUSPENDED") throw this.overError();
    this.attaching ??= this.attach().finally(() => {
      this.attaching = undefined;
    });
    await this.attaching;
  }

  private async attach(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.attached = { resolve, reject };
      const stream = openSessionStream(this.context, {
        onMessage: (message) => {
          if (this.stream === stream) this.receive(message);
        },
        onEnd: (error) => {
          if (this.stream === stream) this.streamEnded(error);
        },
      });
      this.stream = stream;
      this.announcedEnd = undefined;
      this.blocked = false;
      this.attachSentAt = performance.now();
      const attach = { sessionId: this.id, secret: this.identity.secret, lastZxid: this.lastZxid };
      stream.send({ attach, ackedSeq: BigInt(this.pipeline.ackedSeq) }, []);
      // A server that accepts the stream and then says nothing is no server.
      this.watchValidity(this.attachSentAt + this.timeout);
    });
  }

  /** Closes the session after all requests made before, and deletes its ephemeral znodes. */
  async close(): Promise<void> {
    if (this.currentState === "LOST" || this.currentState === "CLOSED") return;
    if (this.currentState === "SUSPENDED") await this.reattach();
    const closed = this.request("closeSession", {});
    this.closing = true;
    try {
      await closed;
    } finally {
      this.end("CLOSED", undefined);
    }
  }

  /**
   * Lets go of the session without closing it: it lives on until its timeout, with its ephemeral znodes. With an error
   * it counts as LOST because of that error, else as CLOSED.
   */
  abandon(error?: ZabtreeError): void {
    this.end(error === undefined ? "CLOSED" : "LOST", error);
  }

  private scheduleFlush(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    setImmediate(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    while (this.currentState === "CONNECTED" && this.stream !== undefined && !this.blocked) {
      const batch = this.pipeline.takeBatch();
      if (batch.length === 0) return;
      this.send({ ackedSeq: BigInt(this.pipeline.ackedSeq) }, batch);
    }
  }

  private send(head: Parameters<SessionStream["send"]>[0], requests: readonly Uint8Array[]): void {
    const { stream } = this;
    if (stream === undefined || stream.send(head, requests) || this.blocked) return;
    this.blocked = true;
    stream.onWritable(() => {
      if (this.stream !== stream) return;
      this.blocked = false;
      this.flush();
    });
  }

  private receive(message: AttachSessionResponse): void {
    const zxid = message.header?.zxid ?? 0n;
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    for (const frame of message.frames) this.receiveFrame(frame);
    // Answers make room for more.
    this.scheduleFlush();
  }

  private receiveFrame({ frame }: SessionFrame): void {
    switch (frame.case) {
      case "attached":
        this.onAttached(frame.value);
        return;
      case "response":
        this.onResponse(frame.value);
        return;
      case "watch":
        this.onWatch(frame.value);
        return;
      case "heartbeat":
        this.onHeartbeat(frame.value);
        return;
      case "ended":
        this.announcedEnd = errorOfOperation(frame.value);
        return;
      case undefined:
        return;
    }
  }

  private onAttached(attached: SessionAttached): void {
    this.timeout = attached.timeoutMs;
    this.endedReason = undefined;
    this.watchValidity(this.attachSentAt + attached.remainingMs);
    this.heartbeatsSent.clear();
    clearInterval(this.heartbeatTimer);
    this.heartbeatTimer = setInterval(() => {
      this.sendHeartbeat();
    }, this.timeout / 3);
    this.setState("CONNECTED");
    this.attached?.resolve();
    this.attached = undefined;
  }

  private onResponse(response: SessionResponse): void {
    if (response.zxid > this.lastZxid) this.lastZxid = response.zxid;
    if (!this.pipeline.answer(response)) {
      this.end("LOST", protocolError(`the answer to call ${response.callId} is out of order`));
      return;
    }
    if (this.pipeline.refusalComplete && !this.retryScheduled) {
      this.retryScheduled = true;
      setTimeout(() => {
        this.retryScheduled = false;
        if (this.pipeline.refusalComplete) this.pipeline.sendRefusedAgain();
        this.flush();
      }, retryPauseMs);
    }
  }

  private onWatch({ watchIds, update, error }: SessionWatchUpdate): void {
    for (const id of watchIds) {
      const route = this.watches.get(id);
      if (route === undefined) continue;
      if (update !== undefined) route.update(update);
      if (error !== undefined) {
        this.watches.delete(id);
        route.end(errorOfOperation(error));
      }
    }
  }

  private sendHeartbeat(): void {
    const id = this.nextHeartbeat++;
    this.heartbeatsSent.set(id, performance.now());
    this.send({ heartbeat: { id }, ackedSeq: BigInt(this.pipeline.ackedSeq) }, []);
  }

  private onHeartbeat({ id, remainingMs }: SessionHeartbeatReply): void {
    const sentAt = this.heartbeatsSent.get(id);
    if (sentAt === undefined) return;
    for (const earlier of this.heartbeatsSent.keys()) if (earlier <= id) this.heartbeatsSent.delete(earlier);
    this.watchValidity(Math.max(this.validUntil, sentAt + remainingMs));
  }

  /** Past this moment the server may have ended the session, so it must not be called CONNECTED any longer. */
  private watchValidity(until: number): void {
    this.validUntil = until;
    clearTimeout(this.validityTimer);
    this.validityTimer = setTimeout(
      () => {
        const message = `no sign of life from ${this.context.server} within the session's timeout`;
        this.streamEnded(new ZabtreeError({ message, code: GrpcCode.UNAVAILABLE }));
      },
      Math.max(0, until - performance.now()),
    );
  }

  private streamEnded(error: ZabtreeError | undefined): void {
    const why = this.announcedEnd ?? error ?? connectionLost(this.context.server);
    this.endedReason = why;
    if (why.reason !== undefined && sessionOver.has(why.reason)) {
      this.end("LOST", why);
      return;
    }
    if (this.closing) {
      // Whether it was closed is unknown; it ends by its timeout at the latest.
      this.end("CLOSED", why);
      return;
    }
    this.dropStream(why);
    for (const request of this.pipeline.rewind()) request.reject(why);
    this.setState("SUSPENDED");
    this.attached?.reject(why);
    this.attached = undefined;
  }

  private dropStream(error: ZabtreeError | undefined): void {
    const { stream } = this;
    this.stream = undefined;
    stream?.cancel();
    clearInterval(this.heartbeatTimer);
    clearTimeout(this.validityTimer);
    const routes = [...this.watches.values()];
    this.watches.clear();
    for (const route of routes) route.end(error);
  }

  private end(state: "LOST" | "CLOSED", error: ZabtreeError | undefined): void {
    if (this.currentState === "LOST" || this.currentState === "CLOSED") return;
    this.endedReason = error;
    this.dropStream(error);
    const unanswered = this.pipeline.drain();
    this.setState(state);
    for (const request of unanswered) request.reject(this.unansweredError(request));
    this.attached?.reject(this.overError());
    this.attached = undefined;
  }

  /** A write that was sent and never answered may have happened. */
  private unansweredError(request: PendingRequest): ZabtreeError {
    if (request.seq === 0) return this.overError();
    const metadata = { seq: String(request.seq), session_id: String(this.id) };
    const message = `the session ended before write ${request.seq} was answered; ask GetOutcome what became of it`;
    return errorOfRefusal(refusal("OUTCOME_UNKNOWN", message, metadata));
  }

  private overError(): ZabtreeError {
    if (this.endedReason !== undefined) return this.endedReason;
    const metadata = { session_id: String(this.id) };
    return errorOfRefusal(refusal("SESSION_EXPIRED", "the session is closed", metadata));
  }

  private setState(state: SessionState): void {
    if (this.currentState === state) return;
    this.currentState = state;
    for (const listener of [...this.stateListeners]) listener(state);
  }
}

const sessionOver = new Set<Reason>(["SESSION_EXPIRED", "SESSION_MOVED"]);

function connectionLost(server: string): ZabtreeError {
  return new ZabtreeError({ message: `the connection to ${server} broke`, code: GrpcCode.UNAVAILABLE });
}

function protocolError(message: string): ZabtreeError {
  return new ZabtreeError({ message, code: GrpcCode.INTERNAL, reason: "INTERNAL" });
}
