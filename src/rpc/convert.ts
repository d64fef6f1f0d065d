/**
 * Between the messages of the contract and the requests and results of the core. Everything a client sends is checked
 * here for what the core takes for granted: numbers in range, enums known, exactly one operation set.
 */
import { create } from "@bufbuild/protobuf";
import {
  StatSchema,
  AclEntrySchema,
  OperationErrorSchema,
  Permission,
  type AclEntry as AclEntryMessage,
  type OperationError,
  type Stat as StatMessage,
} from "../../gen/ts/zabtree/v1/common_pb.js";
import { Consistency } from "../../gen/ts/zabtree/v1/common_pb.js";
import type {
  Check,
  CreateRequest as CreateMessage,
  DeleteRequest as DeleteMessage,
  DeleteSubtreeRequest as DeleteSubtreeMessage,
  ListChildrenRequest,
  ListEphemeralsRequest,
  MultiOperation as MultiOperationMessage,
  MultiReadRequest,
  MultiRequest as MultiMessage,
  ReadOperation,
  SetAclRequest as SetAclMessage,
  SetDataRequest as SetDataMessage,
} from "../../gen/ts/zabtree/v1/tree_pb.js";
import { WatchScope, type WatchSpec as WatchSpecMessage } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { limits } from "../base/limits.ts";
import { grpcCodeOf, refusal, type Refusal } from "../base/reasons.ts";
import { Permissions, type Acl, type AclEntry } from "../tree/acl.ts";
import type { MultiOperation, WriteRequest } from "../tree/request.ts";
import { cversion, type Stat } from "../tree/stat.ts";
import { CreateMode } from "../tree/txn.ts";
import type { Freshness, MultiReadOperation, ReadRequest } from "../replica/read-request.ts";
import type { WatchSpec, WatchStart } from "../replica/watch-feeds.ts";

/** A message that cannot be a request. */
export class InvalidMessage extends Error {
  override readonly name = "InvalidMessage";
  readonly refusal: Refusal;

  constructor(message: string, field: string) {
    super(message);
    this.refusal = refusal("BAD_ARGUMENTS", message, { field });
  }
}

/** A whole number from 0 to 2^53 - 1. */
export function toNumber(value: bigint, field: string): number {
  if (value < 0n || value > 9007199254740991n) throw new InvalidMessage(`${field} is out of range`, field);
  return Number(value);
}

// ---- writes

export function createRequest(message: CreateMessage): WriteRequest & { kind: "create" } {
  const { path, data, mode, acl } = message;
  return {
    kind: "create",
    path,
    data: data ?? null,
    mode: createMode(mode),
    acl: acl.length === 0 ? null : toAcl(acl),
  };
}

/** The mode of the core; unspecified means persistent, and unknown ones are refused there. */
export function createMode(mode: number): number {
  return mode === 0 ? CreateMode.persistent : mode;
}

export function deleteRequest(message: DeleteMessage): WriteRequest & { kind: "delete" } {
  return { kind: "delete", path: message.path, version: message.expectedVersion ?? null };
}

export function deleteSubtreeRequest(message: DeleteSubtreeMessage): WriteRequest {
  return { kind: "deleteSubtree", path: message.path };
}

export function setDataRequest(message: SetDataMessage): WriteRequest & { kind: "setData" } {
  const { path, data, expectedVersion } = message;
  return { kind: "setData", path, data: data ?? null, version: expectedVersion ?? null };
}

export function setAclRequest(message: SetAclMessage): WriteRequest & { kind: "setAcl" } {
  const { path, acl, expectedAclVersion } = message;
  return { kind: "setAcl", path, acl: toAcl(acl), version: expectedAclVersion ?? null };
}

export function multiRequest(message: MultiMessage): WriteRequest {
  try {
    return { kind: "multi", operations: message.operations.map(multiOperation) };
  } catch (error) {
    if (!(error instanceof InvalidMessage)) throw error;
    // It may carry a seq, and a write that can never succeed uses that up: the core refuses it in its turn.
    return { kind: "multi", operations: [], problem: error.refusal };
  }
}

function multiOperation(message: MultiOperationMessage, index: number): MultiOperation {
  const { operation } = message;
  if (operation.case === undefined) throw new InvalidMessage(`operation ${index} is empty`, "operations");
  if (operation.case === "check") return checkRequest(operation.value);
  if (operation.value.seq !== 0n || operation.value.ackedSeq !== 0n) {
    throw new InvalidMessage("an operation of a multi has no seq of its own", "seq");
  }
  switch (operation.case) {
    case "create":
      return createRequest(operation.value);
    case "delete":
      return deleteRequest(operation.value);
    case "setData":
      return setDataRequest(operation.value);
    case "setAcl":
      return setAclRequest(operation.value);
  }
}

function checkRequest(message: Check): MultiOperation {
  const { path, condition } = message;
  switch (condition.case) {
    case "version":
      return { kind: "check", path, version: condition.value, exists: true };
    case "exists":
      return { kind: "check", path, version: null, exists: condition.value };
    case undefined:
      throw new InvalidMessage("a check needs a condition", "condition");
  }
}

/** Enums are open on the wire: a number may have no row here. */
const permissionBits: Readonly<Partial<Record<Permission, number>>> = {
  [Permission.READ]: Permissions.read,
  [Permission.WRITE]: Permissions.write,
  [Permission.CREATE]: Permissions.create,
  [Permission.DELETE]: Permissions.delete,
  [Permission.ADMIN]: Permissions.admin,
};

