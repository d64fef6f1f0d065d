import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  WatchResponseSchema,
  type WatchRequestSchema,
  type WatchResponse,
  type WatchService,
} from "../../gen/ts/zabtree/v1/watch_pb.js";
import type { Reason } from "../base/reasons.ts";
import { WatchScope, ZabtreeError } from "./index.ts";
import type { Stub } from "./stub.ts";
import { resumingWatch } from "./watch.ts";

const clusterId = "c".repeat(32);
const spec = { path: "/a", scope: WatchScope.NODE };

function message(update: MessageInitShape<typeof WatchResponseSchema>["update"]): WatchResponse {
  return create(WatchResponseSchema, { header: { clusterId }, update });
}

function broken(reason?: Reason): ZabtreeError {
  return new ZabtreeError({ message: "broken", code: reason === undefined ? 14 : 11, reason });
}

/** A service whose successive streams are scripted; it records where each was asked to start. */
function scripted(streams: readonly (readonly (WatchResponse | ZabtreeError)[])[]) {
  const starts: unknown[] = [];
  const service = {
    async *watch(request: MessageInitShape<typeof WatchRequestSchema>) {
      const start = request.spec?.start;
      const cursor = start?.case === "resumeAfter" ? start.value : undefined;
      starts.push(cursor === undefined ? start?.case : [cursor.zxid, cursor.op, cursor.clusterId]);
      for (const item of streams[starts.length - 1] ?? []) {
        await Promise.resolve();
        if (item instanceof ZabtreeError) throw item;
        yield item;
      }
    },
  } as unknown as Stub<typeof WatchService>;
  return { service, starts };
}

async function zxids(updates: AsyncIterable<{ events: { zxid: bigint }[] }>): Promise<bigint[]> {
  const seen: bigint[] = [];
  for await (const { events } of updates) seen.push(...events.map((event) => event.zxid));
  return seen;
}

describe("a watch whose stream breaks", () => {
  it("resumes after the cursor, or after the last event behind it", async () => {
    const { service, starts } = scripted([
      [message({ cursor: { clusterId, zxid: 4n, op: 0 } }), message({ events: [{ zxid: 5n, op: 1 }] }), broken()],
      [broken()],
      [message({ cursor: { clusterId, zxid: 9n, op: 2 } }), broken("SLOW_CONSUMER")],
      [message({ events: [{ zxid: 10n, op: 0 }] })],
    ]);
    const breaks: boolean[] = [];
    const updates = resumingWatch(service, spec, { onBreak: (_error, fromStart) => breaks.push(fromStart) });
    expect(await zxids(updates)).toEqual([5n, 10n]);
    expect(starts).toEqual([undefined, [5n, 1, clusterId], [5n, 1, clusterId], [9n, 2, clusterId]]);
    expect(breaks).toEqual([false, false, false]);
  });

  it("walks over the current state again until the walk was complete", async () => {
    const start = { case: "currentState", value: true } as const;
    const { service, starts } = scripted([
      [message({ state: [{ path: "/a" }], events: [{ zxid: 5n, op: 0 }] }), broken()],
      [message({ synced: true, cursor: { clusterId, zxid: 6n, op: 0 } }), broken()],
      [message({ events: [{ zxid: 7n, op: 0 }] })],
    ]);
    await zxids(resumingWatch(service, { ...spec, start }));
    expect(starts).toEqual(["currentState", "currentState", [6n, 0, clusterId]]);
  });

  it("ends with the error where resuming would not help", async () => {
    const { service } = scripted([[message({}), broken("LOG_TRUNCATED")]]);
    await expect(zxids(resumingWatch(service, spec))).rejects.toMatchObject({ reason: "LOG_TRUNCATED" });
  });

  it("ends with the error when it could not be opened in the first place", async () => {
    const { service, starts } = scripted([[broken()]]);
    await expect(zxids(resumingWatch(service, spec))).rejects.toMatchObject({ unavailable: true });
    expect(starts).toHaveLength(1);
  });

  it("resumes when the server falls silent, however long its reader takes", async () => {
    const starts: unknown[] = [];
    const service = {
      async *watch(request: MessageInitShape<typeof WatchRequestSchema>, { signal }: { signal: AbortSignal }) {
        const start = request.spec?.start;
        starts.push(start?.case === "resumeAfter" ? start.value.zxid : undefined);
        yield message({ cursor: { clusterId, zxid: 4n, op: 0 } });
        if (starts.length === 1) yield message({ events: [{ zxid: 5n, op: 0 }] });
        else return;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw broken();
      },
    } as unknown as Stub<typeof WatchService>;
    const breaks: string[] = [];
    const onBreak = (error: ZabtreeError) => breaks.push(error.message);
    const seen: bigint[] = [];
    for await (const { events } of resumingWatch(service, spec, { silenceMs: 50, onBreak })) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      seen.push(...events.map((event) => event.zxid));
    }
    expect(seen).toEqual([5n]);
    expect(starts).toEqual([undefined, 5n]);
    expect(breaks).toEqual(["the watch was silent for 50 ms"]);
  });

  it("stops when told to, between two attempts", async () => {
    const { service, starts } = scripted([[message({}), broken()]]);
    const stop = new AbortController();
    const onBreak = () => {
      stop.abort();
    };
    expect(await zxids(resumingWatch(service, spec, { signal: stop.signal, onBreak }))).toEqual([]);
    expect(starts).toHaveLength(1);
  });
});
