/** What the tree promises, row by row against a model, and of the whole state against itself. */
import { AssertionError } from "../../base/assert.ts";
import { reasonNumber } from "../../base/reasons.ts";
import { isSequentialMode } from "../../tree/delta.ts";
import { parentPath } from "../../tree/path.ts";
import { cversion, emptyStat, nextVersion, ZnodeKind } from "../../tree/stat.ts";
import { Cause, OpKind } from "../../tree/txn.ts";
import type { Checker } from "./checker.ts";

const t02: Checker = {
  id: "T02",
  says: "every znode but the root has a parent; what is deleted exists and is not the root",
  begin: (fail) => ({
    op: ({ txn, op, model }) => {
      const { path } = op;
      if (op.kind === OpKind.create) {
        if (model.nodes.has(path)) fail(`${txn.zxid} creates ${path}, which exists`);
        if (!model.nodes.has(parentPath(path))) fail(`${txn.zxid} creates ${path}, whose parent does not exist`);
      } else if (op.kind === OpKind.delete || op.kind === OpKind.setData || op.kind === OpKind.setAcl) {
        if (!model.nodes.has(path)) fail(`${txn.zxid} changes ${path}, which does not exist`);
        if (op.kind === OpKind.delete && path === "/") fail(`${txn.zxid} deletes the root`);
      }
    },
  }),
};

const t03: Checker = {
  id: "T03",
  says: "children, their number, cversion and pzxid agree with the history of creations and deletions",
  begin: (fail, { model }) => ({
    state: ({ node, zxid, tree }) => {
      if (zxid !== model.zxid) return;
      const stat = emptyStat();
      if (tree.count !== model.nodes.size) fail(`server ${node} has ${tree.count} znodes, not ${model.nodes.size}`);
      for (const [path, expected] of model.nodes) {
        const slot = tree.find(path);
        if (slot < 0) {
          fail(`server ${node} lacks ${path}`);
          continue;
        }
        tree.readStat(slot, stat);
        const { size } = expected.children;
        if (stat.children !== size || cversion(stat) !== 2 * expected.created - size || stat.pzxid !== expected.pzxid) {
          fail(
            `server ${node} counts ${stat.children} children of ${path}, pzxid ${stat.pzxid}; not ${size}, ${expected.pzxid}`,
          );
        }
        if (stat.version !== expected.version || stat.mzxid !== expected.mzxid || stat.czxid !== expected.czxid) {
          fail(`server ${node} has version ${stat.version} of ${path} at ${stat.mzxid}, not ${expected.version}`);
        }
      }
    },
  }),
};

const t04: Checker = {
  id: "T04",
  says: "version counts the writes of data, aversion those of the ACL; czxid <= mzxid, czxid <= pzxid",
  begin: (fail) => ({
    op: ({ txn, op, model }) => {
      const { stat, path } = op;
      const node = model.nodes.get(path);
      if (op.kind === OpKind.create && (stat.czxid !== txn.zxid || stat.version !== 0 || stat.aversion !== 0)) {
        fail(`${txn.zxid} creates ${path} with czxid ${stat.czxid} and version ${stat.version}`);
      }
      if (op.kind === OpKind.setData && node !== undefined && stat.version !== nextVersion(node.version)) {
        fail(`${txn.zxid} writes version ${stat.version} of ${path} after ${node.version}`);
      }
      if (op.kind === OpKind.setAcl && node !== undefined && stat.aversion !== nextVersion(node.aversion)) {
        fail(`${txn.zxid} writes aversion ${stat.aversion} of ${path} after ${node.aversion}`);
      }
    },
    state: ({ node, tree }) => {
      const stat = emptyStat();
      for (const slot of tree.slots()) {
        tree.readStat(slot, stat);
        if (stat.czxid > stat.mzxid || stat.czxid > stat.pzxid) {
          fail(
            `server ${node} has ${tree.path(slot)} with czxid ${stat.czxid}, mzxid ${stat.mzxid}, pzxid ${stat.pzxid}`,
          );
        }
      }
    },
  }),
};

