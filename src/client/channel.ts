/** Opens the channel to one server and finds out whether anything answers there. */
import { ChannelCredentials, Client, connectivityState, Metadata, type ClientOptions } from "@grpc/grpc-js";
import { errorOfCall, ZabtreeError } from "./error.ts";
import { GrpcCode } from "../base/reasons.ts";

/** How to speak TLS; everything is PEM. Without `ca` the authorities the machine trusts are used. */
export interface TlsOptions {
  /** Certificates of the authorities that may have signed the server's certificate. */
  readonly ca?: string | Uint8Array | undefined;
  /** The client's own certificate, where the server asks for one, with its key. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
}

const channelOptions: ClientOptions = {
  // The server sends at most 3 MiB; the margin leaves room for a future one.
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2000,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.enable_channelz": 0,
  // Connections of one process stay apart, so that closing one never touches another.
  "grpc.use_local_subchannel_pool": 1,
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
};

/** A client of the server at `host:port`; it connects when it is first used. */
export function openChannel(server: string, tls: TlsOptions | undefined): Client {
  return new Client(server, credentialsOf(tls), channelOptions);
}

function credentialsOf(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}

function pem(text: string | Uint8Array | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}

/** Waits until the channel is connected; throws why it is not, as soon as the first attempt has failed. */
export async function waitUntilReachable(client: Client, server: string, timeoutMs: number): Promise<void> {
  const channel = client.getChannel();
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return;
    if (state === connectivityState.TRANSIENT_FAILURE) throw await failureOf(client, server);
    const changed = await new Promise<boolean>((resolve) => {
      channel.watchConnectivityState(state, deadline, (error) => {
        resolve(error === undefined);
      });
    });
    if (!changed) {
      throw new ZabtreeError({
        message: `no zabtree server at ${server} (no connection within ${timeoutMs} ms)`,
        code: GrpcCode.UNAVAILABLE,
      });
    }
  }
}

/** A channel does not tell why it failed; a call on it does. */
async function failureOf(client: Client, server: string): Promise<ZabtreeError> {
  return await new Promise((resolve) => {
    client.makeUnaryRequest(
      "/zabtree.v1.SessionService/WhoAmI",
      (empty: Buffer) => empty,
      (bytes) => bytes,
      Buffer.alloc(0),
      new Metadata(),
      { deadline: Date.now() + 1000 },
      (error) => {
        const message = `no zabtree server at ${server} (the connection failed)`;
        resolve(error ? errorOfCall(error, server) : new ZabtreeError({ message, code: GrpcCode.UNAVAILABLE }));
      },
    );
  });
}
