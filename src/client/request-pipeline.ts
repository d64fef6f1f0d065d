/**
 * The requests of one session between the caller and the stream: which may be sent, which are unanswered, and which
 * number (seq) each write carries. No I/O here; session.ts moves the bytes.
 *
 * Writes are numbered 1, 2, 3 … when they are first sent. The server runs them in that order and remembers the outcome
 * of each until `ackedSeq` covers it, so what was unanswered when a stream broke is sent again under the same numbers.
 * A write refused for the moment (no leader, overload, disk low) has used no number: it and all writes behind it, which
 * were refused only because of it, give their numbers back and are sent again in order.
 */
import { toBinary } from "@bufbuild/protobuf";
import { limits } from "../base/limits.ts";
import { refusal, type Reason } from "../base/reasons.ts";
import type { OperationError } from "../../gen/ts/zabtree/v1/common_pb.js";
import { SessionRequestSchema, type SessionRequest, type SessionResponse } from "../../gen/ts/zabtree/v1/session_pb.js";
import { errorOfOperation, errorOfRefusal, ZabtreeError } from "./error.ts";
import { Fifo } from "./fifo.ts";

/** A request and whoever waits for its answer. */
export interface PendingRequest {
  readonly message: SessionRequest;
  /** The number of the write; 0 for reads, and for writes not yet sent. */
  seq: number;
  readonly resolve: (response: SessionResponse) => void;
  readonly reject: (error: ZabtreeError) => void;
}

/** Reasons after which a write has used no number and may be tried again under the same one. */
const refusedForNow: ReadonlySet<string> = new Set<Reason>([
  "NO_LEADER",
  "OVERLOADED",
  "DISK_LOW",
  "TOO_MANY_UNACKNOWLEDGED",
  "SEQUENCE_GAP",
  "SHUTTING_DOWN",
]);

/** Reasons that end the session: later answers say nothing about numbers. */
const sessionOver: ReadonlySet<string> = new Set<Reason>(["SESSION_EXPIRED", "SESSION_MOVED"]);

const maxInFlight = 1024;
const batchBytes = 1024 * 1024;
/** Room for the frame around a request that fills a message on its own. */
const maxRequestBytes = limits.requestMessage - 64;

export class RequestPipeline {
  private waiting = new Fifo<PendingRequest>();
  private readonly inFlight = new Fifo<PendingRequest>();
  private writesInFlight = 0;
  private nextSeq = 1;
  /** The number of the first refused write; 0 while none is refused. */
  private refusedFrom = 0;
  /** Refused writes that will be sent again, in order. */
  private held: PendingRequest[] = [];
  /** Invariant: the outcomes of all writes up to here have reached the caller. */
  ackedSeq = 0;

  get idle(): boolean {
    return this.waiting.length === 0 && this.inFlight.length === 0 && this.held.length === 0;
  }

  add(request: PendingRequest): void {
    this.waiting.push(request);
  }

  /** The next requests to send as one message, encoded; empty when nothing may be sent now. */
  takeBatch(): Uint8Array[] {
    const batch: Uint8Array[] = [];
    let bytes = 0;
    while (this.inFlight.length < maxInFlight) {
      const next = this.waiting.peek();
      if (next === undefined) break;
      const write = writeOf(next.message);
      const seq = next.seq === 0 ? this.nextSeq : next.seq;
      if (write !== undefined) {
        if (this.refusedFrom !== 0 || seq - this.ackedSeq > limits.unacknowledgedOutcomes) break;
        write.seq = BigInt(seq);
      }
      const encoded = toBinary(SessionRequestSchema, next.message);
      if (encoded.length > maxRequestBytes) {
        this.waiting.shift();
        next.reject(tooLarge(encoded.length));
        continue;
      }
      if (batch.length > 0 && bytes + encoded.length > batchBytes) break;
      this.waiting.shift();
      this.inFlight.push(next);
      if (write !== undefined) {
        next.seq = seq;
        this.nextSeq = Math.max(this.nextSeq, seq + 1);
        this.writesInFlight++;
      }
      batch.push(encoded);
      bytes += encoded.length;
    }
    return batch;
  }

