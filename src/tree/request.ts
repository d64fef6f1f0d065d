/** What callers ask to be written, checked for form but not yet against the state. */
import { utf8Length } from "../base/bytes.ts";
import { crc32 } from "../base/crc32.ts";
import { hashString, mix, mixNumber } from "../base/hash.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { formatAcl, normalizeAcl, type Acl, type Identity } from "./acl.ts";
import { isSequentialMode } from "./delta.ts";
import { pathProblem, reservedPaths, sequentialPath } from "./path.ts";
import { CreateMode, RequestKind } from "./txn.ts";

export interface CreateRequest {
  readonly kind: "create";
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly mode: number;
  /** Null: the default of the server. */
  readonly acl: Acl | null;
}

export interface DeleteRequest {
  readonly kind: "delete";
  readonly path: string;
  /** Null: whatever the version. Likewise below. */
  readonly version: number | null;
}

export interface DeleteSubtreeRequest {
  readonly kind: "deleteSubtree";
  readonly path: string;
}

export interface SetDataRequest {
  readonly kind: "setData";
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly version: number | null;
}

export interface SetAclRequest {
  readonly kind: "setAcl";
  readonly path: string;
  readonly acl: Acl;
  readonly version: number | null;
}

export interface CheckRequest {
  readonly kind: "check";
  readonly path: string;
  /** With a version: the znode must exist and have it. Else: it must exist, or not. */
  readonly version: number | null;
  readonly exists: boolean;
}

/** One operation of a Multi. */
export type MultiOperation = CreateRequest | DeleteRequest | SetDataRequest | SetAclRequest | CheckRequest;

export interface MultiRequest {
  readonly kind: "multi";
  readonly operations: readonly MultiOperation[];
  /** Set when the message could not be understood: even such a write uses up its seq. */
  readonly problem?: Refusal;
}

export type WriteRequest =
  CreateRequest | DeleteRequest | DeleteSubtreeRequest | SetDataRequest | SetAclRequest | MultiRequest;

/** The number that stands for a request in the log. */
export function requestKindOf(request: WriteRequest): number {
  return RequestKind[request.kind];
}

/**
 * Why a request can never succeed, whatever the state: malformed or too large. Undefined when it is well formed.
 * `identities` are the caller's, for ACLs of the scheme `auth`.
 */
export function requestProblem(request: WriteRequest, identities: readonly Identity[]): Refusal | undefined {
  return request.kind === "multi" ? multiProblem(request, identities) : operationProblem(request, identities);
}

function multiProblem(request: MultiRequest, identities: readonly Identity[]): Refusal | undefined {
  const { operations, problem: malformed } = request;
  if (malformed !== undefined) return malformed;
  if (operations.length === 0) return refusal("BAD_ARGUMENTS", "a multi needs an operation", { field: "operations" });
  if (operations.length > limits.multiOperations) {
    return tooLarge("operations", limits.multiOperations, operations.length);
  }
  let bytes = 0;
  for (const [index, operation] of operations.entries()) {
    const problem = operationProblem(operation, identities);
    if (problem !== undefined) {
      return { ...problem, metadata: { ...problem.metadata, operation: String(index) } };
    }
    bytes += utf8Length(operation.path);
    if (operation.kind === "create" || operation.kind === "setData") bytes += operation.data?.length ?? 0;
  }
  if (bytes > limits.multiBytes) return tooLarge("bytes", limits.multiBytes, bytes);
  return undefined;
}

function tooLarge(field: string, limit: number, actual: number): Refusal {
  return refusal("REQUEST_TOO_LARGE", `a multi has at most ${limit} ${field}`, {
    field,
    limit: String(limit),
    actual: String(actual),
  });
}

function operationProblem(
  request: Exclude<WriteRequest, MultiRequest> | CheckRequest,
  identities: readonly Identity[],
): Refusal | undefined {
  if (request.kind === "create" && !isCreateMode(request.mode)) {
    return refusal("BAD_ARGUMENTS", `unknown create mode ${request.mode}`, { field: "mode" });
  }
  const sequential = request.kind === "create" && isSequentialMode(request.mode);
  const problem = pathProblem(sequential ? sequentialPath(request.path, 0) : request.path);
  if (problem !== undefined || (sequential && !request.path.startsWith("/"))) {
    return refusal("BAD_ARGUMENTS", problem ?? "a path must begin with /", { field: "path" });
  }
  switch (request.kind) {
    case "delete":
    case "deleteSubtree":
      if (reservedPaths.has(request.path)) {
        return refusal("BAD_ARGUMENTS", `${request.path} cannot be deleted`, { field: "path", path: request.path });
      }
      return undefined;
    case "create": {
      const acl = request.acl === null ? undefined : aclProblem(request.path, request.acl, identities);
      return acl ?? dataProblem(request.path, request.data);
    }
    case "setData":
      return dataProblem(request.path, request.data);
    case "setAcl":
      return aclProblem(request.path, request.acl, identities);
    case "check":
      return undefined;
  }
}

function isCreateMode(mode: number): boolean {
  return mode >= CreateMode.persistent && mode <= CreateMode.ephemeralSequential && Number.isInteger(mode);
}

function dataProblem(path: string, data: Uint8Array | null): Refusal | undefined {
  if (data === null || data.length <= limits.data) return undefined;
  return refusal("DATA_TOO_LARGE", `the data of a znode is at most ${limits.data} bytes, not ${data.length}`, {
    path,
    limit: String(limits.data),
    actual: String(data.length),
  });
}

function aclProblem(path: string, acl: Acl, identities: readonly Identity[]): Refusal | undefined {
  const normalized = normalizeAcl(acl, identities);
  return typeof normalized === "string" ? refusal("INVALID_ACL", normalized, { path }) : undefined;
}

/**
 * A hash of everything a request says, as a number of 53 bits. It tells other content under a used seq, which is a
 * mistake of the client; between requests on one path it is worth 32 bits, and nothing against an attacker.
 */
export function fingerprint(request: WriteRequest): number {
  let h = 0x2545f491;
  if (request.kind === "multi") {
    h = hashString(request.problem?.message ?? "", h);
    for (const operation of request.operations) h = mixNumber(h, operationFingerprint(operation));
    return combine(h, mix(h, request.operations.length));
  }
  return operationFingerprint(request);
}

function operationFingerprint(request: Exclude<WriteRequest, MultiRequest> | CheckRequest): number {
  const path = hashString(request.path, request.kind.length + request.kind.charCodeAt(0));
  let h = path;
  if ("version" in request) h = request.version === null ? mix(h, 0x5bd1e995) : mixNumber(h, request.version);
  if ("data" in request) {
    h = request.data === null ? mix(h, -1) : mix(mix(h, crc32(request.data)), request.data.length);
  }
  if ("mode" in request) h = mix(h, request.mode);
  if ("acl" in request && request.acl !== null) h = mix(h, hashString(formatAcl(request.acl)));
  if ("exists" in request) h = mix(h, request.exists ? 1 : 2);
  return combine(h, path);
}

function combine(h: number, g: number): number {
  return (mix(g, h) & 0x1fffff) * 0x100000000 + (mix(h, g) >>> 0);
}
