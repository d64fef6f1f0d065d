/**
 * A watch that outlives its connection: when the stream breaks it connects again and resumes after the last event it
 * has handed out, so its reader sees every event once.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import { CursorSchema, type Cursor } from "../../gen/ts/zabtree/v1/common_pb.js";
import type { WatchResponse, WatchService, WatchSpecSchema, WatchUpdate } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { GrpcCode } from "../base/reasons.ts";
import { ZabtreeError } from "./error.ts";
import type { Stub } from "./stub.ts";

export interface ResumingWatchOptions {
  readonly signal?: AbortSignal;
  /**
   * Called when the stream broke and before it is opened again. `fromStart` says that the walk over the current state
   * was not complete, so that it begins anew.
   */
  readonly onBreak?: (error: ZabtreeError, fromStart: boolean) => void;
  /** How long the server may be silent before the stream counts as broken, in milliseconds; 30,000 when left out. */
  readonly silenceMs?: number;
}

const firstPauseMs = 100;
const longestPauseMs = 1000;
/** A server with nothing to tell says so every 10 seconds. */
const longestSilenceMs = 30_000;

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
      for await (const response of unlessSilent(watches, from, options)) {
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

/** One stream. It breaks when the server is silent for too long; time its reader takes does not count. */
async function* unlessSilent(
  watches: Stub<typeof WatchService>,
  spec: MessageInitShape<typeof WatchSpecSchema>,
  { signal, silenceMs = longestSilenceMs }: ResumingWatchOptions,
): AsyncGenerator<WatchResponse, void> {
  const silence = new AbortController();
  const giveUp = () => {
    silence.abort();
  };
  let timer = setTimeout(giveUp, silenceMs);
  const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  try {
    for await (const response of watches.watch({ spec }, { signal: either })) {
      clearTimeout(timer);
      yield response;
      timer = setTimeout(giveUp, silenceMs);
    }
  } catch (error) {
    if (!silence.signal.aborted) throw error;
    const message = `the watch was silent for ${silenceMs} ms`;
    throw new ZabtreeError({ message, code: GrpcCode.UNAVAILABLE, cause: error });
  } finally {
    clearTimeout(timer);
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
