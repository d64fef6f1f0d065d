/**
 * The leader's half of a write: validates a request against the state as it will be, and builds the operations that
 * every replica then only applies. The order of the checks is ZooKeeper's order of errors: of two faults at once the
 * first one listed wins.
 */
import { crc32 } from "../base/crc32.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import {
  formatAcl,
  isGranted,
  normalizeAcl,
  openAclId,
  parseAcl,
  Permissions,
  type Acl,
  type Identity,
} from "./acl.ts";
import {
  addChildTo,
  createdStat,
  createdState,
  isEphemeralMode,
  isSequentialMode,
  removeChildFrom,
  setAclOf,
  setDataOf,
  type ZnodeState,
} from "./delta.ts";
import { Overlay } from "./overlay.ts";
import { compareWalkOrder, isAtOrBelow, parentPath, pathProblem, sequentialPath } from "./path.ts";
import type {
  CheckRequest,
  CreateRequest,
  DeleteRequest,
  DeleteSubtreeRequest,
  MultiRequest,
  SetAclRequest,
  SetDataRequest,
  WriteRequest,
} from "./request.ts";
import type { Tree } from "./tree.ts";
import { Cause, OpKind, type TxnOp } from "./txn.ts";
import { emptyStat, type Stat } from "./stat.ts";

/** Who asks. */
export interface Caller {
  /** 0 without a session. */
  readonly session: number;
  readonly identities: readonly Identity[];
  /** The identities for people. */
  readonly who: string;
}

/** The transaction being prepared. */
export interface TxnStamp {
  readonly zxid: number;
  readonly time: number;
}

/** Operations, or why there are none. */
export type Prepared = TxnOp[] | Refusal;

export function isRefusal(prepared: Prepared): prepared is Refusal {
  return !Array.isArray(prepared);
}

export interface PreparerOptions {
  /** New znodes without an ACL belong to whoever creates them, if the caller has an authenticated identity. */
  readonly creatorOwned: boolean;
}

export class Preparer {
  readonly overlay: Overlay;
  private readonly tree: Tree;
  private readonly options: PreparerOptions;

  constructor(tree: Tree, options: PreparerOptions) {
    this.tree = tree;
    this.options = options;
    this.overlay = new Overlay(tree);
  }

  /** Prepares a well-formed request (see requestProblem). A refusal leaves no trace. */
  prepare(request: WriteRequest, caller: Caller, stamp: TxnStamp): Prepared {
    switch (request.kind) {
      case "multi":
        return this.multi(request, caller, stamp);
      case "deleteSubtree":
        return this.deleteSubtree(request, caller, stamp);
      default: {
        const op = this.operation(request, caller, stamp);
        return "reason" in op ? op : [op];
      }
    }
  }

  /** The rows that remove a session's ephemeral znodes. */
  endSession(session: number, expired: boolean, stamp: TxnStamp): TxnOp[] {
    const cause = expired ? Cause.sessionExpired : Cause.sessionClosed;
    return this.overlay.ephemeralsOf(session).map((path) => this.removal(path, cause, stamp));
  }

  /** A committed transaction was applied to the tree: what the overlay holds for it is no longer ahead. */
  applied(zxid: number, op: TxnOp): void {
    const { overlay } = this;
    if (op.newAcl !== "") overlay.aclApplied(op.newAcl);
    if (op.kind === OpKind.create || op.kind === OpKind.delete) {
      overlay.applied(op.path, zxid);
      overlay.applied(parentPath(op.path), zxid);
    } else if (op.kind === OpKind.setData || op.kind === OpKind.setAcl) overlay.applied(op.path, zxid);
  }

