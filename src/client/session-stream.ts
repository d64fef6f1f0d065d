/** One AttachSession stream: frames in, batches of encoded requests out. It knows bytes, not what they mean. */
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Metadata, type ClientDuplexStream } from "@grpc/grpc-js";
import { asBuffer } from "../rpc/service-definition.ts";
import {
  AttachSessionRequestSchema,
  AttachSessionResponseSchema,
  SessionService,
  type AttachSessionResponse,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { errorOfCall, type ZabtreeError } from "./error.ts";
import type { CallContext } from "./stub.ts";

/** A message without its requests, which are added encoded. */
type Head = Omit<MessageInitShape<typeof AttachSessionRequestSchema>, "$typeName" | "requests">;

export interface StreamListener {
  onMessage(message: AttachSessionResponse): void;
  /** Called once. Without an error the server ended the stream in good order. */
  onEnd(error: ZabtreeError | undefined): void;
}

export interface SessionStream {
  /** Sends one message. False: the transport is full; `onWritable` tells when it is not. */
  send(head: Head, requests: readonly Uint8Array[]): boolean;
  onWritable(listener: () => void): void;
  /** No more messages follow; the server ends the stream in its turn. */
  finish(): void;
  cancel(): void;
}

const path = `/${SessionService.typeName}/${SessionService.method.attachSession.name}`;

export function openSessionStream(context: CallContext, listener: StreamListener): SessionStream {
  const call: ClientDuplexStream<Uint8Array, AttachSessionResponse> = context.client.makeBidiStreamRequest(
    path,
    asBuffer,
    (bytes) => fromBinary(AttachSessionResponseSchema, bytes, { readUnknownFields: false }),
    new Metadata(),
  );
  let ended = false;
  const end = (error: ZabtreeError | undefined) => {
    if (ended) return;
    ended = true;
    listener.onEnd(error);
  };
  call.on("data", (message: AttachSessionResponse) => {
    if (!ended) listener.onMessage(message);
  });
  call.on("error", (error: unknown) => {
    end(errorOfCall(error, context.server));
  });
  call.on("end", () => {
    end(undefined);
  });
  return {
    send: (head, requests) => call.write(encodeMessage(head, requests)),
    onWritable: (wake) => call.once("drain", wake),
    finish: () => call.end(),
    cancel: () => {
      call.cancel();
    },
  };
}

const requestsField = AttachSessionRequestSchema.field.requests.number;

/** Requests are encoded when they are numbered, and their bytes are put into the message as they are. */
function encodeMessage(head: Head, requests: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter();
  writer.raw(toBinary(AttachSessionRequestSchema, create(AttachSessionRequestSchema, head)));
  for (const request of requests) writer.tag(requestsField, WireType.LengthDelimited).bytes(request);
  return writer.finish();
}