const t05: Checker = {
  id: "T05",
  says: "only a znode without children is deleted; ephemeral znodes never have any",
  begin: (fail) => ({
    op: ({ txn, op, model }) => {
      if (op.kind === OpKind.delete && (model.nodes.get(op.path)?.children.size ?? 0) > 0) {
        fail(`${txn.zxid} deletes ${op.path}, which has children`);
      }
      if (op.kind === OpKind.create && (model.nodes.get(parentPath(op.path))?.owner ?? 0) !== 0) {
        fail(`${txn.zxid} creates ${op.path} below an ephemeral znode`);
      }
    },
  }),
};

const t06: Checker = {
  id: "T06",
  says: "the suffixes of sequential znodes of one parent rise and are never used again",
  begin: (fail) => {
    /** By the parent's path and czxid: a parent created anew counts anew. */
    const last = new Map<string, number>();
    return {
      op: ({ txn, op, model }) => {
        if (op.kind !== OpKind.create || !isSequentialMode(op.mode)) return;
        const parent = parentPath(op.path);
        const key = `${model.nodes.get(parent)?.czxid ?? 0} ${parent}`;
        const suffix = Number(op.path.slice(-10));
        const before = last.get(key) ?? -1;
        if (!(suffix > before)) fail(`${txn.zxid} creates ${op.path} after the suffix ${before}`);
        last.set(key, suffix);
      },
    };
  },
};

const badVersion = reasonNumber("BAD_VERSION");

const t07: Checker = {
  id: "T07",
  says: "a conditional operation is refused only when the version differs at its place in the history",
  begin: (fail) => ({
    op: ({ txn, op, model }) => {
      if (op.kind !== OpKind.rejected || op.code !== badVersion) return;
      const { metadata } = JSON.parse(op.detail) as { metadata: Record<string, string> };
      const { path, expected_version: expected, actual_version: actual } = metadata;
      const node = model.nodes.get(path ?? op.path);
      // In a Multi the operations before it count, which the row does not show.
      if (expected === actual) fail(`${txn.zxid} refuses version ${expected ?? ""} of ${op.path}, which it has`);
      if (op.path !== "" && String(node?.version) !== actual && String(node?.aversion) !== actual) {
        fail(`${txn.zxid} says that ${op.path} has version ${actual ?? ""}, not ${node?.version ?? "none"}`);
      }
    },
  }),
};

const t08: Checker = {
  id: "T08",
  says: "a multi is one transaction, all or nothing",
  begin: (fail) => ({
    txn: ({ txn }) => {
      if (txn.ops.length > 1 && txn.ops.some(({ kind }) => kind === OpKind.rejected)) {
        fail(`${txn.zxid} is refused and changes something`);
      }
    },
  }),
};

const t09: Checker = {
  id: "T09",
  says: "times come from the leader's transaction and never go back",
  begin: (fail, { model }) => ({
    txn: ({ txn }) => {
      if (txn.time < model.time) fail(`${txn.zxid} is of ${txn.time}, the one before of ${model.time}`);
    },
    op: ({ txn, op }) => {
      const { ctime, mtime } = op.stat;
      if (op.kind === OpKind.create && (ctime !== txn.time || mtime !== txn.time)) {
        fail(`${txn.zxid} creates ${op.path} at ${ctime}, not at ${txn.time}`);
      }
      if (op.kind === OpKind.setData && mtime !== txn.time) fail(`${txn.zxid} writes ${op.path} at ${mtime}`);
    },
  }),
};

const t10: Checker = {
  id: "T10",
  says: "znodes go only by a request, or with their session",
  begin: (fail) => ({
    op: ({ txn, op, model }) => {
      if (op.kind !== OpKind.delete || op.cause === Cause.request) return;
      const owner = model.nodes.get(op.path)?.owner ?? 0;
      if (owner === 0 || owner !== txn.session)
        fail(`${txn.zxid} takes ${op.path} away with a session that does not own it`);
    },
  }),
};

const t11: Checker = {
  id: "T11",
  says: "every index and count of the tree equals its recomputation",
  begin: (fail) => ({
    state: ({ node, tree }) => {
      try {
        tree.verify();
      } catch (error) {
        if (!(error instanceof AssertionError)) throw error;
        fail(`server ${node}: ${error.message}`);
      }
    },
  }),
};

