/**
 * The one error class of the client. Every failure of a call becomes a ZabtreeError here, at the edge, so that callers
 * look at `reason` and never at gRPC details.
 */
import type { ServiceError } from "@grpc/grpc-js";
import { GrpcCode, grpcCodeOf, reasonTable, type Reason, type Refusal } from "../base/reasons.ts";
import { refusalOf } from "../rpc/status.ts";
import type { OperationError } from "../../gen/ts/zabtree/v1/common_pb.js";

export interface ZabtreeErrorInit {
  readonly message: string;
  readonly code: number;
  readonly reason?: Reason | undefined;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Why an operation failed. */
export class ZabtreeError extends Error {
  override readonly name = "ZabtreeError";
  /** The stable reason, for example `NO_NODE`; undefined when the failure did not come from a zabtree server. */
  readonly reason: Reason | undefined;
  /** The canonical gRPC status code. */
  readonly code: number;
  /** Details for programs, for example `path`, `actual_version`. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(init: ZabtreeErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.reason = init.reason;
    this.code = init.code;
    this.metadata = init.metadata ?? {};
  }

  /** True when the server could not be reached, or stopped before it answered: trying again may help. */
  get unavailable(): boolean {
    return this.code === GrpcCode.UNAVAILABLE;
  }
}

/** The error of a refusal made on this side of the wire. */
export function errorOfRefusal(refusal: Refusal): ZabtreeError {
  return new ZabtreeError({ ...refusal, code: grpcCodeOf(refusal.reason) });
}

/** The error of one operation inside a stream or a list of results. */
export function errorOfOperation(error: OperationError): ZabtreeError {
  const { code, message, metadata } = error;
  return new ZabtreeError({ code, message, metadata, reason: knownReason(error.reason) });
}

/** A server newer than this client may know reasons that this client does not. */
function knownReason(reason: string): Reason | undefined {
  return reason in reasonTable ? (reason as Reason) : undefined;
}

/** The error of a call that grpc-js ended; `server` is the address called. */
export function errorOfCall(error: unknown, server: string): ZabtreeError {
  if (error instanceof ZabtreeError) return error;
  if (!isServiceError(error)) {
    return new ZabtreeError({ message: String(error), code: GrpcCode.INTERNAL, cause: error });
  }
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    return new ZabtreeError({ ...refusal, message: refusal.message, code: error.code, cause: error });
  }
  return new ZabtreeError({ message: explain(error, server), code: error.code, cause: error });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

const deadlineExceeded = 4;
const unimplemented = 12;

/** What a failure means that no zabtree server explained. */
function explain(error: ServiceError, server: string): string {
  const code: number = error.code;
  if (code === deadlineExceeded) return `no answer from ${server} in time`;
  if (code === unimplemented) return `the server at ${server} does not offer this call (${error.details})`;
  if (code !== GrpcCode.UNAVAILABLE) return error.details;
  const { details } = error;
  if (details.includes("ECONNREFUSED")) return `no zabtree server at ${server} (connection refused)`;
  if (details.includes("ENOTFOUND") || details.includes("Name resolution failed")) {
    return `no zabtree server at ${server} (unknown host)`;
  }
  if (/ECONNRESET|Connection dropped|socket hang up|EPIPE/.test(details)) {
    return `the connection to ${server} broke`;
  }
  return `cannot reach ${server} (${details})`;
}
