/** Answers reads from the tree. Nothing here waits: freshness was seen to before. */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { Permissions, type Acl, type Identity } from "../tree/acl.ts";
import { pathProblem } from "../tree/path.ts";
import type { Caller } from "../tree/prepare.ts";
import { emptyStat, type Stat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import type { ChildRow, ChildrenPage, PathsPage, ReadResult, ReplySink } from "./ports.ts";
import type { AclRead, ChildrenRead, EphemeralsRead, MultiReadOperation, ReadRequest } from "./read-request.ts";

/** Bytes a Stat and its framing take in a message, at most. */
const entryOverhead = 160;
/** Stay clear of the largest message by what a header and framing may take. */
const replyBytes = limits.responseMessage - 4096;

export class Reader {
  private readonly tree: Tree;
  /** Reused for every answer: sinks encode it at once. */
  private readonly stat = emptyStat();

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /**
   * Answers one read as of `zxid`. Returns whether a one-shot watch the read asks for is to be left: on success, and
   * for exists also when the znode is absent.
   */
  answer(sink: ReplySink, call: number, request: ReadRequest, caller: Caller, zxid: number): boolean {
    switch (request.kind) {
      case "data": {
        const { tree } = this;
        const slot = tree.find(request.path);
        const problem = this.problem(slot, request.path, caller);
        if (problem !== undefined) {
          sink.refused(call, zxid, problem);
          return false;
        }
        sink.data(call, zxid, tree.data(slot), tree.readStat(slot, this.stat));
        return true;
      }
      case "exists": {
        const result = this.exists(request.path, caller);
        if (result === null || "czxid" in result) {
          sink.exists(call, zxid, result);
          return true;
        }
        sink.refused(call, zxid, result);
        return false;
      }
      case "children": {
        const page = this.children(request, caller);
        if ("reason" in page) {
          sink.refused(call, zxid, page);
          return false;
        }
        sink.children(call, zxid, page);
        return true;
      }
      case "acl": {
        const result = this.acl(request, caller);
        if ("reason" in result) sink.refused(call, zxid, result);
        else sink.acl(call, zxid, result.acl, result.stat);
        return false;
      }
      case "count": {
        const slot = this.tree.find(request.path);
        const problem = this.problem(slot, request.path, caller);
        if (problem !== undefined) sink.refused(call, zxid, problem);
        else sink.count(call, zxid, this.tree.descendants(slot));
        return false;
      }
      case "ephemerals":
        if (caller.session === 0) sink.refused(call, zxid, refusal("SESSION_REQUIRED", "this needs a session"));
        else sink.ephemerals(call, zxid, this.ephemerals(request, caller.session));
        return false;
      case "multiRead":
        this.multiRead(sink, call, request.operations, caller, zxid);
        return false;
      case "sync":
        sink.done(call, zxid, "sync");
        return false;
      case "identities":
        sink.identities(call, zxid, caller.identities, caller.session);
        return false;
    }
  }

  private problem(slot: number, path: string, caller: Caller): Refusal | undefined {
    if (slot < 0) return refusal("NO_NODE", `no znode at ${path}`, { path });
    return this.allows(slot, Permissions.read, caller.identities) ? undefined : noAuth(path);
  }

  private allows(slot: number, needed: number, identities: readonly Identity[]): boolean {
    return this.tree.acls.allows(this.tree.acl(slot), needed, identities);
  }

  private exists(path: string, caller: Caller): Stat | null | Refusal {
    const slot = this.tree.find(path);
    if (slot < 0) return null;
    if (!this.allows(slot, Permissions.read, caller.identities)) return noAuth(path);
    return this.tree.readStat(slot, this.stat);
  }

  private children(request: ChildrenRead, caller: Caller): ChildrenPage | Refusal {
    const { tree } = this;
    const { path, includeStat, includeData } = request;
    const slot = tree.find(path);
    const problem = this.problem(slot, path, caller);
    if (problem !== undefined) return problem;
    const children: ChildRow[] = [];
    let bytes = 0;
    let nextAfter = "";
    tree.forEachChildAfter(slot, request.after, (child) => {
      const name = tree.name(child);
      const readable = (includeStat || includeData) && this.allows(child, Permissions.read, caller.identities);
      const data = readable && includeData ? tree.data(child) : null;
      const size = name.length * 3 + entryOverhead + (data?.length ?? 0);
      if (children.length >= request.limit || (bytes + size > replyBytes && children.length > 0)) {
        nextAfter = children.at(-1)!.name;
        return false;
      }
      bytes += size;
      children.push({ name, stat: readable && includeStat ? tree.readStat(child, emptyStat()) : null, data });
      return true;
    });
    return { children, nextAfter, stat: tree.readStat(slot, this.stat) };
  }

  private acl(request: AclRead, caller: Caller): { acl: Acl; stat: Stat } | Refusal {
    const { tree } = this;
    const slot = tree.find(request.path);
    if (slot < 0) return refusal("NO_NODE", `no znode at ${request.path}`, { path: request.path });
    if (!this.allows(slot, Permissions.read | Permissions.admin, caller.identities)) return noAuth(request.path);
    const acl = tree.acls.get(tree.acl(slot));
    const mayAdminister = this.allows(slot, Permissions.admin, caller.identities);
    return { acl: mayAdminister ? acl : acl.map(maskDigest), stat: tree.readStat(slot, this.stat) };
  }

  private ephemerals(request: EphemeralsRead, session: number): PathsPage {
    const paths: string[] = [];
    for (const slot of this.tree.ephemeralsOf(session)) {
      const path = this.tree.path(slot);
      if (path.startsWith(request.prefix) && path > request.after) paths.push(path);
    }
    paths.sort();
    const page = paths.slice(0, request.limit);
    return { paths: page, nextAfter: paths.length > page.length ? page.at(-1)! : "" };
  }

  /** Why a subtree cannot be read; undefined when its top can. */
  subtreeProblem(path: string, caller: Caller): Refusal | undefined {
    return pathProblemOf(path) ?? this.problem(this.tree.find(path), path, caller);
  }

  /**
   * Visits the znodes at and below `root` that the caller may read, in walk order, after the path `after` if given,
   * until `visit` returns false. Returns the last path looked at, or undefined when the walk is complete.
   */
  subtree(
    walk: { root: string; after: string | undefined; identities: readonly Identity[] },
    visit: (path: string, stat: Stat, slot: number) => boolean,
  ): string | undefined {
    let last = walk.after;
    const state = { complete: true };
    this.tree.walk(walk.root, walk.after, (slot, path) => {
      last = path;
      if (!this.allows(slot, Permissions.read, walk.identities)) return "descend";
      state.complete = visit(path, this.tree.readStat(slot, this.stat), slot);
      return state.complete ? "descend" : "stop";
    });
    return state.complete ? undefined : last;
  }

  private multiRead(
    sink: ReplySink,
    call: number,
    operations: readonly MultiReadOperation[],
    caller: Caller,
    zxid: number,
  ): void {
    const results: ReadResult[] = [];
    let bytes = 0;
    for (const operation of operations) {
      const result = this.resultOf(operation, caller);
      bytes += sizeOf(result);
      if (bytes > replyBytes) {
        const limit = String(limits.responseMessage);
        sink.refused(call, zxid, refusal("RESPONSE_TOO_LARGE", "the answers exceed one message", { limit }));
        return;
      }
      results.push(result);
    }
    sink.multiRead(call, zxid, results);
  }

  private resultOf(operation: MultiReadOperation, caller: Caller): ReadResult {
    const problem = pathProblem(operation.path);
    if (problem !== undefined) return refused(refusal("BAD_ARGUMENTS", problem, { field: "path" }));
    switch (operation.kind) {
      case "data": {
        const slot = this.tree.find(operation.path);
        const refusal = this.problem(slot, operation.path, caller);
        if (refusal !== undefined) return refused(refusal);
        return { kind: "data", data: this.tree.data(slot), stat: this.tree.readStat(slot, emptyStat()) };
      }
      case "exists": {
        const result = this.exists(operation.path, caller);
        if (result !== null && "reason" in result) return refused(result);
        return { kind: "exists", stat: result === null ? null : { ...result } };
      }
      case "children": {
        const page = this.children(operation, caller);
        return "reason" in page ? refused(page) : { kind: "children", page: { ...page, stat: { ...page.stat } } };
      }
      case "acl": {
        const result = this.acl(operation, caller);
        return "reason" in result ? refused(result) : { kind: "acl", acl: result.acl, stat: { ...result.stat } };
      }
    }
  }
}

function pathProblemOf(path: string): Refusal | undefined {
  const problem = pathProblem(path);
  return problem === undefined ? undefined : refusal("BAD_ARGUMENTS", problem, { field: "path" });
}

function refused(why: Refusal): ReadResult {
  return { kind: "refused", refusal: why };
}

function sizeOf(result: ReadResult): number {
  let size = entryOverhead;
  if (result.kind === "data") size += result.data?.length ?? 0;
  else if (result.kind === "children") {
    for (const child of result.page.children) size += child.name.length * 3 + entryOverhead + (child.data?.length ?? 0);
  } else if (result.kind === "acl") {
    for (const entry of result.acl) size += entry.id.length * 3 + entryOverhead;
  } else if (result.kind === "refused") {
    size += result.refusal.message.length * 3 + (result.refusal.metadata["path"]?.length ?? 0) * 3;
  }
  return size;
}

function noAuth(path: string): Refusal {
  return refusal("NO_AUTH", `the ACL does not permit reading ${path}`, { path });
}

/** Whoever may not administer a znode sees the users of digest entries, not the hashes (CVE-2019-0201). */
function maskDigest(entry: Acl[number]): Acl[number] {
  if (entry.scheme !== "digest") return entry;
  const colon = entry.id.indexOf(":");
  assert(colon > 0, "a digest id without a user");
  return { ...entry, id: `${entry.id.slice(0, colon)}:x` };
}
