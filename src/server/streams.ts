/**
 * The server-streaming functions, independent of the transport: StreamSubtree and Watch. Both are pulled: state and
 * history are read only as fast as the client reads the stream; live events are bounded and then cut off.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { ZnodeSchema, type Znode } from "../../gen/ts/zabtree/v1/common_pb.js";
import { StreamSubtreeResponseSchema, type StreamSubtreeRequest } from "../../gen/ts/zabtree/v1/tree_pb.js";
import type { WatchRequest } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { ByteWriter } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Freshness } from "../replica/read-request.ts";
import type { Replica } from "../replica/replica.ts";
import type { WatchSpec } from "../replica/watch-feeds.ts";
import { freshnessOf, InvalidMessage, statMessage, watchSpec } from "../rpc/convert.ts";
import { encodeCursor, encodeWatchEvent, encodeZnode } from "../rpc/watch-encoder.ts";
import { writeLength, writeNumber } from "../rpc/wire.ts";
import { isAtOrBelow, pathProblem } from "../tree/path.ts";
import type { Identity } from "../tree/acl.ts";
import type { Caller } from "../tree/prepare.ts";
import type { Stat } from "../tree/stat.ts";
import type { Watch } from "../watches/watch-table.ts";
import type { WatchEvent, WatchSink } from "../watches/watch-event.ts";
import type { Flushable, ServerCore } from "./core.ts";
import { headerMessage } from "./functions.ts";
import { authenticate, type CallContext } from "./identity.ts";

/** Where a stream goes. Messages are encoded. */
export interface StreamOut {
  write(message: Buffer): void;
  /** Bytes written and not yet taken by the connection. */
  readonly backlog: number;
  /** Ends the stream; without a refusal, with success. Nothing is written after it. */
  end(problem?: Refusal): void;
}

/** What the transport tells a running stream. */
export interface RunningStream {
  /** The connection has taken what was written. */
  drained(): void;
  /** The client is gone. */
  cancelled(): void;
  /** The server is stopping. */
  stop(problem: Refusal): void;
}

/** Begins a stream. Everything after, failure included, goes to `out`. */
export type StreamFunction<Request> = (request: Request, context: CallContext, out: StreamOut) => RunningStream;

/** Bytes in flight above which nothing more is read for a stream. */
const pieceBytes = 256 * 1024;
const pieceZnodes = 1000;

const nothing: RunningStream = { drained: doNothing, cancelled: doNothing, stop: doNothing };

function doNothing(): void {
  // The stream is over.
}

/** Runs the beginning of a stream: malformed requests end it, broken invariants the process. */
function begin(core: ServerCore, out: StreamOut, run: () => RunningStream): RunningStream {
  const running = core.input(() => {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error;
      out.end(error.refusal);
      return nothing;
    }
  });
  return running ?? nothing;
}

export function streamSubtree(core: ServerCore): StreamFunction<StreamSubtreeRequest> {
  return (request, context, out) => begin(core, out, () => new SubtreeStream(core, request, context, out));
}

class SubtreeStream implements RunningStream {
  private readonly core: ServerCore;
  private readonly request: StreamSubtreeRequest;
  private readonly out: StreamOut;
  /** The state walked over: when another replica takes its place, the walk is over. */
  private readonly replica: Replica;
  private readonly walk: { root: string; after: string | undefined; identities: readonly Identity[] };
  private state: "waiting" | "walking" | "over" = "waiting";

  constructor(core: ServerCore, request: StreamSubtreeRequest, context: CallContext, out: StreamOut) {
    this.core = core;
    this.replica = core.replica;
    this.request = request;
    this.out = out;
    const { path, resumeAfter } = request;
    const freshness = freshnessOf(request, false);
    if (resumeAfter !== "" && (pathProblem(resumeAfter) !== undefined || !isAtOrBelow(resumeAfter, path))) {
      throw new InvalidMessage("resume_after does not lie in the subtree", "resume_after");
    }
    this.walk = { root: path, after: resumeAfter === "" ? undefined : resumeAfter, identities: [] };
    authenticate(this.replica, context, (who) => {
      if (this.state === "over") return;
      if ("reason" in who) this.finish(who);
      else this.begin(who.caller, freshness);
    });
  }

  private begin(caller: Caller, freshness: Freshness): void {
    this.walk.identities = caller.identities;
    this.replica.whenFresh(freshness, (problem) => {
      if (this.state === "over") return;
      const refused = problem ?? this.replica.reader.subtreeProblem(this.walk.root, caller);
      if (refused !== undefined) {
        this.finish(refused);
        return;
      }
      this.state = "walking";
      this.pump();
    });
  }

  drained(): void {
    this.core.input(() => {
      this.pump();
    });
  }

  cancelled(): void {
    this.state = "over";
  }

  stop(problem: Refusal): void {
    if (this.state !== "over") this.finish(problem);
  }

  private finish(problem?: Refusal): void {
    this.state = "over";
    this.out.end(problem);
  }

  private pump(): void {
    while (this.state === "walking" && this.out.backlog < pieceBytes) {
      const isOver = !this.replica.readable || !this.piece();
      if (isOver) this.finish(this.replica.readable ? undefined : this.replica.unavailable());
    }
  }

