/** The handshake between servers. */
import { create } from "@bufbuild/protobuf";
import { PeerHelloSchema, type PeerHello } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { InvalidMessage, toNumber } from "./convert.ts";
import { clusterIdOf, memberOf } from "./peer-values.ts";

export const protocolVersion = 1;

export interface Hello {
  readonly clusterId: string;
  readonly memberId: number;
  readonly incarnation: number;
  readonly receiverId: number;
  readonly clientAddress: string;
}

export function helloMessage(hello: Hello): PeerHello {
  const { incarnation, ...rest } = hello;
  return create(PeerHelloSchema, { protocolVersion, incarnation: BigInt(incarnation), ...rest });
}

/** Checks a hello of this protocol version. */
export function helloOf(message: PeerHello): Hello {
  const { memberId, receiverId } = message;
  const incarnation = toNumber(message.incarnation, "incarnation");
  if (incarnation < 1 || incarnation >= 2 ** 48) throw new InvalidMessage("incarnation is out of range", "incarnation");
  return {
    clusterId: clusterIdOf(message.clusterId),
    memberId: memberOf(memberId, "member_id"),
    incarnation,
    receiverId: memberOf(receiverId, "receiver_id"),
    clientAddress: addressOf(message.clientAddress),
  };
}

/** An address that another server tells: shown to people and to clients, so it holds nothing but an address. */
export function addressOf(text: string): string {
  if (text.length > 300 || !/^[\w.[\]:%-]*$/.test(text)) {
    throw new InvalidMessage("an address is malformed", "client_address");
  }
  return text;
}
