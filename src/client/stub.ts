/**
 * Typed methods over grpc-js for any service that protobuf-es has generated: a unary method returns a promise, a
 * streaming one an async iterable. Bidirectional methods are left to the session stream, which encodes by hand.
 */
import {
  create,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Metadata, type CallOptions as GrpcOptions, type Client, type ClientReadableStream } from "@grpc/grpc-js";
import { serviceDefinition } from "../rpc/service-definition.ts";
import { errorOfCall } from "./error.ts";

/** A session on whose behalf a unary call is made. */
export interface SessionIdentity {
  readonly id: bigint;
  readonly secret: Uint8Array;
}

/** Options of one call. */
export interface CallOptions {
  /** Gives up after this time; the default of the connection when left out. Streams have no default. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** Makes the call as this session. */
  readonly session?: SessionIdentity | undefined;
}

/** What all calls of one connection have in common. */
export interface CallContext {
  readonly client: Client;
  /** The address, for messages. */
  readonly server: string;
  /** Value of the `authorization` metadata of calls without a session. */
  readonly authorization: string | undefined;
  /** Default time limit of unary calls. */
  readonly timeoutMs: number;
}

type Unary<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  options?: CallOptions,
) => Promise<MessageShape<O>>;

type ServerStreaming<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  options?: CallOptions,
) => AsyncIterable<MessageShape<O>>;

interface MethodShape<Kind extends string, I extends DescMessage, O extends DescMessage> {
  readonly methodKind: Kind;
  readonly input: I;
  readonly output: O;
}

/** The methods of a service, as a client calls them. */
export type Stub<S extends DescService> = {
  readonly [
    K in keyof S["method"] as S["method"][K] extends { methodKind: "unary" | "server_streaming" } ? K : never
  ]: S["method"][K] extends MethodShape<"unary", infer I, infer O>
    ? Unary<I, O>
    : S["method"][K] extends MethodShape<"server_streaming", infer I, infer O>
      ? ServerStreaming<I, O>
      : never;
};

/** Builds the methods of a service. */
export function createStub<S extends DescService>(service: S, context: CallContext): Stub<S> {
  const definition = serviceDefinition(service);
  const stub: Record<string, unknown> = {};
  for (const method of service.methods) {
    const wire = definition[method.localName];
    if (wire === undefined) continue;
    if (method.methodKind === "unary") {
      stub[method.localName] = async (request: MessageInitShape<DescMessage>, options: CallOptions = {}) =>
        await new Promise((resolve, reject) => {
          const call = context.client.makeUnaryRequest<unknown, unknown>(
            wire.path,
            wire.requestSerialize,
            wire.responseDeserialize,
            create(method.input, request),
            metadataOf(context, options),
            grpcOptions(options.timeoutMs ?? context.timeoutMs),
            (error, response) => {
              if (error === null) resolve(response);
              else reject(errorOfCall(error, context.server));
            },
          );
          cancelOn(options.signal, call);
        });
    } else if (method.methodKind === "server_streaming") {
      stub[method.localName] = (request: MessageInitShape<DescMessage>, options: CallOptions = {}) => {
        const open = () =>
          context.client.makeServerStreamRequest<unknown, unknown>(
            wire.path,
            wire.requestSerialize,
            wire.responseDeserialize,
            create(method.input, request),
            metadataOf(context, options),
            grpcOptions(options.timeoutMs),
          );
        return readStream(open, context.server, options.signal);
      };
    }
  }
  return stub as Stub<S>;
}

/** Reads a stream to its end; leaving the loop early cancels the call. Slow readers slow the server down. */
async function* readStream<T>(
  open: () => ClientReadableStream<T>,
  server: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  const call = open();
  // A cancelled call reports its end as an error, perhaps when nobody iterates any more.
  call.on("error", () => undefined);
  cancelOn(signal, call);
  try {
    for await (const message of call) yield message as T;
  } catch (error) {
    throw errorOfCall(error, server);
  } finally {
    call.cancel();
  }
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): void {
  if (signal?.aborted === true) call.cancel();
  else
    signal?.addEventListener(
      "abort",
      () => {
        call.cancel();
      },
      { once: true },
    );
}

function grpcOptions(timeoutMs: number | undefined): GrpcOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function metadataOf(context: CallContext, options: CallOptions): Metadata {
  const metadata = new Metadata();
  if (options.session !== undefined) {
    metadata.set("zabtree-session-id", options.session.id.toString());
    metadata.set("zabtree-session-secret-bin", Buffer.from(options.session.secret));
  } else if (context.authorization !== undefined) {
    metadata.set("authorization", context.authorization);
  }
  return metadata;
}
