/** Messages of Elect. */
import { create } from "@bufbuild/protobuf";
import {
  ElectRequestSchema,
  PeerState as WireState,
  type ElectRequest,
  type Forming as WireForming,
  type Notification as WireNotification,
} from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import type { Forming } from "../zab/durable-log.ts";
import type { Notification, PeerState } from "../zab/message.ts";
import { InvalidMessage, toNumber } from "./convert.ts";
import { helloMessage, type Hello } from "./peer-hello.ts";
import { clusterIdOf, encode, memberOf, membersOf, positionOf, wirePosition } from "./peer-values.ts";

const wireStates: Readonly<Record<PeerState, WireState>> = {
  forming: WireState.FORMING,
  looking: WireState.LOOKING,
  following: WireState.FOLLOWING,
  leading: WireState.LEADING,
};
const states = new Map<WireState, PeerState>(
  (Object.keys(wireStates) as PeerState[]).map((state) => [wireStates[state], state]),
);

/** The first message of Elect. */
export function encodeElectHello(hello: Hello): Buffer {
  return encode(ElectRequestSchema, create(ElectRequestSchema, { hello: helloMessage(hello) }));
}

/** Every other message of Elect. */
export function encodeNotification(notification: Notification): Buffer {
  const { clusterId, canLead, counts, vote, hears, forming } = notification;
  const message = create(ElectRequestSchema, {
    notification: {
      clusterId,
      state: wireStates[notification.state],
      canLead,
      counts,
      currentEpoch: BigInt(notification.currentEpoch),
      last: wirePosition(notification.last),
      vote,
      epoch: BigInt(notification.epoch),
      hears: [...hears],
      remembers: wirePosition(notification.remembers),
      ...(forming === undefined ? {} : { forming: { clusterId: forming.clusterId, founders: [...forming.founders] } }),
    },
  });
  return encode(ElectRequestSchema, message);
}

export function notificationOf(message: ElectRequest): Notification {
  const { notification } = message;
  if (notification === undefined || message.hello !== undefined) {
    throw new InvalidMessage("a notification is expected", "notification");
  }
  return checkedNotification(notification);
}

function checkedNotification(message: WireNotification): Notification {
  const state = states.get(message.state);
  if (state === undefined) throw new InvalidMessage("the state is not known", "state");
  const { canLead, counts, vote } = message;
  return {
    clusterId: clusterIdOf(message.clusterId),
    state,
    canLead,
    counts,
    currentEpoch: toNumber(message.currentEpoch, "current_epoch"),
    last: positionOf(message.last),
    vote: vote === 0 ? 0 : memberOf(vote, "vote"),
    epoch: toNumber(message.epoch, "epoch"),
    hears: membersOf(message.hears, "hears"),
    remembers: positionOf(message.remembers),
    forming: message.forming === undefined ? undefined : formingOf(message.forming),
  };
}

function formingOf(message: WireForming): Forming {
  const founders = membersOf(message.founders, "founders");
  const ascending = founders.every((id, index) => index === 0 || id > founders[index - 1]!);
  if (founders.length === 0 || !ascending) throw new InvalidMessage("founders are not ascending", "founders");
  const clusterId = clusterIdOf(message.clusterId);
  if (clusterId === "") throw new InvalidMessage("a founder has no cluster id", "cluster_id");
  return { clusterId, founders };
}
