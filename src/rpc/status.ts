/**
 * Refusals as gRPC statuses and back: a canonical code, a message, and exactly one google.rpc.ErrorInfo whose reason
 * and metadata are what programs look at.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../gen/ts/google/rpc/status_pb.js";
import { grpcCodeOf, reasonTable, type Reason, type Refusal } from "../base/reasons.ts";

/** `domain` of every ErrorInfo. */
export const errorDomain = "zabtree";

const detailsKey = "grpc-status-details-bin";

/** The ErrorInfo of a refusal. */
export function errorInfo(refusal: Refusal) {
  return create(ErrorInfoSchema, {
    reason: refusal.reason,
    domain: errorDomain,
    metadata: { ...refusal.metadata },
  });
}

/** What a grpc-js handler ends a call with. */
export function statusOf(refusal: Refusal): StatusObject {
  const code = grpcCodeOf(refusal.reason);
  const status = create(StatusSchema, {
    code,
    message: refusal.message,
    details: [anyPack(ErrorInfoSchema, errorInfo(refusal))],
  });
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, status)));
  return { code, details: refusal.message, metadata };
}

/** The refusal a grpc-js client error carries; undefined when the error did not come from a zabtree server. */
export function refusalOf(error: { readonly details: string; readonly metadata: Metadata }): Refusal | undefined {
  const packed = error.metadata.get(detailsKey)[0];
  if (packed === undefined || typeof packed === "string") return undefined;
  for (const detail of fromBinary(StatusSchema, packed).details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info?.domain !== errorDomain || !(info.reason in reasonTable)) continue;
    return { reason: info.reason as Reason, message: error.details, metadata: info.metadata };
  }
  return undefined;
}
