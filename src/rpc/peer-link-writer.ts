/**
 * Writes the messages of a link between learner and leader. Proposals, acknowledgements and forwarded requests are nearly
 * all traffic, and written by hand; so are the lists that hold them. The rest goes through the generated code.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  LeaderMessageSchema,
  LearnerMessageSchema,
  type LeaderMessage as WireLeaderMessage,
  type LearnerMessage as WireLearnerMessage,
} from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { ByteWriter } from "../base/bytes.ts";
import type { HistoryPiece, LogPosition } from "../zab/durable-log.ts";
import type { LeaderMessage, LearnerMessage, LinkMessage } from "../zab/message.ts";
import { Follow, Leader, Learner } from "./peer-link-fields.ts";
import { fragmentBytes, wirePosition } from "./peer-values.ts";
import { asBuffer } from "./service-definition.ts";
import { lengthSize, numberSize, writeLength, writeNumber } from "./wire.ts";

/** A message of a link, ready to be sent. */
export interface EncodedLinkMessage {
  /** Encoded list entries, which may share a wire message with others; or the wire messages of its fragments. */
  readonly parts: readonly Buffer[];
  readonly fragmented: boolean;
  /** Bytes of all parts. */
  readonly bytes: number;
}

/**
 * Encodes a message, at once: its bytes may belong to somebody else afterwards. The same object is encoded only once,
 * for a leader tells all its learners the same.
 */
export class LinkEncoder {
  private readonly encoded = new WeakMap<LinkMessage, EncodedLinkMessage>();

  encode(message: LinkMessage): EncodedLinkMessage {
    const before = this.encoded.get(message);
    if (before !== undefined) return before;
    const content = encodeLinkMessage(message);
    const result = content.length > fragmentBytes ? fragments(content) : listEntry(content);
    this.encoded.set(message, result);
    return result;
  }
}

function listEntry(content: Uint8Array): EncodedLinkMessage {
  const writer = new ByteWriter(lengthSize(content.length));
  writeLength(writer, Follow.messages, content.length);
  writer.raw(content);
  const part = written(writer);
  return { parts: [part], fragmented: false, bytes: part.length };
}

function fragments(content: Uint8Array): EncodedLinkMessage {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (let from = 0; from < content.length; from += fragmentBytes) {
    const piece = content.subarray(from, from + fragmentBytes);
    const last = from + fragmentBytes >= content.length;
    const inner = lengthSize(piece.length) + numberSize(last ? 1 : 0);
    const writer = new ByteWriter(lengthSize(inner));
    writeLength(writer, Follow.fragment, inner);
    writeLength(writer, 1, piece.length);
    writer.raw(piece);
    writeNumber(writer, 2, last ? 1 : 0);
    const part = written(writer);
    parts.push(part);
    bytes += part.length;
  }
  return { parts, fragmented: true, bytes };
}

function written(writer: ByteWriter): Buffer {
  return asBuffer(writer.view());
}

/** One LearnerMessage or LeaderMessage, encoded. */
export function encodeLinkMessage(message: LinkMessage): Uint8Array {
  switch (message.type) {
    case "ack": {
      const inner = numberSize(message.epoch) + numberSize(message.zxid);
      const writer = new ByteWriter(lengthSize(inner));
      writeLength(writer, Learner.ack, inner);
      writeNumber(writer, 1, message.epoch);
      writeNumber(writer, 2, message.zxid);
      return writer.view();
    }
    case "request":
      return payloadMessage(Learner.request, message.payload);
    case "answer":
      return payloadMessage(Leader.answer, message.payload);
    case "proposal":
      return proposalMessage(message);
    case "commit": {
      const { epoch, committed } = message;
      const inner = numberSize(epoch) + lengthSize(positionSize(committed));
      const writer = new ByteWriter(lengthSize(inner));
      writeLength(writer, Leader.commit, inner);
      writeNumber(writer, 1, epoch);
      writePosition(writer, 2, committed);
      return writer.view();
    }
    case "learnerInfo":
    case "ackEpoch":
    case "ackNewLeader":
    case "ackDiff":
    case "pong":
      return toBinary(LearnerMessageSchema, learnerMessage(message));
    default:
      return toBinary(LeaderMessageSchema, leaderMessage(message));
  }
}

function payloadMessage(field: number, payload: Uint8Array): Uint8Array {
  const inner = lengthSize(payload.length);
  const writer = new ByteWriter(lengthSize(inner));
  writeLength(writer, field, inner);
  writeLength(writer, 1, payload.length);
  writer.raw(payload);
  return writer.view();
}