  private multi(request: MultiRequest, caller: Caller, stamp: TxnStamp): Prepared {
    const ops: TxnOp[] = [];
    let bytes = 0;
    this.overlay.begin();
    for (const [index, operation] of request.operations.entries()) {
      const op = this.operation(operation, caller, stamp);
      if ("reason" in op) {
        this.overlay.rollBack(stamp.zxid);
        return { ...op, metadata: { ...op.metadata, operation: String(index) } };
      }
      bytes += encodedSizeMax(op);
      if (bytes > limits.transaction) {
        this.overlay.rollBack(stamp.zxid);
        return refusal("REQUEST_TOO_LARGE", "the ACLs of this multi exceed one transaction", {
          field: "acl",
          limit: String(limits.transaction),
        });
      }
      ops.push(op);
    }
    this.overlay.commit();
    return ops;
  }

  private operation(
    request: Exclude<WriteRequest, MultiRequest | DeleteSubtreeRequest> | CheckRequest,
    caller: Caller,
    stamp: TxnStamp,
  ): TxnOp | Refusal {
    switch (request.kind) {
      case "create":
        return this.create(request, caller, stamp);
      case "delete":
        return this.delete(request, caller, stamp);
      case "setData":
        return this.setData(request, caller, stamp);
      case "setAcl":
        return this.setAcl(request, caller, stamp);
      case "check":
        return this.check(request, caller);
    }
  }

  private create(request: CreateRequest, caller: Caller, stamp: TxnStamp): TxnOp | Refusal {
    const { overlay } = this;
    const { path, mode, data } = request;
    const ephemeral = isEphemeralMode(mode);
    if (ephemeral && caller.session === 0) return refusal("SESSION_REQUIRED", "an ephemeral znode needs a session");
    // With a sequence number `/` is the prefix of a child of the root.
    if (path === "/" && !isSequentialMode(mode)) return nodeExists(path);
    const parentOf = parentPath(path);
    const parent = overlay.get(parentOf);
    if (parent === undefined) return noNode(path, `no znode at ${parentOf}, the parent of ${path}`);
    if (!this.allows(parent, Permissions.create, caller)) return noAuth(path);
    const finalPath = isSequentialMode(mode) ? sequentialPath(path, parent.stat.sequence) : path;
    const problem = finalPath === path ? undefined : pathProblem(finalPath);
    if (problem !== undefined) return refusal("BAD_ARGUMENTS", problem, { field: "path" });
    if (overlay.get(finalPath) !== undefined) return nodeExists(finalPath);
    if (parent.stat.owner !== 0) {
      return refusal("NO_CHILDREN_FOR_EPHEMERALS", `${parentOf} is ephemeral and cannot have children`, { path });
    }
    const limit = limits.ephemeralsPerSession;
    if (ephemeral && overlay.countEphemerals(caller.session, limit) >= limit) {
      return refusal("TOO_MANY_EPHEMERALS", `a session owns at most ${limit} ephemeral znodes`, {
        limit: String(limit),
      });
    }
    const acl = this.aclOf(request, caller, stamp.zxid);
    if ("reason" in acl) return acl;
    const owner = ephemeral ? caller.session : 0;
    const stat = createdStat(stamp.zxid, stamp.time, owner, data?.length ?? 0);
    const op: TxnOp = {
      ...blankOp(OpKind.create, finalPath, stat),
      mode,
      znode: overlay.nextZnodeId++,
      parent: parent.id,
      acl: acl.id,
      newAcl: acl.added,
      parentAcl: parent.acl,
      data,
      dataCrc: data === null ? 0 : crc32(data),
    };
    addChildTo(parent, stamp.zxid);
    overlay.put(parentOf, parent, stamp.zxid);
    overlay.put(finalPath, createdState(stamp.zxid, op), stamp.zxid);
    return op;
  }

  private aclOf(request: CreateRequest, caller: Caller, zxid: number): { id: number; added: string } | Refusal {
    let acl = request.acl;
    if (acl === null) {
      const owned = this.options.creatorOwned && caller.identities.some((identity) => identity.scheme !== "ip");
      if (!owned) return { id: openAclId, added: "" };
      acl = [{ permissions: Permissions.all, scheme: "auth", id: "" }];
    }
    return this.aclNumber(acl, request.path, caller, zxid);
  }

