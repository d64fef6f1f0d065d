/** One AttachSession call over grpc-js: reads requests, writes what the session's sink gathered, bounds both. */
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Freshness, ReadRequest } from "../replica/read-request.ts";
import type { SessionStream } from "../replica/session-stream.ts";
import type { WatchSpec } from "../replica/watch-feeds.ts";
import { InvalidMessage } from "../rpc/convert.ts";
import { readSessionMessage, type SessionRequests } from "../rpc/session-reader.ts";
import { SessionWriter } from "../rpc/session-writer.ts";
import { statusOf } from "../rpc/status.ts";
import { WireError } from "../rpc/wire.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { Flushable, ServerCore } from "./core.ts";
import { addressIdentity, hashSecret } from "./identity.ts";

type Call = ServerDuplexStream<Buffer, Buffer>;

/** How long a client may take to send its first message, milliseconds. */
const attachTimeoutMs = 10_000;

export class SessionConnection implements Flushable, SessionRequests {
  private readonly core: ServerCore;
  private readonly call: Call;
  private readonly writer: SessionWriter;
  private stream: SessionStream | undefined;
  private attaching = false;
  private readonly early: ((stream: SessionStream) => void)[] = [];
  private paused = false;
  private halfClosed = false;
  /** The client has been told why the stream ends; nothing it sends counts any more. */
  private ending = false;
  private over = false;
  private readonly attachTimer: NodeJS.Timeout;

  constructor(core: ServerCore, call: Call) {
    this.core = core;
    this.call = call;
    this.writer = new SessionWriter(core, core.header, () => {
      core.markDirty(this);
    });
    this.attachTimer = setTimeout(() => {
      this.end(refusal("BAD_ARGUMENTS", "the first message did not come in time", { field: "attach" }));
    }, attachTimeoutMs);
    call.on("data", (bytes: Buffer) => {
      this.received(bytes);
    });
    call.on("end", () => {
      this.halfClosed = true;
      this.endIfAnswered();
    });
    call.on("cancelled", () => {
      this.gone();
    });
    call.on("close", () => {
      this.gone();
    });
    call.on("error", () => {
      this.gone();
    });
  }

  private received(bytes: Buffer): void {
    if (this.over || this.ending) return;
    this.core.input(() => {
      try {
        readSessionMessage(bytes, this);
        if (!this.attaching && !this.ending && this.stream === undefined) {
          throw new InvalidMessage("the first message must carry attach", "attach");
        }
        if (this.stream !== undefined) this.core.replica.touch(this.stream.live);
      } catch (error) {
        if (error instanceof InvalidMessage) this.end(error.refusal);
        else if (error instanceof WireError) {
          this.end(refusal("BAD_ARGUMENTS", "a message of the stream is malformed", {}));
        } else throw error;
      }
    });
    this.regulate();
  }

  // ---- what the messages say; before the stream is attached it is kept

  attach(attach: { sessionId: number; secret: Uint8Array; lastZxid: number }): void {
    if (this.attaching || this.stream !== undefined) throw new InvalidMessage("the stream is attached", "attach");
    this.attaching = true;
    this.core.replica.attach(
      {
        sessionId: attach.sessionId,
        secretHash: hashSecret(attach.secret),
        minZxid: attach.lastZxid,
        address: addressIdentity(this.call.getPeer()),
        sink: this.writer,
      },
      (result) => {
        this.attached(result);
      },
    );
  }

  /** The session is this stream's, or it is not to be. */
  private attached(result: SessionStream | Refusal): void {
    if (this.over || this.ending) {
      if (!("reason" in result)) result.detach();
      return;
    }
    clearTimeout(this.attachTimer);
    if ("reason" in result) {
      this.end(result);
      return;
    }
    this.stream = result;
    this.attaching = false;
    for (const run of this.early.splice(0)) run(result);
    // The client may have said all it has to say.
    this.core.markDirty(this);
  }

  acknowledge(seq: number): void {
    if (this.stream !== undefined) this.stream.acknowledge(seq);
    else
      this.later((stream) => {
        stream.acknowledge(seq);
      });
  }