const s01: Checker = {
  id: "S01",
  says: "a session's id is the zxid of its opening, and a client learns it only when that is committed",
  begin: (fail, { model }) => ({
    proved: ({ session }) => {
      if (!model.sessions.has(session)) fail(`a client has session ${session}, which no transaction opened`);
    },
    answered: ({ session }) => {
      if (!model.sessions.has(session)) fail(`a client writes in session ${session}, which no transaction opened`);
    },
  }),
};

const s02: Checker = {
  id: "S02",
  says: "only a session that lives is closed or expires, once",
  begin: (fail) => ({
    op: ({ txn, op, model }) => {
      if (op.kind !== OpKind.closeSession) return;
      const session = model.sessions.get(txn.session);
      if (session === undefined || session.end !== 0)
        fail(`${txn.zxid} ends session ${txn.session}, which does not live`);
    },
  }),
};

/** Clocks run up to a tenth apart. */
const clockError = 0.12;

const s03: Checker = {
  id: "S03",
  says: "no session expires before the time that its client was promised",
  begin: (fail, { now }) => {
    const promised = new Map<number, { since: number; until: number }>();
    const proposedAt = new Map<number, number>();
    return {
      proposed: ({ epoch, rows }) => {
        for (const { zxid } of rows) proposedAt.set(epoch * 0x1_0000_0000 + zxid, now());
      },
      proved: ({ session, untilMs }) => {
        const until = Math.max(promised.get(session)?.until ?? 0, untilMs);
        promised.set(session, { since: now(), until });
      },
      expired: ({ session, zxid, epoch }) => {
        const at = proposedAt.get(epoch * 0x1_0000_0000 + zxid) ?? 0;
        const promise = promised.get(session);
        if (promise === undefined) return;
        const allowed = promise.until - (promise.until - promise.since) * clockError - 1;
        if (at < allowed)
          fail(
            `session ${session} expires at ${at} ms, at ${promise.since} ms it was promised to live until ${promise.until} ms`,
          );
      },
    };
  },
};

const s05: Checker = {
  id: "S05",
  says: "the end of a session removes exactly its ephemeral znodes",
  begin: (fail, { model }) => ({
    txn: ({ txn }) => {
      if (txn.ops[0]!.kind !== OpKind.closeSession) return;
      const removed = txn.ops.slice(1).map(({ path }) => path);
      const owned = model.ephemeralsOf(txn.session);
      if (removed.length !== owned.length || owned.some((path) => !removed.includes(path))) {
        fail(`${txn.zxid} ends session ${txn.session} and removes ${removed.join(" ")}, not ${owned.join(" ")}`);
      }
    },
  }),
};

const s06: Checker = {
  id: "S06",
  says: "nothing by a session commits after its end",
  begin: (fail, { model }) => ({
    txn: ({ txn }) => {
      // An opening is by the session that it opens.
      if (txn.session === 0 || txn.session === txn.zxid) return;
      const session = model.sessions.get(txn.session);
      if (session === undefined || session.end !== 0)
        fail(`${txn.zxid} is by session ${txn.session}, which does not live`);
    },
  }),
};

const s07: Checker = {
  id: "S07",
  says: "the owner of every ephemeral znode lives",
  begin: (fail) => ({
    state: ({ node, zxid, tree, sessions }) => {
      const stat = emptyStat();
      for (const slot of tree.slots()) {
        tree.readStat(slot, stat);
        if (stat.kind !== ZnodeKind.ephemeral) continue;
        if (sessions.get(stat.owner) === undefined) {
          fail(`server ${node} at ${zxid} has ${tree.path(slot)} of session ${stat.owner}, which does not live`);
        }
      }
    },
  }),
};

const s08: Checker = {
  id: "S08",
  says: "a client that was told that its session is over never succeeds with it again",
  begin: (fail) => {
    const over = new Set<number>();
    return {
      ended: ({ session }) => void over.add(session),
      answered: ({ session, seq, succeeded }) => {
        if (succeeded && over.has(session)) fail(`write ${seq} of session ${session} succeeds after its end was told`);
      },
    };
  },
};

export const treeCheckers: readonly Checker[] = [t02, t03, t04, t05, t06, t07, t08, t09, t10, t11];
export const sessionCheckers: readonly Checker[] = [s01, s02, s03, s05, s06, s07, s08];
