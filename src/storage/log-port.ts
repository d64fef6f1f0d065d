/**
 * The log as the replica sees it: every method only enqueues. Steps go to the worker in messages, at most two of them
 * under way: one being synced, one waiting behind it. What comes in the meantime gathers here and goes as one.
 */
import type { Worker } from "node:worker_threads";
import { assert, unreachable } from "../base/assert.ts";
import type { LogPort } from "../replica/ports.ts";
import type { AppendStep, EpochStep, Forming, LogPosition, MemberAck } from "../zab/durable-log.ts";
import type { FromLogWorker, LogStep, ToLogWorker } from "./log-messages.ts";
import type { LogBase } from "./log-state.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { startWorker } from "./worker.ts";

const messagesUnderWay = 2;
/** Copies of larger appends are handed over instead of copied once more. */
const transferBytes = 64 * 1024;

export interface LogEvents {
  onPersisted(write: number): void;
  /** The log can write no more: the process must end. Called once. */
  onFailure(error: StorageError): void;
}

export class LogWriter implements LogPort {
  /** The oldest transaction in the log. */
  oldestZxid = 1;
  /** Counts the steps that changed the history, or who vouches for it. */
  historySteps = 0;
  private readonly worker: Worker;
  private readonly events: LogEvents;
  private gathered: LogStep[] = [];
  /** The last write id of each message under way. */
  private readonly underWay: number[] = [];
  private flushing = false;
  private lastWrite = 0;
  private persisted = 0;
  /** What waits for steps to be persisted, in the order of their write ids. */
  private readonly awaiting: { readonly write: number; run(): void }[] = [];
  private draining = false;
  private drained: (() => void) | undefined;
  private closing = false;
  private failure: StorageError | undefined;
  /** Who waits for the worker to open or to install. */
  private asked: { resolve(): void; reject(error: Error): void } | undefined;
  private readonly ended: Promise<void>;