/** An ACL as given; permissions that do not exist become 0 bits, which the core refuses as INVALID_ACL. */
function toAcl(entries: readonly AclEntryMessage[]): Acl {
  return entries.map(({ permissions, scheme, id }) => {
    const known = permissions.every((permission) => (permissionBits[permission] ?? 0) !== 0);
    const bits = permissions.reduce((sum, permission) => sum | (permissionBits[permission] ?? 0), 0);
    return { permissions: known ? bits : 0, scheme, id };
  });
}

export function aclMessage(acl: Acl): AclEntryMessage[] {
  return acl.map((entry: AclEntry) =>
    create(AclEntrySchema, {
      permissions: [Permission.READ, Permission.WRITE, Permission.CREATE, Permission.DELETE, Permission.ADMIN].filter(
        (permission) => (entry.permissions & (permissionBits[permission] ?? 0)) !== 0,
      ),
      scheme: entry.scheme,
      id: entry.id,
    }),
  );
}

// ---- reads

/** What decides how fresh a read must be; on a session stream unspecified means sequential. */
export function freshnessOf(
  message: { readonly consistency: Consistency; readonly minZxid: bigint },
  onStream: boolean,
): Freshness {
  const minZxid = toNumber(message.minZxid, "min_zxid");
  switch (message.consistency) {
    case Consistency.UNSPECIFIED:
      return { linearizable: !onStream && minZxid === 0, minZxid };
    case Consistency.SEQUENTIAL:
      return { linearizable: false, minZxid };
    case Consistency.LINEARIZABLE:
      return { linearizable: true, minZxid };
    default:
      throw new InvalidMessage("unknown consistency", "consistency");
  }
}

export function childrenRead(message: ListChildrenRequest): ReadRequest & { kind: "children" } {
  return {
    kind: "children",
    path: message.path,
    watchId: toNumber(message.watchId, "watch_id"),
    after: fromPageToken(message.pageToken),
    limit: pageLimit(message.pageSize),
    includeStat: message.includeStat,
    includeData: message.includeData,
  };
}

export function ephemeralsRead(message: ListEphemeralsRequest): ReadRequest {
  return {
    kind: "ephemerals",
    prefix: message.pathPrefix,
    after: fromPageToken(message.pageToken),
    limit: pageLimit(message.pageSize),
  };
}

export function multiRead(message: MultiReadRequest): ReadRequest {
  return { kind: "multiRead", operations: message.operations.map(readOperation) };
}

function readOperation(message: ReadOperation, index: number): MultiReadOperation {
  const { operation } = message;
  switch (operation.case) {
    case "getData":
      return { kind: "data", path: operation.value.path, watchId: 0 };
    case "exists":
      return { kind: "exists", path: operation.value.path, watchId: 0 };
    case "getAcl":
      return { kind: "acl", path: operation.value.path };
    case "listChildren":
      return { ...childrenRead(operation.value), watchId: 0 };
    case undefined:
      throw new InvalidMessage(`operation ${index} is empty`, "operations");
  }
}

function pageLimit(size: number): number {
  if (size < 0) throw new InvalidMessage("a page size is not negative", "page_size");
  return size === 0 ? limits.pageEntries : Math.min(size, limits.pageEntries);
}

/** A page token is the last name or path of the page before, made opaque. */
export function toPageToken(after: string): string {
  return Buffer.from(after, "utf8").toString("base64url");
}

function fromPageToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (toPageToken(text) !== token) throw new InvalidMessage("the page token is malformed", "page_token");
  return text;
}

// ---- watches

export function watchSpec(message: WatchSpecMessage | undefined): WatchSpec {
  if (message === undefined) throw new InvalidMessage("a watch needs a spec", "spec");
  const { path, includeData } = message;
  return { path, scope: watchScope(message.scope), includeData, start: watchStart(message) };
}

function watchScope(scope: WatchScope): WatchSpec["scope"] {
  switch (scope) {
    case WatchScope.NODE:
      return "node";
    case WatchScope.CHILDREN:
      return "children";
    case WatchScope.SUBTREE:
      return "subtree";
    default:
      throw new InvalidMessage("a watch needs a scope", "scope");
  }
}

function watchStart({ start }: WatchSpecMessage): WatchStart {
  switch (start.case) {
    case undefined:
      return { kind: "now" };
    case "currentState":
      return start.value ? { kind: "currentState" } : { kind: "now" };
    case "resumeAfter": {
      const { clusterId, zxid, op } = start.value;
      if (op < 0) throw new InvalidMessage("a cursor's op is not negative", "op");
      return { kind: "resume", clusterId, zxid: toNumber(zxid, "zxid"), op };
    }
  }
}

// ---- results

export function statMessage(stat: Stat): StatMessage {
  return create(StatSchema, {
    czxid: BigInt(stat.czxid),
    mzxid: BigInt(stat.mzxid),
    pzxid: BigInt(stat.pzxid),
    ctimeMs: BigInt(stat.ctime),
    mtimeMs: BigInt(stat.mtime),
    version: stat.version,
    cversion: cversion(stat),
    aversion: stat.aversion,
    ephemeralOwner: BigInt(stat.owner),
    dataLength: stat.dataLength,
    numChildren: stat.children,
    nextSequence: BigInt(stat.sequence),
    kind: stat.kind,
  });
}

export function errorMessage(problem: Refusal): OperationError {
  return create(OperationErrorSchema, {
    code: grpcCodeOf(problem.reason),
    reason: problem.reason,
    message: problem.message,
    metadata: { ...problem.metadata },
  });
}
