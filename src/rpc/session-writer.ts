/**
 * Writes the messages of a session stream: frames are appended in the order they happen, and what a turn produced goes
 * out as one message. The answers that make up nearly all traffic are encoded by hand, the rest by the generated code.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { ResponseHeaderSchema } from "../../gen/ts/zabtree/v1/common_pb.js";
import {
  SessionAttachedSchema,
  SessionFrameSchema,
  SessionHeartbeatReplySchema,
  SessionResponseSchema,
  SessionWatchUpdateSchema,
  type SessionFrame,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { assert } from "../base/assert.ts";
import { ByteWriter, utf8Length } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import type { Refusal } from "../base/reasons.ts";
import type { SessionSink } from "../replica/ports.ts";
import type { Stat } from "../tree/stat.ts";
import { RequestKind, type Txn } from "../tree/txn.ts";
import type { WatchEvent } from "../watches/watch-event.ts";
import { errorMessage } from "./convert.ts";
import { MessageSink, type Result } from "./responses.ts";
import { encodeCursor, encodeWatchEvent, encodeZnode } from "./watch-encoder.ts";
import { lengthSize, numberSize, statSize, varintSize, Wire, writeLength, writeNumber, writeStat } from "./wire.ts";

/** Where the server stands, for headers. */
export interface Position {
  readonly clusterId: string;
  readonly memberId: number;
  readonly epoch: number;
  readonly appliedZxid: number;
}

/** The encoded ResponseHeader, by hand except for what never changes. */
export class HeaderEncoder {
  private readonly position: Position;
  private fixed: Uint8Array = new Uint8Array(0);
  private fixedEpoch = -1;

  constructor(position: Position) {
    this.position = position;
  }

  /** Writes the header as field 1 of a message. */
  write(writer: ByteWriter): void {
    const { appliedZxid, epoch } = this.position;
    if (epoch !== this.fixedEpoch) {
      const { clusterId, memberId } = this.position;
      const header = create(ResponseHeaderSchema, { clusterId, memberId: BigInt(memberId), epoch: BigInt(epoch) });
      this.fixed = toBinary(ResponseHeaderSchema, header);
      this.fixedEpoch = epoch;
    }
    writeLength(writer, 1, this.fixed.length + numberSize(appliedZxid));
    writer.raw(this.fixed);
    writeNumber(writer, 4, appliedZxid);
  }
}

/** Fields of SessionResponse. */
const ResultField = { error: 3, create: 4, delete: 5, exists: 7, data: 8, setData: 9 } as const;
/** Field of AttachSessionResponse. */
const framesField = 2;
/** Fields of SessionFrame. */
const Frame = { response: 2, watch: 3 } as const;

/** A message is closed when it exceeds this; one frame may still be as large as the largest answer. */
const messageTarget = 512 * 1024;
/** What the header and the framing of a message take, at most. */
const messageOverhead = 128;

export class SessionWriter extends MessageSink implements SessionSink {
  /** Called when there is something to send, once until `take` is called. */
  private readonly dirty: () => void;
  private readonly header: HeaderEncoder;
  private readonly position: Position;
  private readonly frames = new ByteWriter(4096);
  private full: Buffer[] = [];
  private fullBytes = 0;
  private isDirty = false;
  /** Bytes taken and not yet accepted by the connection. */
  private inFlight = 0;
  private reason: Refusal | undefined;
  /** The stream ends in good order once everything is sent. */
  isClosed = false;

  constructor(position: Position, header: HeaderEncoder, dirty: () => void) {
    super(
      (call, zxid, result) => {
        this.result(call, zxid, result);
      },
      (call, zxid, problem) => {
        this.failure(call, zxid, problem);
      },
    );
    this.position = position;
    this.header = header;
    this.dirty = dirty;
  }

  /** Why the stream ends; undefined while it does not. */
  get endReason(): Refusal | undefined {
    return this.reason;
  }

  /** Bytes that wait to be sent, or were sent and not taken by the connection. */
  get backlog(): number {
    return this.frames.length + this.fullBytes + this.inFlight;
  }

  backlogged(): boolean {
    return this.backlog > limits.streamBacklog / 4;
  }

