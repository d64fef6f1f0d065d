/**
 * Turns protobuf-es service descriptors into grpc-js service definitions, without proto-loader: one codec for the
 * whole process, no reflection at run time.
 */
import { fromBinary, toBinary, type DescMessage, type DescService, type Message } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** Unknown fields are dropped: nothing of a client's message is passed on. */
const readOptions = { readUnknownFields: false } as const;

/** A Buffer over the same bytes (grpc-js wants a Buffer; nothing is copied). */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function serializer(schema: DescMessage): (message: Message) => Buffer {
  return (message) => asBuffer(toBinary(schema, message));
}

function deserializer(schema: DescMessage): (bytes: Buffer) => Message {
  return (bytes) => fromBinary(schema, bytes, readOptions);
}

/** Passes encoded bytes through: for streams whose messages are encoded once or by hand. */
function identity(bytes: Uint8Array): Buffer {
  return asBuffer(bytes);
}

export interface DefinitionOptions {
  /** Names of methods whose messages stay bytes in both directions. */
  readonly raw?: ReadonlySet<string>;
  /** Names of methods whose responses are handed over already encoded. */
  readonly rawResponses?: ReadonlySet<string>;
}

/** The grpc-js definition of a service, its methods named in camelCase as in the descriptor. */
export function serviceDefinition(service: DescService, options: DefinitionOptions = {}): ServiceDefinition {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const method of service.methods) {
    const raw = options.raw?.has(method.name) ?? false;
    const rawResponse = raw || (options.rawResponses?.has(method.name) ?? false);
    definition[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: (raw ? identity : serializer(method.input)) as (value: unknown) => Buffer,
      requestDeserialize: raw ? identity : deserializer(method.input),
      responseSerialize: (rawResponse ? identity : serializer(method.output)) as (value: unknown) => Buffer,
      responseDeserialize: raw ? identity : deserializer(method.output),
    };
  }
  return definition;
}