  constructor(events: LogEvents) {
    this.events = events;
    this.worker = startWorker("log-worker", undefined);
    this.worker.on("message", (message: FromLogWorker) => this.receive(message));
    this.worker.on("error", (error: Error) => this.fail(new StorageError("IO", error.message, { cause: error })));
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => {
        if (!this.closing) this.fail(new StorageError("IO", "the log writer ended"));
        resolve();
      });
    });
  }

  /** Opens the log of a recovered directory. */
  open(dataDir: string): Promise<void> {
    return this.ask({ kind: "open", dataDir });
  }

  private ask(message: ToLogWorker): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) {
        reject(this.failure);
        return;
      }
      this.asked = { resolve, reject };
      this.post(message);
    });
  }

  acceptEpoch(write: number, epoch: number): void {
    this.enqueue({ kind: "acceptEpoch", write, epoch });
  }

  establishEpoch(write: number, step: EpochStep): void {
    this.historySteps++;
    this.enqueue({ kind: "establishEpoch", write, step });
  }

  append(write: number, step: AppendStep): void {
    this.historySteps++;
    this.enqueue({ kind: "append", write, step });
  }

  truncate(write: number, to: LogPosition): void {
    this.historySteps++;
    this.enqueue({ kind: "truncate", write, to });
  }

  commit(write: number, point: LogPosition): void {
    this.enqueue({ kind: "commit", write, point });
  }

  rememberAcks(write: number, acks: readonly MemberAck[]): void {
    this.enqueue({ kind: "rememberAcks", write, acks });
  }

  form(write: number, forming: Forming): void {
    this.historySteps++;
    this.enqueue({ kind: "form", write, forming });
  }

  markRecovering(write: number, reason: string): void {
    this.enqueue({ kind: "markRecovering", write, reason });
  }

  /** Calls back once every step given before is on stable storage; never when that fails. */
  whenPersisted(run: () => void): void {
    if (this.persisted >= this.lastWrite) run();
    else this.awaiting.push({ write: this.lastWrite, run });
  }

  /** Lets the log begin anew after a checkpoint, durably. To be called when it is drained. */
  install(base: LogBase): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    assert(this.draining && this.underWay.length === 0, "the log begins anew while it is written");
    return this.ask({ kind: "install", base });
  }

  /** Removes the oldest transactions up to `upTo`, in small steps between the batches. */
  purge(upTo: number): void {
    this.post({ kind: "purge", upTo });
  }

  /** Takes no more steps; resolves when all are durable, and the commit point with them, or the log has failed. */
  async drain(committed?: LogPosition): Promise<void> {
    if (committed !== undefined) this.enqueue({ kind: "commit", write: this.lastWrite, point: committed });
    this.draining = true;
    this.flush(Infinity);
    await new Promise<void>((resolve) => {
      this.drained = resolve;
      this.checkDrained();
    });
  }

  /** Ends the worker. */
  async close(): Promise<void> {
    this.closing = true;
    this.post({ kind: "close" });
    await this.ended;
  }

  get hasFailed(): boolean {
    return this.failure !== undefined;
  }

  private checkDrained(): void {
    if (this.hasFailed || (this.gathered.length === 0 && this.underWay.length === 0)) this.drained?.();
  }

  private enqueue(step: LogStep): void {
    assert(!this.draining, "a durable step after the log was closed");
    this.lastWrite = step.write;
    this.gathered.push(step);
    if (this.flushing || this.underWay.length >= messagesUnderWay) return;
    // At the end of this turn: one turn of the replica may give several steps.
    this.flushing = true;
    queueMicrotask(() => {
      this.flushing = false;
      this.flush(messagesUnderWay);
    });
  }

  private flush(limit: number): void {
    if (this.gathered.length === 0 || this.underWay.length >= limit || this.hasFailed) return;
    const copies: ArrayBuffer[] = [];
    const steps = this.gathered.map((step) => toPost(step, copies));
    this.gathered = [];
    this.underWay.push(steps.at(-1)!.write);
    this.worker.postMessage({ kind: "steps", steps } satisfies ToLogWorker, copies);
  }

  private receive(message: FromLogWorker): void {
    switch (message.kind) {
      case "persisted":
        if (this.hasFailed) return;
        while (this.underWay.length > 0 && this.underWay[0]! <= message.write) this.underWay.shift();
        this.flush(messagesUnderWay);
        if (message.write > this.persisted) {
          this.persisted = message.write;
          this.events.onPersisted(message.write);
        }
        while (this.awaiting.length > 0 && this.awaiting[0]!.write <= message.write) this.awaiting.shift()!.run();
        this.checkDrained();
        return;
      case "purged":
        this.oldestZxid = message.oldestZxid;
        return;
      case "opened":
        this.oldestZxid = message.oldestZxid;
        this.answer();
        return;
      case "installed":
        this.answer();
        return;
      case "failed":
        this.fail(new StorageError(message.code as StorageErrorCode, message.message));
        return;
      case "closed":
        return;
      default:
        unreachable(message);
    }
  }

  private answer(): void {
    this.asked?.resolve();
    this.asked = undefined;
  }

  private fail(error: StorageError): void {
    if (this.hasFailed) return;
    this.failure = error;
    this.checkDrained();
    if (this.asked !== undefined) this.asked.reject(error);
    else this.events.onFailure(error);
  }

  private post(message: ToLogWorker): void {
    this.worker.postMessage(message);
  }
}

/**
 * Whoever gave the step keeps its bytes, so they are not handed over. A view of a larger buffer would be sent with all
 * of that buffer, and a large one is copied once instead of twice when the copy is made here and given away.
 */
function toPost(step: LogStep, copies: ArrayBuffer[]): LogStep {
  if (step.kind !== "append") return step;
  const { bytes } = step.step;
  const isLarge = bytes.length >= transferBytes;
  if (!isLarge && bytes.byteLength === bytes.buffer.byteLength) return step;
  const copy = new Uint8Array(bytes);
  if (isLarge) copies.push(copy.buffer);
  return { ...step, step: { ...step.step, bytes: copy } };
}
