/**
 * A watch that outlives its connection: when the stream breaks it connects again and resumes after the last event it
 * has handed out, so its reader sees every event once.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import { CursorSchema, type Cursor } from "../../gen/ts/zabtree/v1/common_pb.js";
import type { WatchResponse, WatchService, WatchSpecSchema, WatchUpdate } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { ZabtreeError } from "./error.ts";
import type { Stub } from "./stub.ts";

export interface ResumingWatchOptions {
  readonly signal?: AbortSignal;
  /**
   * Called when the stream broke and before it is opened again. `fromStart` says that the walk over the current state
   * was not complete, so that it begins anew.
   */
  readonly onBreak?: (error: ZabtreeError, fromStart: boolean) => void;
}

const firstPauseMs = 100;
const longestPauseMs = 2000;

/** Reasons after which the contract says to resume from the last cursor. */
const resumable = new Set<string | undefined>(["SLOW_CONSUMER", "SHUTTING_DOWN"]);

/**
 * Streams the updates of a watch. Throws when the first stream cannot be opened, and whenever resuming would not help
 * (LOG_TRUNCATED, WRONG_CLUSTER, a malformed path).
 */
export async function* resumingWatch(
  watches: Stub<typeof WatchService>,
  spec: MessageInitShape<typeof WatchSpecSchema>,
  options: ResumingWatchOptions = {},
): AsyncGenerator<WatchUpdate, void> {
  let cursor: Cursor | undefined;
  let opened = false;
  let pauseMs = firstPauseMs;
  const stopped = () => options.signal?.aborted === true;
  for (;;) {
    try {
      const from = cursor === undefined ? spec : resumed(spec, cursor);
      for await (const response of watches.watch({ spec: from }, { signal: options.signal })) {
        opened = true;
        pauseMs = firstPauseMs;
        cursor = cursorAfter(response, cursor, spec.start?.case === "currentState");
        if (response.update !== undefined) yield response.update;
      }
      return;
    } catch (error) {
      if (stopped()) return;
      if (!(error instanceof ZabtreeError) || !opened) throw error;
      if (!error.unavailable && !resumable.has(error.reason)) throw error;
      options.onBreak?.(error, cursor === undefined);
      await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => undefined);
      if (stopped()) return;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }
}

function resumed(
  spec: MessageInitShape<typeof WatchSpecSchema>,
  cursor: Cursor,
): MessageInitShape<typeof WatchSpecSchema> {
  return { ...spec, start: { case: "resumeAfter", value: cursor } };
}

/**
 * Where a stream that breaks after `response` continues. Until a walk over the current state is complete there is no
 * such place: events that came with it do not cover what the walk has yet to send.
 */
function cursorAfter(response: WatchResponse, before: Cursor | undefined, walks: boolean): Cursor | undefined {
  const { header, update } = response;
  if (update?.cursor !== undefined) return update.cursor;
  const last = update?.events.at(-1);
  if (last === undefined || (walks && before === undefined)) return before;
  const clusterId = header?.clusterId ?? before?.clusterId ?? "";
  return create(CursorSchema, { clusterId, zxid: last.zxid, op: last.op });
}
