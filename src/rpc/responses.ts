/**
 * Results of the core as messages of the contract. One builder serves unary calls, Connect, and whatever the session
 * stream does not encode by hand: each result is a case of SessionResponse, and its value is the unary response.
 */
import { create } from "@bufbuild/protobuf";
import {
  CloseSessionResponseSchema,
  AddWatchResponseSchema,
  CancelWatchResponseSchema,
  OpenSessionResponseSchema,
  WhoAmIResponseSchema,
  type OpenSessionResponse,
  type SessionResponse,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import {
  CheckResultSchema,
  ChildSchema,
  CountDescendantsResponseSchema,
  CreateResponseSchema,
  DeleteResponseSchema,
  DeleteSubtreeResponseSchema,
  ExistsResponseSchema,
  GetAclResponseSchema,
  GetDataResponseSchema,
  ListChildrenResponseSchema,
  ListEphemeralsResponseSchema,
  MultiReadResponseSchema,
  MultiResponseSchema,
  MultiResultSchema,
  ReadResultSchema,
  SetAclResponseSchema,
  SetDataResponseSchema,
  SyncResponseSchema,
  type MultiResult,
  type ReadResult as ReadResultMessage,
} from "../../gen/ts/zabtree/v1/tree_pb.js";
import { unreachable, assert } from "../base/assert.ts";
import type { Refusal } from "../base/reasons.ts";
import type { ChildrenPage, DoneKind, PathsPage, ReadResult, ReplySink } from "../replica/ports.ts";
import type { Acl, Identity } from "../tree/acl.ts";
import { parseOpening } from "../tree/detail.ts";
import type { Stat } from "../tree/stat.ts";
import { OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import { aclMessage, errorMessage, statMessage, toPageToken } from "./convert.ts";

/** A result: a case of SessionResponse, or what opening a session answers, which no stream carries. */
export type Result =
  | Exclude<SessionResponse["result"], { case: undefined } | { case: "error" }>
  | { case: "openSession"; value: OpenSessionResponse };

/** Copies: the core's views are valid only during the call. */
function copy(data: Uint8Array | null): { data?: Uint8Array } {
  return data === null ? {} : { data: Uint8Array.from(data) };
}

/** The result of a transaction that succeeded. */
export function committedResult(txn: Txn): Result {
  const first = txn.ops[0]!;
  switch (txn.request) {
    case RequestKind.create: {
      const value = create(CreateResponseSchema, { path: first.path, stat: statMessage(first.stat) });
      return { case: "create", value };
    }
    case RequestKind.delete:
      return { case: "delete", value: create(DeleteResponseSchema) };
    case RequestKind.deleteSubtree:
      return {
        case: "deleteSubtree",
        value: create(DeleteSubtreeResponseSchema, { deleted: BigInt(txn.ops.length) }),
      };
    case RequestKind.setData:
      return { case: "setData", value: create(SetDataResponseSchema, { stat: statMessage(first.stat) }) };
    case RequestKind.setAcl:
      return { case: "setAcl", value: create(SetAclResponseSchema, { stat: statMessage(first.stat) }) };
    case RequestKind.multi:
      return { case: "multi", value: create(MultiResponseSchema, { results: txn.ops.map(multiResult) }) };
    case RequestKind.openSession: {
      const { timeoutMs } = parseOpening(first.detail);
      return {
        case: "openSession",
        value: create(OpenSessionResponseSchema, { sessionId: BigInt(txn.zxid), timeoutMs }),
      };
    }
    case RequestKind.closeSession:
      return { case: "closeSession", value: create(CloseSessionResponseSchema) };
    default:
      assert(false, "a transaction that nobody asked for is answered");
  }
}

function multiResult(op: TxnOp): MultiResult {
  switch (op.kind) {
    case OpKind.create: {
      const value = create(CreateResponseSchema, { path: op.path, stat: statMessage(op.stat) });
      return create(MultiResultSchema, { result: { case: "create", value } });
    }
    case OpKind.delete:
      return create(MultiResultSchema, { result: { case: "delete", value: create(DeleteResponseSchema) } });
    case OpKind.setData: {
      const value = create(SetDataResponseSchema, { stat: statMessage(op.stat) });
      return create(MultiResultSchema, { result: { case: "setData", value } });
    }
    case OpKind.setAcl: {
      const value = create(SetAclResponseSchema, { stat: statMessage(op.stat) });
      return create(MultiResultSchema, { result: { case: "setAcl", value } });
    }
    case OpKind.check:
      return create(MultiResultSchema, { result: { case: "check", value: create(CheckResultSchema) } });
    default:
      assert(false, "a multi has a row of another kind");
  }
}

/** The result of a write whose row is purged: that it succeeded, and nothing more. */
export function purgedResult(request: number): Result {
  switch (request) {
    case RequestKind.create:
      return { case: "create", value: create(CreateResponseSchema) };
    case RequestKind.delete:
      return { case: "delete", value: create(DeleteResponseSchema) };
    case RequestKind.deleteSubtree:
      return { case: "deleteSubtree", value: create(DeleteSubtreeResponseSchema) };
    case RequestKind.setData:
      return { case: "setData", value: create(SetDataResponseSchema) };
    case RequestKind.setAcl:
      return { case: "setAcl", value: create(SetAclResponseSchema) };
    case RequestKind.multi:
      return { case: "multi", value: create(MultiResponseSchema) };
    default:
      assert(false, "only writes of sessions are answered from their outcome");
  }
}

function dataResponse(data: Uint8Array | null, stat: Stat) {
  return create(GetDataResponseSchema, { ...copy(data), stat: statMessage(stat) });
}

function existsResponse(stat: Stat | null) {
  return create(ExistsResponseSchema, stat === null ? {} : { stat: statMessage(stat) });
}

function childrenResponse(page: ChildrenPage) {
  return create(ListChildrenResponseSchema, {
    children: page.children.map(({ name, stat, data }) =>
      create(ChildSchema, { name, ...(stat === null ? {} : { stat: statMessage(stat) }), ...copy(data) }),
    ),
    nextPageToken: toPageToken(page.nextAfter),
    stat: statMessage(page.stat),
  });
}

function aclResponse(acl: Acl, stat: Stat) {
  return create(GetAclResponseSchema, { acl: aclMessage(acl), stat: statMessage(stat) });
}

function readResult(result: ReadResult): ReadResultMessage {
  switch (result.kind) {
    case "data": {
      const value = dataResponse(result.data, result.stat);
      return create(ReadResultSchema, { result: { case: "getData", value } });
    }
    case "exists":
      return create(ReadResultSchema, { result: { case: "exists", value: existsResponse(result.stat) } });
    case "children":
      return create(ReadResultSchema, { result: { case: "listChildren", value: childrenResponse(result.page) } });
    case "acl": {
      const value = aclResponse(result.acl, result.stat);
      return create(ReadResultSchema, { result: { case: "getAcl", value } });
    }
    case "refused":
      return create(ReadResultSchema, { result: { case: "error", value: errorMessage(result.refusal) } });
    default:
      return unreachable(result);
  }
}

/** Turns every answer into a message and hands it on. */
export class MessageSink implements ReplySink {
  private readonly answered: (call: number, zxid: number, result: Result) => void;
  private readonly failed: (call: number, zxid: number, refusal: Refusal) => void;

  constructor(
    answered: (call: number, zxid: number, result: Result) => void,
    failed: (call: number, zxid: number, refusal: Refusal) => void,
  ) {
    this.answered = answered;
    this.failed = failed;
  }

  committed(call: number, txn: Txn): void {
    this.answered(call, txn.zxid, committedResult(txn));
  }

  committedBefore(call: number, zxid: number, request: number): void {
    this.answered(call, zxid, purgedResult(request));
  }

  refused(call: number, zxid: number, problem: Refusal): void {
    this.failed(call, zxid, problem);
  }

  exists(call: number, zxid: number, stat: Stat | null): void {
    this.answered(call, zxid, { case: "exists", value: existsResponse(stat) });
  }

  data(call: number, zxid: number, data: Uint8Array | null, stat: Stat): void {
    this.answered(call, zxid, { case: "getData", value: dataResponse(data, stat) });
  }

  children(call: number, zxid: number, page: ChildrenPage): void {
    this.answered(call, zxid, { case: "listChildren", value: childrenResponse(page) });
  }

  count(call: number, zxid: number, count: number): void {
    const value = create(CountDescendantsResponseSchema, { count: BigInt(count) });
    this.answered(call, zxid, { case: "countDescendants", value });
  }

  ephemerals(call: number, zxid: number, page: PathsPage): void {
    const { paths, nextAfter } = page;
    const value = create(ListEphemeralsResponseSchema, { paths: [...paths], nextPageToken: toPageToken(nextAfter) });
    this.answered(call, zxid, { case: "listEphemerals", value });
  }

  acl(call: number, zxid: number, acl: Acl, stat: Stat): void {
    this.answered(call, zxid, { case: "getAcl", value: aclResponse(acl, stat) });
  }

  multiRead(call: number, zxid: number, results: readonly ReadResult[]): void {
    const value = create(MultiReadResponseSchema, { results: results.map(readResult) });
    this.answered(call, zxid, { case: "multiRead", value });
  }

  done(call: number, zxid: number, what: DoneKind): void {
    switch (what) {
      case "sync":
        this.answered(call, zxid, { case: "sync", value: create(SyncResponseSchema) });
        return;
      case "addWatch":
        this.answered(call, zxid, { case: "addWatch", value: create(AddWatchResponseSchema) });
        return;
      case "cancelWatch":
        this.answered(call, zxid, { case: "cancelWatch", value: create(CancelWatchResponseSchema) });
        return;
    }
  }

  identities(call: number, zxid: number, identities: readonly Identity[], session: number): void {
    const value = create(WhoAmIResponseSchema, {
      identities: identities.map(({ scheme, id }) => ({ scheme, id })),
      sessionId: BigInt(session),
    });
    this.answered(call, zxid, { case: "whoAmI", value });
  }
}