  /** The number of an ACL, and its text where this transaction adds it to the table. */
  private aclNumber(acl: Acl, path: string, caller: Caller, zxid: number): { id: number; added: string } | Refusal {
    const normalized = normalizeAcl(acl, caller.identities);
    if (typeof normalized === "string") return refusal("INVALID_ACL", normalized, { path });
    const number = this.overlay.aclId(formatAcl(normalized), zxid);
    if (number !== undefined) return number;
    return refusal("TOO_MANY_ACLS", `there are ${limits.acls} different ACLs already`, { limit: String(limits.acls) });
  }

  private delete(request: DeleteRequest, caller: Caller, stamp: TxnStamp): TxnOp | Refusal {
    const { overlay } = this;
    const { path, version } = request;
    const parent = overlay.get(parentPath(path));
    if (parent === undefined) return noNode(path);
    if (!this.allows(parent, Permissions.delete, caller)) return noAuth(path);
    const state = overlay.get(path);
    if (state === undefined) return noNode(path);
    if (version !== null && version !== state.stat.version) return badVersion(path, version, state.stat.version);
    if (state.stat.children > 0) return refusal("NOT_EMPTY", `${path} has children`, { path });
    return this.removal(path, Cause.request, stamp);
  }

  /** The operation that removes an existing znode without children. */
  private removal(path: string, cause: number, stamp: TxnStamp): TxnOp {
    const { overlay } = this;
    const parentOf = parentPath(path);
    const parent = overlay.get(parentOf)!;
    const state = overlay.get(path)!;
    const op: TxnOp = {
      ...blankOp(OpKind.delete, path, { ...state.stat }),
      cause,
      znode: state.id,
      parent: parent.id,
      acl: state.acl,
      parentAcl: parent.acl,
      prevZxid: state.rowZxid,
    };
    removeChildFrom(parent, stamp.zxid);
    overlay.put(parentOf, parent, stamp.zxid);
    overlay.put(path, undefined, stamp.zxid);
    return op;
  }

  private deleteSubtree(request: DeleteSubtreeRequest, caller: Caller, stamp: TxnStamp): Prepared {
    const { overlay } = this;
    const { path } = request;
    const parent = overlay.get(parentPath(path));
    if (parent === undefined) return noNode(path);
    if (!this.allows(parent, Permissions.delete, caller)) return noAuth(path);
    if (overlay.get(path) === undefined) return noNode(path);
    const paths = this.subtreePaths(path, limits.deleteSubtree + 1);
    if (paths.length > limits.deleteSubtree) {
      return refusal("SUBTREE_TOO_LARGE", `${path} has more znodes than one transaction may delete`, {
        path,
        limit: String(limits.deleteSubtree),
      });
    }
    for (const each of paths) {
      const state = overlay.get(each)!;
      if (state.stat.children > 0 && !this.allows(state, Permissions.delete, caller)) return noAuth(each);
    }
    // Children before parents: the reverse of a walk.
    paths.sort((a, b) => compareWalkOrder(b, a));
    return paths.map((each) => this.removal(each, Cause.request, stamp));
  }

  /** The paths at and below `root`, at most `most` of them, in no particular order. */
  private subtreePaths(root: string, most: number): string[] {
    const paths = new Set<string>();
    // The walk sees the tree without the pipeline, so it may meet znodes that will be gone.
    const scan = most + this.overlay.size;
    this.tree.walk(root, undefined, (_, path) => {
      paths.add(path);
      return paths.size < scan ? "descend" : "stop";
    });
    for (const { path, exists } of this.overlay.touched((each) => isAtOrBelow(each, root))) {
      if (exists) paths.add(path);
      else paths.delete(path);
    }
    return [...paths].slice(0, most);
  }

  private setData(request: SetDataRequest, caller: Caller, stamp: TxnStamp): TxnOp | Refusal {
    const { path, data, version } = request;
    const state = this.overlay.get(path);
    if (state === undefined) return noNode(path);
    if (!this.allows(state, Permissions.write, caller)) return noAuth(path);
    if (version !== null && version !== state.stat.version) return badVersion(path, version, state.stat.version);
    const prevZxid = state.rowZxid;
    const dataCrc = data === null ? 0 : crc32(data);
    setDataOf(state, { zxid: stamp.zxid, time: stamp.time, data, dataCrc });
    this.overlay.put(path, state, stamp.zxid);
    return changeOp(OpKind.setData, path, state, prevZxid, data, dataCrc);
  }

