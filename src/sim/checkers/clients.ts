/** What clients are promised beyond their sessions: exactly once, their own writes, gapless watches. */
import type { Checker } from "./checker.ts";

const c03: Checker = {
  id: "C03",
  says: "the state that a session sees never goes back, whatever server it is on",
  begin: (fail) => {
    const seen = new Map<number, number>();
    return {
      reflected: ({ session, zxid }) => {
        const before = seen.get(session) ?? 0;
        if (zxid < before) fail(`session ${session} sees ${zxid} after ${before}`);
        else seen.set(session, zxid);
      },
    };
  },
};

const c06: Checker = {
  id: "C06",
  says: "a write that was acknowledged is in the history, where the client was told",
  begin: (fail, { model }) => ({
    answered: ({ session, seq, zxid, succeeded }) => {
      if (!succeeded) return;
      const at = model.outcomes.get(`${session} ${seq}`);
      if (at !== zxid)
        fail(`write ${seq} of session ${session} is answered as ${zxid}, the history has ${at ?? "nothing"}`);
    },
    acknowledged: ({ node, zxid }) => {
      if (zxid > model.zxid) fail(`server ${node} acknowledges ${zxid}, only ${model.zxid} is delivered anywhere`);
    },
  }),
};

const c07: Checker = {
  id: "C07",
  says: "every numbered write of a session takes effect once, in the order of the numbers",
  begin: (fail, { model }) => ({
    txn: ({ txn }) => {
      if (txn.seq === 0) return;
      const last = model.sessions.get(txn.session)?.lastSeq ?? 0;
      if (txn.seq !== last + 1) fail(`${txn.zxid} is write ${txn.seq} of session ${txn.session}, after ${last}`);
    },
  }),
};

const w05: Checker = {
  id: "W05",
  says: "a watch of everything is told of every change once, in order, without a gap",
  begin: (fail, { model }) => {
    /** Index of the next change that each watch is to be told of. */
    const next = new Map<string, number>();
    return {
      watching: ({ watch, after }) => {
        let at = model.changes.length;
        while (at > 0 && model.changes[at - 1]!.zxid > after) at--;
        next.set(watch, at);
      },
      watchOver: ({ watch }) => void next.delete(watch),
      event: ({ watch, path, zxid, op }) => {
        const at = next.get(watch);
        if (at === undefined) return;
        const due = model.changes[at];
        if (due?.zxid !== zxid || due.op !== op || due.path !== path) {
          fail(
            `watch ${watch} is told of ${zxid}.${op} ${path}, due is ${due?.zxid ?? 0}.${due?.op ?? 0} ${due?.path ?? ""}`,
          );
        }
        next.set(watch, at + 1);
      },
    };
  },
};

export const clientCheckers: readonly Checker[] = [c03, c06, c07, w05];