  /** Takes an answer. False when it breaks the order the contract promises: the stream cannot be trusted any more. */
  answer(response: SessionResponse): boolean {
    const request = this.inFlight.peek();
    if (request?.message.callId !== response.callId) return false;
    this.inFlight.shift();
    const error = response.result.case === "error" ? response.result.value : undefined;
    if (request.seq === 0) {
      settle(request, response, error);
      return true;
    }
    this.writesInFlight--;
    if (error !== undefined && refusedForNow.has(error.reason)) {
      this.refuse(request, error);
      return true;
    }
    // A write behind a refused one cannot have run, unless the session is over and nothing matters any more.
    if (this.refusedFrom !== 0 && !(error !== undefined && sessionOver.has(error.reason))) return false;
    if (this.refusedFrom === 0) this.ackedSeq = request.seq;
    settle(request, response, error);
    return true;
  }

  /**
   * Only the first refusal is a verdict on its own write. Where waiting would not help, the caller is told; the writes
   * behind it are tried again all the same.
   */
  private refuse(request: PendingRequest, error: OperationError): void {
    const first = this.refusedFrom === 0;
    if (first) this.refusedFrom = request.seq;
    if (first && error.reason === "DISK_LOW") request.reject(errorOfOperation(error));
    else this.held.push(request);
  }

  /** True once all writes behind a refused one have come back: `sendRefusedAgain` is due. */
  get refusalComplete(): boolean {
    return this.refusedFrom !== 0 && this.writesInFlight === 0;
  }

  /** Puts the refused writes back at the head of the queue, to be numbered anew. */
  sendRefusedAgain(): void {
    this.requeue(this.held);
    this.held = [];
  }

  /**
   * The stream has ended. What was unanswered goes back to the head of the queue: writes with their numbers, unless one
   * before them was refused, which proves that none of them ran. Returns requests that end with their stream.
   */
  rewind(): PendingRequest[] {
    const unanswered = [...this.held, ...this.inFlight.drain()];
    this.held = [];
    this.writesInFlight = 0;
    const ended = [...unanswered, ...this.waiting.items()].filter((request) => endsWithStream(request.message));
    this.waiting = Fifo.of(this.waiting.drain().filter((request) => !endsWithStream(request.message)));
    this.requeue(unanswered.filter((request) => !endsWithStream(request.message)));
    return ended;
  }

  private requeue(requests: readonly PendingRequest[]): void {
    if (this.refusedFrom !== 0) {
      for (const request of requests) request.seq = 0;
      this.nextSeq = this.refusedFrom;
      this.refusedFrom = 0;
    }
    this.waiting = Fifo.of([...requests, ...this.waiting.drain()]);
  }

  /** Takes everything out, for a session that has ended. */
  drain(): PendingRequest[] {
    return [...this.rewind(), ...this.waiting.drain()];
  }
}

function settle(request: PendingRequest, response: SessionResponse, error: OperationError | undefined): void {
  if (error === undefined) request.resolve(response);
  else request.reject(errorOfOperation(error));
}

function tooLarge(actual: number): ZabtreeError {
  const limit = maxRequestBytes;
  return errorOfRefusal(
    refusal("REQUEST_TOO_LARGE", `the request has ${actual} bytes; ${limit} are allowed`, {
      limit: String(limit),
      actual: String(actual),
    }),
  );
}

/** The part of a request that carries the number of a write; undefined for anything that is not a write. */
function writeOf(message: SessionRequest): { seq: bigint } | undefined {
  const { operation } = message;
  switch (operation.case) {
    case "create":
    case "delete":
    case "deleteSubtree":
    case "setData":
    case "setAcl":
    case "multi":
      return operation.value;
    default:
      return undefined;
  }
}

/** Watches belong to a stream: asking for one again on the next would be a different watch. */
function endsWithStream(message: SessionRequest): boolean {
  const { operation } = message;
  switch (operation.case) {
    case "addWatch":
    case "cancelWatch":
      return true;
    case "exists":
    case "getData":
    case "listChildren":
      return operation.value.watchId !== 0n;
    default:
      return false;
  }
}
