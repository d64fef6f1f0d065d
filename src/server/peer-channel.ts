/** A connection to another server. Each has one purpose: what is large never stands in front of a heartbeat. */
import { Client, type ClientOptions } from "@grpc/grpc-js";
import { PeerService } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { peerMessageBytes } from "../rpc/peer-values.ts";
import { serviceDefinition } from "../rpc/service-definition.ts";
import { peerChannelCredentials, type PeerTls } from "./peer-tls.ts";

/** Messages stay bytes: they are checked where they are read, and large ones are encoded once. */
export const peerDefinition = serviceDefinition(PeerService, { raw: new Set(["Elect", "Follow", "FetchSnapshot"]) });

/** A connection whose other side is silent for both together is given up, milliseconds. */
const keepalive = { everyMs: 2000, timeoutMs: 2000 };

export const peerServerOptions = {
  "grpc.max_receive_message_length": peerMessageBytes,
  "grpc.max_send_message_length": peerMessageBytes,
  "grpc.keepalive_time_ms": keepalive.everyMs,
  "grpc.keepalive_timeout_ms": keepalive.timeoutMs,
  "grpc.max_concurrent_streams": 64,
} as const;

/** Opens a connection. `windowBytes` is how much the other side may send ahead. */
export function openPeerClient(
  address: string,
  member: number,
  tls: PeerTls | undefined,
  windowBytes = 256 * 1024,
): Client {
  const options: ClientOptions = {
    "grpc.max_receive_message_length": peerMessageBytes,
    "grpc.max_send_message_length": peerMessageBytes,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.keepalive_time_ms": keepalive.everyMs,
    "grpc.keepalive_timeout_ms": keepalive.timeoutMs,
    "grpc.enable_channelz": 0,
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_http_proxy": 0,
    "grpc-node.flow_control_window": windowBytes,
    // Addresses prove nothing, and an IP address is no name for TLS.
    ...(tls === undefined ? {} : { "grpc.ssl_target_name_override": `zabtree-member-${member}` }),
  };
  return new Client(address, peerChannelCredentials(tls, member), options);
}