  /** Sends the next piece; false when the walk is complete. */
  private piece(): boolean {
    const { core, walk } = this;
    const { tree, reader } = this.replica;
    const znodes: Znode[] = [];
    let bytes = 0;
    let last = walk.after;
    const stopped = reader.subtree(walk, (path, stat, slot) => {
      const data = this.request.includeData ? tree.data(slot) : null;
      znodes.push(
        create(ZnodeSchema, {
          path,
          stat: statMessage(stat),
          ...(data === null ? {} : { data: Uint8Array.from(data) }),
        }),
      );
      last = path;
      bytes += path.length * 3 + 160 + (data?.length ?? 0);
      return bytes < pieceBytes && znodes.length < pieceZnodes;
    });
    walk.after = stopped ?? last;
    if (znodes.length > 0) {
      const message = create(StreamSubtreeResponseSchema, { header: headerMessage(core, core.appliedZxid), znodes });
      this.out.write(Buffer.from(toBinary(StreamSubtreeResponseSchema, message)));
    }
    return stopped !== undefined;
  }
}

export function watch(core: ServerCore): StreamFunction<WatchRequest> {
  return (request, context, out) => begin(core, out, () => new WatchStream(core, request, context, out));
}

/** Fields of WatchUpdate. */
const Update = { state: 1, events: 2, synced: 3, cursor: 4 } as const;
/** A message is closed when it exceeds this. */
const messageTarget = 512 * 1024;

class WatchStream implements RunningStream, WatchSink, Flushable {
  private readonly core: ServerCore;
  private readonly out: StreamOut;
  private registration: Watch | undefined;
  private over = false;
  /** State comes before events in a message, as it does in the contract. */
  private readonly content = new ByteWriter(1024);
  private hasEvents = false;
  private cursor: { zxid: number; op: number } | undefined;
  /** Unset until the state is complete, so that nobody resumes from the middle of it. */
  private mayResume: boolean;
  private synced = false;
  private pending: Buffer[] = [];
  private pendingBytes = 0;

  constructor(core: ServerCore, request: WatchRequest, context: CallContext, out: StreamOut) {
    this.core = core;
    this.out = out;
    const spec = watchSpec(request.spec);
    this.mayResume = spec.start.kind !== "currentState";
    authenticate(core.replica, context, (who) => {
      if (this.over) return;
      if ("reason" in who) this.finish(who);
      else this.register(spec, who.caller);
    });
  }

  private register(spec: WatchSpec, caller: Caller): void {
    const { replica } = this.core;
    const registered = replica.addWatch({
      sink: this,
      id: 1,
      spec,
      caller,
      accepted: () => {
        // The first message comes at once, so that the client knows the watch is in force.
        if (spec.start.kind === "currentState") this.closeMessage();
      },
    });
    if ("reason" in registered) this.finish(registered);
    else if (this.over) replica.removeWatch(registered);
    else this.registration = registered;
  }

  drained(): void {
    if (this.over) return;
    this.core.input(() => {
      this.core.replica.drained(this);
    });
  }

  cancelled(): void {
    this.over = true;
    const { registration } = this;
    if (registration === undefined) return;
    this.registration = undefined;
    this.core.input(() => {
      this.core.replica.removeWatch(registration);
    });
  }

  private finish(problem: Refusal): void {
    if (this.over) return;
    this.over = true;
    if (this.registration !== undefined) this.core.replica.removeWatch(this.registration);
    this.registration = undefined;
    this.out.end(problem);
  }

  stop(problem: Refusal): void {
    this.flush();
    this.finish(problem);
  }

  backlogged(): boolean {
    return this.out.backlog + this.content.length + this.pendingBytes > limits.streamBacklog / 4;
  }

  watchEvent(_watchIds: readonly number[], event: WatchEvent): void {
    const encoded = encodeWatchEvent(event);
    writeLength(this.content, Update.events, encoded.length);
    this.content.raw(encoded);
    this.hasEvents = true;
    this.cursor = { zxid: event.zxid, op: event.opIndex };
    this.wrote();
  }

  watchState(_watchId: number, path: string, stat: Stat, data: Uint8Array | null): void {
    if (this.hasEvents) this.closeMessage();
    const encoded = encodeZnode(path, stat, data);
    writeLength(this.content, Update.state, encoded.length);
    this.content.raw(encoded);
    this.wrote();
  }

  watchCursor(_watchId: number, zxid: number, opIndex: number, synced: boolean): void {
    this.cursor = { zxid, op: opIndex };
    if (synced) {
      this.mayResume = true;
      this.synced = true;
    }
    this.wrote();
    if (synced) this.closeMessage();
  }

  watchEnded(_watchId: number, problem: Refusal): void {
    this.flush();
    this.finish(problem);
  }

  private wrote(): void {
    if (this.content.length >= messageTarget) this.closeMessage();
    this.core.markDirty(this);
  }

  private closeMessage(): void {
    const cursor =
      this.mayResume && this.cursor !== undefined
        ? encodeCursor(this.core.clusterId, this.cursor.zxid, this.cursor.op)
        : undefined;
    const update = this.content;
    if (this.synced) writeNumber(update, Update.synced, 1);
    if (cursor !== undefined) {
      writeLength(update, Update.cursor, cursor.length);
      update.raw(cursor);
    }
    const writer = new ByteWriter(update.length + 96);
    this.core.header.write(writer);
    writeLength(writer, 2, update.length);
    writer.raw(update.view());
    update.reset();
    this.hasEvents = false;
    this.synced = false;
    this.cursor = undefined;
    const message = Buffer.from(writer.bytes.buffer, writer.bytes.byteOffset, writer.length);
    this.pending.push(message);
    this.pendingBytes += message.length;
    this.core.markDirty(this);
  }

  flush(): void {
    if (this.over) return;
    if (this.content.length > 0 || (this.cursor !== undefined && this.mayResume)) this.closeMessage();
    for (const message of this.pending) this.out.write(message);
    this.pending = [];
    this.pendingBytes = 0;
    if (this.out.backlog <= limits.streamBacklog) return;
    const limit = String(limits.streamBacklog);
    this.finish(refusal("SLOW_CONSUMER", "too much waits to be read", { limit }));
  }
}