function proposalMessage(message: LinkMessage & { type: "proposal" }): Uint8Array {
  const { epoch, bytes, firstZxid, lastZxid, committed } = message;
  const inner =
    numberSize(epoch) +
    lengthSize(bytes.length) +
    numberSize(firstZxid) +
    numberSize(lastZxid) +
    lengthSize(positionSize(committed));
  const writer = new ByteWriter(lengthSize(inner));
  writeLength(writer, Leader.proposal, inner);
  writeNumber(writer, 1, epoch);
  writeLength(writer, 2, bytes.length);
  writer.raw(bytes);
  writeNumber(writer, 3, firstZxid);
  writeNumber(writer, 4, lastZxid);
  writePosition(writer, 5, committed);
  return writer.view();
}

function positionSize({ zxid, epoch }: LogPosition): number {
  return numberSize(zxid) + numberSize(epoch);
}

function writePosition(writer: ByteWriter, field: number, position: LogPosition): void {
  writeLength(writer, field, positionSize(position));
  writeNumber(writer, 1, position.zxid);
  writeNumber(writer, 2, position.epoch);
}

type ColdLearnerMessage = Extract<
  LearnerMessage,
  { type: "learnerInfo" | "ackEpoch" | "ackNewLeader" | "ackDiff" | "pong" }
>;

function learnerMessage(message: ColdLearnerMessage): WireLearnerMessage {
  switch (message.type) {
    case "learnerInfo": {
      const { clusterId, voter, recovering } = message;
      const value = {
        clusterId,
        acceptedEpoch: BigInt(message.acceptedEpoch),
        last: wirePosition(message.last),
        currentEpoch: BigInt(message.currentEpoch),
        voter,
        recovering,
      };
      return create(LearnerMessageSchema, { message: { case: "learnerInfo", value } });
    }
    case "ackEpoch": {
      const value = {
        epoch: BigInt(message.epoch),
        counts: message.counts,
        currentEpoch: BigInt(message.currentEpoch),
        last: wirePosition(message.last),
        committed: wirePosition(message.committed),
        boundaries: message.boundaries.map(wirePosition),
      };
      return create(LearnerMessageSchema, { message: { case: "ackEpoch", value } });
    }
    case "ackNewLeader":
    case "ackDiff": {
      const value = { epoch: BigInt(message.epoch), zxid: BigInt(message.zxid) };
      return create(LearnerMessageSchema, { message: { case: message.type, value } });
    }
    case "pong": {
      const { diskLow } = message;
      const value = { epoch: BigInt(message.epoch), round: BigInt(message.round), diskLow };
      return create(LearnerMessageSchema, { message: { case: "pong", value } });
    }
  }
}

type ColdLeaderMessage = Exclude<LeaderMessage, { type: "proposal" | "commit" | "answer" }>;

function leaderMessage(message: ColdLeaderMessage): WireLeaderMessage {
  const epoch = BigInt(message.epoch);
  switch (message.type) {
    case "leaderInfo": {
      const { clusterId } = message;
      return create(LeaderMessageSchema, { message: { case: "leaderInfo", value: { clusterId, epoch } } });
    }
    case "trunc": {
      const value = { epoch, to: wirePosition(message.to) };
      return create(LeaderMessageSchema, { message: { case: "trunc", value } });
    }
    case "snap": {
      const { offer, boundaries } = message;
      const { id, at, bytes, digest, chainCrc } = offer;
      const wireOffer = {
        snapshotId: id,
        at: wirePosition(at),
        fileBytes: BigInt(bytes),
        digest: BigInt(digest),
        chainCrc,
      };
      const value = { epoch, offer: wireOffer, boundaries: boundaries.map(wirePosition) };
      return create(LeaderMessageSchema, { message: { case: "snap", value } });
    }
    case "diff": {
      const value = { epoch, piece: wirePiece(message.piece), committed: wirePosition(message.committed) };
      return create(LeaderMessageSchema, { message: { case: "diff", value } });
    }
    case "newLeader": {
      const { last, piece, committed } = message;
      const value = {
        epoch,
        last: wirePosition(last),
        ...(piece === undefined ? {} : { piece: wirePiece(piece) }),
        committed: wirePosition(committed),
      };
      return create(LeaderMessageSchema, { message: { case: "newLeader", value } });
    }
    case "upToDate": {
      const value = { epoch, committed: wirePosition(message.committed) };
      return create(LeaderMessageSchema, { message: { case: "upToDate", value } });
    }
    case "ping": {
      const acks = message.acks.map(({ member, position }) => ({ memberId: member, position: wirePosition(position) }));
      const value = { epoch, round: BigInt(message.round), committed: wirePosition(message.committed), acks };
      return create(LeaderMessageSchema, { message: { case: "ping", value } });
    }
  }
}

function wirePiece({ bytes, firstZxid, boundaries }: HistoryPiece) {
  const transactions = bytes as Uint8Array<ArrayBuffer>;
  return { transactions, firstZxid: BigInt(firstZxid), boundaries: boundaries.map(wirePosition) };
}