  /** Whether nothing waits to be taken. */
  get isEmpty(): boolean {
    return this.frames.length === 0 && this.full.length === 0;
  }

  /** The messages to send now. They count as backlog until `sent`. */
  take(): Buffer[] {
    this.isDirty = false;
    if (this.frames.length > 0) this.closeMessage();
    const messages = this.full;
    this.inFlight += this.fullBytes;
    this.full = [];
    this.fullBytes = 0;
    return messages;
  }

  /** The connection took messages of so many bytes. */
  sent(bytes: number): void {
    this.inFlight -= bytes;
    assert(this.inFlight >= 0, "more bytes were sent than taken");
  }

  private closeMessage(): void {
    const writer = new ByteWriter(this.frames.length + 96);
    this.header.write(writer);
    writer.raw(this.frames.view());
    this.frames.reset();
    const message = Buffer.from(writer.bytes.buffer, writer.bytes.byteOffset, writer.length);
    this.full.push(message);
    this.fullBytes += message.length;
  }

  /** To be called after each frame. */
  private wrote(): void {
    if (this.frames.length >= messageTarget) this.closeMessage();
    if (this.isDirty) return;
    this.isDirty = true;
    this.dirty();
  }

  // ---- by hand

  override data(call: number, zxid: number, data: Uint8Array | null, stat: Stat): void {
    const statLength = statSize(stat);
    const dataSize = data === null ? 0 : lengthSize(data.length);
    const writer = this.begin(call, zxid, ResultField.data, dataSize + lengthSize(statLength));
    if (data !== null) {
      writeLength(writer, 2, data.length);
      writer.raw(data);
    }
    writeLength(writer, 3, statLength);
    writeStat(writer, stat);
    this.wrote();
  }

  override exists(call: number, zxid: number, stat: Stat | null): void {
    if (stat === null) {
      this.begin(call, zxid, ResultField.exists, 0);
      this.wrote();
    } else this.withStat(call, zxid, ResultField.exists, stat);
  }

  override committed(call: number, txn: Txn): void {
    const first = txn.ops[0]!;
    switch (txn.request) {
      case RequestKind.setData:
        this.withStat(call, txn.zxid, ResultField.setData, first.stat);
        return;
      case RequestKind.delete:
        this.begin(call, txn.zxid, ResultField.delete, 0);
        this.wrote();
        return;
      case RequestKind.create: {
        const statLength = statSize(first.stat);
        const pathLength = utf8Length(first.path);
        const writer = this.begin(call, txn.zxid, ResultField.create, lengthSize(pathLength) + lengthSize(statLength));
        writer.byte((2 << 3) | Wire.bytes);
        writer.string(first.path);
        writeLength(writer, 3, statLength);
        writeStat(writer, first.stat);
        this.wrote();
        return;
      }
      default:
        super.committed(call, txn);
    }
  }

  /** A result whose only content is a Stat in field 2. */
  private withStat(call: number, zxid: number, field: number, stat: Stat): void {
    const statLength = statSize(stat);
    const writer = this.begin(call, zxid, field, lengthSize(statLength));
    writeLength(writer, 2, statLength);
    writeStat(writer, stat);
    this.wrote();
  }

  /** Everything of a response frame up to the content of its result, which is `length` bytes long. */
  private begin(call: number, zxid: number, field: number, length: number): ByteWriter {
    const writer = this.frames;
    const responseLength = numberSize(call) + numberSize(zxid) + 1 + varintSize(length) + length;
    writer.reserve(responseLength + 24);
    writeLength(writer, framesField, lengthSize(responseLength));
    writeLength(writer, Frame.response, responseLength);
    writeNumber(writer, 1, call);
    writeNumber(writer, 2, zxid);
    writeLength(writer, field, length);
    return writer;
  }

  watchEvent(watchIds: readonly number[], event: WatchEvent): void {
    const encoded = encodeWatchEvent(event);
    const cursor = encodeCursor(this.position.clusterId, event.zxid, event.opIndex);
    const updateLength = lengthSize(encoded.length) + lengthSize(cursor.length);
    let idsLength = 0;
    for (const id of watchIds) idsLength += varintSize(id);
    const watchLength = lengthSize(idsLength) + lengthSize(updateLength);
    const writer = this.frames;
    writeLength(writer, framesField, lengthSize(watchLength));
    writeLength(writer, Frame.watch, watchLength);
    writeLength(writer, 1, idsLength);
    for (const id of watchIds) writer.varint(id);
    writeLength(writer, 2, updateLength);
    writeLength(writer, 2, encoded.length);
    writer.raw(encoded);
    writeLength(writer, 4, cursor.length);
    writer.raw(cursor);
    this.wrote();
  }

