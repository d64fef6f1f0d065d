/** The log as a server tells it: the changes of the tree, by a watch that begins at an old cursor. */
import { WatchScope, type Connection, type WatchUpdate } from "../client/index.ts";
import { eventJson, eventLine } from "./event-text.ts";
import type { LogSource } from "./txlog-source.ts";

/** Behind every operation of its transaction. */
const lastOperation = 2_147_483_647;

export async function serverLog(connection: Connection): Promise<LogSource> {
  const status = await connection.cluster.getStatus({});
  const clusterId = status.header?.clusterId ?? "";
  return {
    oldestZxid: Number(status.oldestZxid),
    committedZxid: Number(status.committedZxid),
    async *rows({ from, to, path }, signal) {
      if (from > to) return;
      const cursor = { clusterId, zxid: BigInt(from - 1), op: lastOperation };
      const spec = {
        path,
        scope: WatchScope.SUBTREE,
        includeData: true,
        start: { case: "resumeAfter" as const, value: cursor },
      };
      for await (const update of connection.watch(spec, { signal })) {
        const events = update.events.filter((event) => Number(event.zxid) <= to);
        yield events.map((event) => ({ line: eventLine(event, true), json: eventJson(event, true) }));
        if (reaches(update, to)) return;
      }
    },
  };
}

/** Whether nothing up to `zxid` can follow an update. */
function reaches(update: WatchUpdate, zxid: number): boolean {
  const covered = update.cursor === undefined ? 0 : Number(update.cursor.zxid);
  return covered >= zxid || Number(update.events.at(-1)?.zxid ?? 0n) > zxid;
}