  write(call: number, request: WriteRequest, seq: number): void {
    if (this.stream !== undefined) this.stream.write(call, request, seq);
    else
      this.later((stream) => {
        stream.write(call, request, seq);
      });
  }

  read(call: number, request: ReadRequest, freshness: Freshness): void {
    if (this.stream !== undefined) this.stream.read(call, request, freshness);
    else
      this.later((stream) => {
        stream.read(call, request, freshness);
      });
  }

  addWatch(call: number, id: number, spec: WatchSpec): void {
    if (this.stream !== undefined) this.stream.addWatch(call, id, spec);
    else
      this.later((stream) => {
        stream.addWatch(call, id, spec);
      });
  }

  cancelWatch(call: number, id: number): void {
    if (this.stream !== undefined) this.stream.cancelWatch(call, id);
    else
      this.later((stream) => {
        stream.cancelWatch(call, id);
      });
  }

  closeSession(call: number): void {
    if (this.stream !== undefined) this.stream.closeSession(call);
    else
      this.later((stream) => {
        stream.closeSession(call);
      });
  }

  refuse(call: number, problem: Refusal): void {
    if (this.stream !== undefined) this.stream.refuse(call, problem);
    else
      this.later((stream) => {
        stream.refuse(call, problem);
      });
  }

  heartbeat(id: number): void {
    if (this.stream !== undefined) this.stream.heartbeat(id);
    else
      this.later((stream) => {
        stream.heartbeat(id);
      });
  }

  private later(run: (stream: SessionStream) => void): void {
    if (this.ending) return;
    if (!this.attaching) throw new InvalidMessage("the first message must carry attach", "attach");
    if (this.early.length >= limits.outstandingPerSession) throw new InvalidMessage("too much before attach", "attach");
    this.early.push(run);
  }

  /** Stops reading while the client has too much to be answered, or does not read what it is told. */
  private regulate(): void {
    const full = this.stream?.isFull === true || this.writer.backlogged();
    if (full === this.paused) return;
    this.paused = full;
    if (full) this.call.pause();
    else this.call.resume();
  }

  /** End of a turn. */
  flush(): void {
    if (this.over) return;
    this.send();
    if (this.writer.endReason === undefined && this.writer.backlog > limits.streamBacklog) {
      const limit = String(limits.streamBacklog);
      this.end(refusal("SLOW_CONSUMER", "too much waits to be read", { limit }));
      this.send();
    }
    if (this.writer.endReason !== undefined) this.finish(this.writer.endReason);
    else if (this.writer.isClosed) this.finish(undefined);
    else {
      this.regulate();
      this.endIfAnswered();
    }
  }

  /** A client that will send no more gets the answers it waits for; then the stream ends. */
  private endIfAnswered(): void {
    if (!this.halfClosed || this.over || this.attaching) return;
    if (this.stream === undefined || (this.stream.isIdle && this.writer.isEmpty)) this.finish(undefined);
  }

  private send(): void {
    for (const message of this.writer.take()) {
      this.call.write(message, () => {
        this.wrote(message.length);
      });
    }
  }

  private wrote(bytes: number): void {
    const before = this.writer.backlogged();
    this.writer.sent(bytes);
    if (this.over || !before || this.writer.backlogged()) return;
    this.core.input(() => {
      this.stream?.drain();
      this.core.replica.drained(this.writer);
    });
    this.regulate();
  }

  /** Ends the call for a reason of its own: the client is told by a frame and by the status. */
  private end(problem: Refusal): void {
    if (this.over || this.ending) return;
    this.ending = true;
    if (this.stream === undefined) this.writer.ended(problem);
    else this.stream.end(problem);
  }

  private finish(problem: Refusal | undefined): void {
    this.gone();
    if (problem === undefined) this.call.end();
    else this.call.emit("error", statusOf(problem));
  }

  private gone(): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.attachTimer);
    const { stream } = this;
    if (stream !== undefined && !stream.isEnded) {
      this.core.input(() => {
        stream.detach();
      });
    }
  }
}
