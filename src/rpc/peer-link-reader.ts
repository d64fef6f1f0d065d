/** Reads the messages of a link between learner and leader: nearly all traffic by hand, the rest with the generated code. */
import {
  LeaderMessageSchema,
  LearnerMessageSchema,
  type HistoryPiece as WirePiece,
  type LeaderMessage as WireLeaderMessage,
  type LearnerMessage as WireLearnerMessage,
  type SnapshotOffer as WireOffer,
} from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import type { HistoryPiece, LogPosition, SnapshotOffer } from "../zab/durable-log.ts";
import type { LeaderMessage, LearnerMessage, LinkMessage } from "../zab/message.ts";
import { InvalidMessage, toNumber } from "./convert.ts";
import { Follow, Leader, Learner } from "./peer-link-fields.ts";
import {
  boundariesOf,
  checkedPosition,
  clusterIdOf,
  decode,
  fragmentBytes,
  linkMessageBytes,
  memberOf,
  membersMax,
  noPosition,
  positionOf,
  whole,
} from "./peer-values.ts";
import { WireReader } from "./wire.ts";

/** What a message of Follow holds besides its beginning. Throws InvalidMessage or WireError when it is malformed. */
export class LinkReader {
  private readonly read: (content: Buffer) => LinkMessage;
  private readonly receive: (message: LinkMessage) => void;
  private fragments: Buffer[] = [];
  private fragmentsBytes = 0;

  /** Reads what learners say, or what leaders say. */
  constructor(from: "learner" | "leader", receive: (message: LinkMessage) => void) {
    this.read = from === "learner" ? readLearnerMessage : readLeaderMessage;
    this.receive = receive;
  }

  /** Reads one FollowRequest or FollowResponse; `first` takes field 1. */
  message(bytes: Buffer, first: (content: Buffer) => void): void {
    const reader = new WireReader(bytes);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          first(reader.bytes());
          break;
        case Follow.messages: {
          const content = reader.bytes();
          if (this.fragments.length > 0) throw new InvalidMessage("a message stands between fragments", "fragment");
          this.receive(this.read(content));
          break;
        }
        case Follow.fragment:
          this.fragment(reader.message());
          break;
        default:
          reader.skip();
      }
    }
  }

  private fragment(reader: WireReader): void {
    let content: Buffer = Buffer.alloc(0);
    let last = false;
    while (reader.next()) {
      if (reader.field === 1) content = reader.bytes();
      else if (reader.field === 2) last = reader.varint() !== 0;
      else reader.skip();
    }
    this.fragmentsBytes += content.length;
    if (content.length === 0 || content.length > fragmentBytes || this.fragmentsBytes > linkMessageBytes) {
      throw new InvalidMessage("a fragment is empty, or the message too large", "fragment");
    }
    this.fragments.push(content);
    if (!last) return;
    const whole = Buffer.concat(this.fragments);
    this.fragments = [];
    this.fragmentsBytes = 0;
    this.receive(this.read(whole));
  }
}

/** Reads a LearnerMessage. */
export function readLearnerMessage(content: Buffer): LearnerMessage {
  const reader = new WireReader(content);
  if (!reader.next()) throw new InvalidMessage("a message is empty", "message");
  if (reader.field === Learner.ack) {
    const { epoch, zxid } = readAck(reader.message());
    ended(reader);
    return { type: "ack", epoch, zxid };
  }
  if (reader.field === Learner.request) {
    const payload = readPayload(reader.message());
    ended(reader);
    return { type: "request", payload };
  }
  return checkedLearnerMessage(decode(LearnerMessageSchema, content));
}

/** Reads a LeaderMessage. */
export function readLeaderMessage(content: Buffer): LeaderMessage {
  const reader = new WireReader(content);
  if (!reader.next()) throw new InvalidMessage("a message is empty", "message");
  switch (reader.field) {
    case Leader.proposal: {
      const proposal = readProposal(reader.message());
      ended(reader);
      return proposal;
    }
    case Leader.commit: {
      const commit = readCommit(reader.message());
      ended(reader);
      return commit;
    }
    case Leader.answer: {
      const payload = readPayload(reader.message());
      ended(reader);
      return { type: "answer", payload };
    }
    default:
      return checkedLeaderMessage(decode(LeaderMessageSchema, content));
  }
}

function ended(reader: WireReader): void {
  if (reader.next()) throw new InvalidMessage("a message holds more than one", "message");
}

function readAck(reader: WireReader): { epoch: number; zxid: number } {
  let epoch = 0;
  let zxid = 0;
  while (reader.next()) {
    if (reader.field === 1) epoch = whole(reader.varint(), "epoch");
    else if (reader.field === 2) zxid = whole(reader.varint(), "zxid");
    else reader.skip();
  }
  return { epoch, zxid };
}

function readPayload(reader: WireReader): Uint8Array {
  let payload: Uint8Array = new Uint8Array(0);
  while (reader.next()) {
    if (reader.field === 1) payload = own(reader.bytes());
    else reader.skip();
  }
  return payload;
}

function readCommit(reader: WireReader): LeaderMessage {
  let epoch = 0;
  let committed = noPosition;
  while (reader.next()) {
    if (reader.field === 1) epoch = whole(reader.varint(), "epoch");
    else if (reader.field === 2) committed = readPosition(reader.message());
    else reader.skip();
  }
  return { type: "commit", epoch, committed };
}