  watchState(watchId: number, path: string, stat: Stat, data: Uint8Array | null): void {
    const znode = encodeZnode(path, stat, data);
    this.update(watchId, (writer) => {
      writeLength(writer, 1, znode.length);
      writer.raw(znode);
    });
  }

  watchCursor(watchId: number, zxid: number, opIndex: number, synced: boolean): void {
    const cursor = encodeCursor(this.position.clusterId, zxid, opIndex);
    this.update(watchId, (writer) => {
      writeNumber(writer, 3, synced ? 1 : 0);
      writeLength(writer, 4, cursor.length);
      writer.raw(cursor);
    });
  }

  private update(watchId: number, content: (writer: ByteWriter) => void): void {
    const update = new ByteWriter();
    content(update);
    const idLength = varintSize(watchId);
    const watchLength = lengthSize(idLength) + lengthSize(update.length);
    const writer = this.frames;
    writeLength(writer, framesField, lengthSize(watchLength));
    writeLength(writer, Frame.watch, watchLength);
    writeLength(writer, 1, idLength);
    writer.varint(watchId);
    writeLength(writer, 2, update.length);
    writer.raw(update.view());
    this.wrote();
  }

  // ---- by the generated code

  private result(call: number, zxid: number, result: Result): void {
    assert(result.case !== "openSession", "a session is not opened on a stream");
    const response = create(SessionResponseSchema, { callId: BigInt(call), zxid: BigInt(zxid), result });
    this.frame({ case: "response", value: response });
  }

  private failure(call: number, zxid: number, problem: Refusal): void {
    const response = create(SessionResponseSchema, {
      callId: BigInt(call),
      zxid: BigInt(zxid),
      result: { case: "error", value: errorMessage(problem) },
    });
    this.frame({ case: "response", value: response });
  }

  attached(terms: { timeoutMs: number; lastSeq: number; remainingMs: number }): void {
    const { timeoutMs, lastSeq, remainingMs } = terms;
    this.frame(attachedFrame(timeoutMs, lastSeq, remainingMs));
  }

  heartbeat(id: number, remainingMs: number): void {
    this.frame(heartbeatFrame(id, remainingMs));
  }

  watchEnded(watchId: number, problem: Refusal): void {
    this.frame(watchEndedFrame(watchId, problem));
  }

  ended(problem: Refusal): void {
    this.frame({ case: "ended", value: errorMessage(problem) });
    this.reason = problem;
  }

  closed(): void {
    this.isClosed = true;
    this.wrote();
  }

  private frame(frame: SessionFrame["frame"]): void {
    const bytes = toBinary(SessionFrameSchema, create(SessionFrameSchema, { frame }));
    // A page of children may fill a message of its own. What is written by hand is never that large.
    const length = this.frames.length + bytes.length + messageOverhead;
    if (this.frames.length > 0 && length > limits.responseMessage) this.closeMessage();
    writeLength(this.frames, framesField, bytes.length);
    this.frames.raw(bytes);
    this.wrote();
  }
}

function attachedFrame(timeoutMs: number, lastSeq: number, remainingMs: number): SessionFrame["frame"] {
  const value = create(SessionAttachedSchema, { timeoutMs, lastSeq: BigInt(lastSeq), remainingMs });
  return { case: "attached", value };
}

function heartbeatFrame(id: number, remainingMs: number): SessionFrame["frame"] {
  return { case: "heartbeat", value: create(SessionHeartbeatReplySchema, { id: BigInt(id), remainingMs }) };
}

function watchEndedFrame(watchId: number, problem: Refusal): SessionFrame["frame"] {
  const value = create(SessionWatchUpdateSchema, { watchIds: [BigInt(watchId)], error: errorMessage(problem) });
  return { case: "watch", value };
}
