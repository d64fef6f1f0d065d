/**
 * Values that servers tell each other. What the core takes for granted is checked here: a peer may be of another version,
 * misconfigured or broken.
 */
import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { LogPosition as WirePosition } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import type { LogPosition } from "../zab/durable-log.ts";
import { InvalidMessage, toNumber } from "./convert.ts";
import { asBuffer } from "./service-definition.ts";

/** Bytes of the largest message between servers. */
export const peerMessageBytes = 3 * 1024 * 1024;
/** Larger messages of a link go in fragments of this size. */
export const fragmentBytes = 1024 * 1024;
/** Bytes of the largest message of a link, all fragments together: a transaction, and the batch it came in. */
export const linkMessageBytes = 32 * 1024 * 1024;
export const membersMax = 1000;
const boundariesMax = 100_000;

const readOptions = { readUnknownFields: false } as const;

export const noPosition: LogPosition = { zxid: 0, epoch: 0 };

export function wirePosition({ zxid, epoch }: LogPosition): { zxid: bigint; epoch: bigint } {
  return { zxid: BigInt(zxid), epoch: BigInt(epoch) };
}

export function clusterIdOf(text: string): string {
  if (text !== "" && !/^[0-9a-f]{32}$/.test(text)) throw new InvalidMessage("a cluster id is malformed", "cluster_id");
  return text;
}

export function memberOf(id: number, field: string): number {
  if (id < 1) throw new InvalidMessage(`${field} is out of range`, field);
  return id;
}

export function membersOf(ids: readonly number[], field: string): number[] {
  if (ids.length > membersMax) throw new InvalidMessage("too many members", field);
  return ids.map((id) => memberOf(id, field));
}

export function positionOf(message: WirePosition | undefined): LogPosition {
  if (message === undefined) return noPosition;
  return checkedPosition(toNumber(message.zxid, "zxid"), toNumber(message.epoch, "epoch"));
}

/** Every transaction has an epoch, and nothing has none. */
export function checkedPosition(zxid: number, epoch: number): LogPosition {
  if ((zxid === 0) !== (epoch === 0)) throw new InvalidMessage("a position is half of one", "epoch");
  return { zxid, epoch };
}

export function boundariesOf(list: readonly WirePosition[]): LogPosition[] {
  if (list.length > boundariesMax) throw new InvalidMessage("too many boundaries", "boundaries");
  const boundaries = list.map(positionOf);
  for (let index = 0; index < boundaries.length; index++) {
    const { zxid, epoch } = boundaries[index]!;
    const before = index === 0 ? noPosition : boundaries[index - 1]!;
    if (zxid <= before.zxid || epoch <= before.epoch) {
      throw new InvalidMessage("boundaries are not ascending", "boundaries");
    }
  }
  return boundaries;
}

export function whole(value: number, field: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidMessage(`${field} is out of range`, field);
  return value;
}

export function encode<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Buffer {
  return asBuffer(toBinary(schema, message));
}

/** Decodes with the generated code, whose complaints become an InvalidMessage. */
export function decode<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes, readOptions);
  } catch (error) {
    throw new InvalidMessage(error instanceof Error ? error.message : String(error), "");
  }
}