  private setAcl(request: SetAclRequest, caller: Caller, stamp: TxnStamp): TxnOp | Refusal {
    const { path, version } = request;
    const state = this.overlay.get(path);
    if (state === undefined) return noNode(path);
    if (!this.allows(state, Permissions.admin, caller)) return noAuth(path);
    if (version !== null && version !== state.stat.aversion) return badVersion(path, version, state.stat.aversion);
    const acl = this.aclNumber(request.acl, path, caller, stamp.zxid);
    if ("reason" in acl) return acl;
    const prevZxid = state.rowZxid;
    setAclOf(state, stamp.zxid, acl.id);
    this.overlay.put(path, state, stamp.zxid);
    const op = changeOp(OpKind.setAcl, path, state, prevZxid, null, 0);
    op.newAcl = acl.added;
    return op;
  }

  private check(request: CheckRequest, caller: Caller): TxnOp | Refusal {
    const { path, version, exists } = request;
    const state = this.overlay.get(path);
    if (state === undefined) {
      if (version !== null || exists) return noNode(path);
      return blankOp(OpKind.check, path, emptyStat());
    }
    if (!this.allows(state, Permissions.read, caller)) return noAuth(path);
    if (version === null && !exists) return nodeExists(path);
    if (version !== null && version !== state.stat.version) return badVersion(path, version, state.stat.version);
    return changeOp(OpKind.check, path, state, state.rowZxid, null, 0);
  }

  private allows(state: ZnodeState, needed: number, caller: Caller): boolean {
    const { acls } = this.tree;
    if (state.acl < acls.nextId) return acls.allows(state.acl, needed, caller.identities);
    return isGranted(parseAcl(this.overlay.aclText(state.acl))!, needed, caller.identities);
  }
}

/** At least the size of an operation in its encoding, whose numbers take 400 bytes at most. */
function encodedSizeMax(op: TxnOp): number {
  return 400 + 3 * (op.path.length + op.newAcl.length) + (op.data?.length ?? 0);
}

/** An operation with everything empty but these. */
export function blankOp(kind: number, path: string, stat: Stat): TxnOp {
  return {
    kind,
    cause: Cause.request,
    code: 0,
    failedOp: 0,
    mode: 0,
    path,
    znode: 0,
    parent: 0,
    acl: 0,
    newAcl: "",
    parentAcl: 0,
    data: null,
    dataCrc: 0,
    stat,
    prevZxid: 0,
    detail: "",
  };
}

/** An operation on a znode that stays where it is. */
function changeOp(
  kind: number,
  path: string,
  state: ZnodeState,
  prevZxid: number,
  data: Uint8Array | null,
  dataCrc: number,
): TxnOp {
  return {
    kind,
    cause: Cause.request,
    code: 0,
    failedOp: 0,
    mode: 0,
    path,
    znode: state.id,
    parent: 0,
    acl: state.acl,
    newAcl: "",
    parentAcl: 0,
    data,
    dataCrc,
    stat: { ...state.stat },
    prevZxid,
    detail: "",
  };
}

function noNode(path: string, message = `no znode at ${path}`): Refusal {
  return refusal("NO_NODE", message, { path });
}

function nodeExists(path: string): Refusal {
  return refusal("NODE_EXISTS", `a znode exists at ${path}`, { path });
}

function noAuth(path: string): Refusal {
  return refusal("NO_AUTH", `the ACL does not permit this on ${path}`, { path });
}

function badVersion(path: string, expected: number, actual: number): Refusal {
  return refusal("BAD_VERSION", `${path} has version ${actual}, not ${expected}`, {
    path,
    expected_version: String(expected),
    actual_version: String(actual),
  });
}