function readProposal(reader: WireReader): LeaderMessage {
  let epoch = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  let firstZxid = 0;
  let lastZxid = 0;
  let committed = noPosition;
  while (reader.next()) {
    if (reader.field === 1) epoch = whole(reader.varint(), "epoch");
    else if (reader.field === 2) bytes = own(reader.bytes());
    else if (reader.field === 3) firstZxid = whole(reader.varint(), "first_zxid");
    else if (reader.field === 4) lastZxid = whole(reader.varint(), "last_zxid");
    else if (reader.field === 5) committed = readPosition(reader.message());
    else reader.skip();
  }
  if (bytes.length === 0 || firstZxid === 0 || lastZxid < firstZxid) {
    throw new InvalidMessage("a proposal without transactions", "transactions");
  }
  return { type: "proposal", epoch, bytes, firstZxid, lastZxid, committed };
}

function readPosition(reader: WireReader): LogPosition {
  const { epoch: zxid, zxid: epoch } = readAck(reader);
  return checkedPosition(zxid, epoch);
}

/** A copy in a buffer of its own: the log hands the buffer on, and a view would keep all of the message. */
function own(view: Uint8Array): Uint8Array {
  return new Uint8Array(view);
}

function checkedLearnerMessage({ message }: WireLearnerMessage): LearnerMessage {
  switch (message.case) {
    case "learnerInfo": {
      const { clusterId, acceptedEpoch, last, currentEpoch, voter, recovering } = message.value;
      return {
        type: "learnerInfo",
        clusterId: clusterIdOf(clusterId),
        acceptedEpoch: toNumber(acceptedEpoch, "accepted_epoch"),
        last: positionOf(last),
        currentEpoch: toNumber(currentEpoch, "current_epoch"),
        voter,
        recovering,
      };
    }
    case "ackEpoch": {
      const { epoch, counts, currentEpoch, last, committed, boundaries } = message.value;
      return {
        type: "ackEpoch",
        epoch: toNumber(epoch, "epoch"),
        counts,
        currentEpoch: toNumber(currentEpoch, "current_epoch"),
        last: positionOf(last),
        committed: positionOf(committed),
        boundaries: boundariesOf(boundaries),
      };
    }
    case "ackNewLeader":
    case "ackDiff":
    case "ack": {
      const { epoch, zxid } = message.value;
      return { type: message.case, epoch: toNumber(epoch, "epoch"), zxid: toNumber(zxid, "zxid") };
    }
    case "pong": {
      const { epoch, round, diskLow } = message.value;
      return { type: "pong", epoch: toNumber(epoch, "epoch"), round: toNumber(round, "round"), diskLow };
    }
    case "request":
      return { type: "request", payload: own(message.value.payload) };
    case undefined:
      throw new InvalidMessage("a message of a learner is not known", "message");
  }
}

function checkedLeaderMessage({ message }: WireLeaderMessage): LeaderMessage {
  switch (message.case) {
    case "leaderInfo": {
      const { clusterId, epoch } = message.value;
      return { type: "leaderInfo", clusterId: clusterIdOf(clusterId), epoch: toNumber(epoch, "epoch") };
    }
    case "trunc": {
      const { epoch, to } = message.value;
      return { type: "trunc", epoch: toNumber(epoch, "epoch"), to: positionOf(to) };
    }
    case "snap": {
      const { epoch, offer, boundaries } = message.value;
      if (offer === undefined) throw new InvalidMessage("a SNAP without a checkpoint", "offer");
      return {
        type: "snap",
        epoch: toNumber(epoch, "epoch"),
        offer: offerOf(offer),
        boundaries: boundariesOf(boundaries),
      };
    }
    case "diff": {
      const { epoch, piece, committed } = message.value;
      if (piece === undefined) throw new InvalidMessage("a DIFF without a piece", "piece");
      return { type: "diff", epoch: toNumber(epoch, "epoch"), piece: pieceOf(piece), committed: positionOf(committed) };
    }
    case "newLeader": {
      const { epoch, last, piece, committed } = message.value;
      return {
        type: "newLeader",
        epoch: toNumber(epoch, "epoch"),
        last: positionOf(last),
        piece: piece === undefined ? undefined : pieceOf(piece),
        committed: positionOf(committed),
      };
    }
    case "upToDate": {
      const { epoch, committed } = message.value;
      return { type: "upToDate", epoch: toNumber(epoch, "epoch"), committed: positionOf(committed) };
    }
    case "ping": {
      const { epoch, round, committed, acks } = message.value;
      if (acks.length > membersMax) throw new InvalidMessage("too many members", "acks");
      return {
        type: "ping",
        epoch: toNumber(epoch, "epoch"),
        round: toNumber(round, "round"),
        committed: positionOf(committed),
        acks: acks.map(({ memberId, position }) => ({
          member: memberOf(memberId, "member_id"),
          position: positionOf(position),
        })),
      };
    }
    default:
      // The others are read by hand, and do not stand behind another one.
      throw new InvalidMessage("a message of a leader is not known", "message");
  }
}

function pieceOf({ transactions, firstZxid, boundaries }: WirePiece): HistoryPiece {
  const piece = {
    bytes: own(transactions),
    firstZxid: toNumber(firstZxid, "first_zxid"),
    boundaries: boundariesOf(boundaries),
  };
  const last = piece.boundaries.at(-1);
  if (piece.bytes.length === 0 || last === undefined || piece.firstZxid < 1 || last.zxid < piece.firstZxid) {
    throw new InvalidMessage("a piece of history without transactions", "piece");
  }
  return piece;
}

function offerOf({ snapshotId, at, fileBytes, digest, chainCrc }: WireOffer): SnapshotOffer {
  if (snapshotId.length > 200) throw new InvalidMessage("the name of a checkpoint is too long", "snapshot_id");
  return {
    id: snapshotId,
    at: positionOf(at),
    bytes: toNumber(fileBytes, "file_bytes"),
    digest: toNumber(digest, "digest"),
    chainCrc,
  };
}
