/** Events and state of watches, as lines and as JSON. */
import { ChangeCause, WatchEventKind, type WatchEvent, type Znode } from "../client/index.ts";
import { count, dataPreview } from "./format.ts";
import { dataJson, statJson, type JsonObject } from "./json.ts";

const kindWords: Readonly<Record<WatchEventKind, string>> = {
  [WatchEventKind.UNSPECIFIED]: "unknown",
  [WatchEventKind.CREATED]: "created",
  [WatchEventKind.DATA_CHANGED]: "changed",
  [WatchEventKind.DELETED]: "deleted",
  [WatchEventKind.CHILDREN_CHANGED]: "children",
};

/** `12  created  /a  version 0, 5 bytes`. */
export function eventLine(event: WatchEvent, withData: boolean | undefined): string {
  const details: string[] = [];
  if (event.kind !== WatchEventKind.DELETED && event.stat !== undefined) {
    details.push(`version ${event.stat.version}`, count(event.stat.dataLength, "byte"));
    if (event.stat.ephemeralOwner !== 0n) details.push(`ephemeral of session ${event.stat.ephemeralOwner}`);
  }
  if (event.cause === ChangeCause.SESSION_CLOSED) details.push(`session ${event.sessionId} was closed`);
  if (event.cause === ChangeCause.SESSION_EXPIRED) details.push(`session ${event.sessionId} expired`);
  if (withData === true && event.kind !== WatchEventKind.DELETED) details.push(dataPreview(event.data));
  const line = `${String(event.zxid).padStart(8)}  ${kindWords[event.kind].padEnd(8)}  ${event.path}`;
  return details.length === 0 ? line : `${line}  ${details.join(", ")}`;
}

export function eventJson(event: WatchEvent, withData: boolean | undefined): JsonObject {
  return {
    type: "event",
    kind: WatchEventKind[event.kind],
    path: event.path,
    zxid: event.zxid,
    op: event.op,
    cause: ChangeCause[event.cause],
    sessionId: event.sessionId,
    stat: statJson(event.stat),
    ...(withData === true ? dataJson(event.data) : {}),
  };
}

/** A znode of the current state, in the columns of the events. */
export function stateLine({ path, stat, data }: Znode, withData: boolean | undefined): string {
  const details = [`version ${stat?.version ?? 0}`, count(stat?.dataLength ?? 0, "byte")];
  if (stat !== undefined && stat.ephemeralOwner !== 0n) details.push(`ephemeral of session ${stat.ephemeralOwner}`);
  if (withData === true) details.push(dataPreview(data));
  return `${String(stat?.mzxid ?? 0).padStart(8)}  ${"exists".padEnd(8)}  ${path}  ${details.join(", ")}`;
}

export function stateJson({ path, stat, data }: Znode, withData: boolean | undefined): JsonObject {
  return { type: "state", path, stat: statJson(stat), ...(withData === true ? dataJson(data) : {}) };
}
