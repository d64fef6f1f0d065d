import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { StatSchema } from "../../gen/ts/zabtree/v1/common_pb.js";
import { WatchEventSchema } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { ChangeCause, WatchEventKind, ZabtreeError } from "../client/index.ts";
import { eventLine } from "./event-text.ts";
import { CommandError, failureOf, failureText, UsageError } from "./failure.ts";
import { count, dataPreview, duration, pairs, size } from "./format.ts";
import { dataJson, toJson } from "./json.ts";

describe("values for people", () => {
  it("sizes", () => {
    expect([0, 1023, 1024, 1536, 10 * 1024, 1024 * 1024, 5e12].map(size)).toEqual([
      "0 B",
      "1023 B",
      "1.00 KiB",
      "1.50 KiB",
      "10.0 KiB",
      "1.00 MiB",
      "4.55 TiB",
    ]);
  });

  it("durations", () => {
    expect([0, 999, 61_000, 3_600_000, 90_061_000].map(duration)).toEqual([
      "0 s",
      "0 s",
      "1 min 1 s",
      "1 h",
      "1 d 1 h",
    ]);
  });

  it("counts", () => {
    expect([count(1, "znode"), count(2n, "znode"), count(0, "directory")]).toEqual([
      "1 znode",
      "2 znodes",
      "0 directories",
    ]);
  });

  it("data: nothing, text, bytes, and nothing a terminal would obey", () => {
    expect(dataPreview(undefined)).toBe("no data");
    expect(dataPreview(new Uint8Array())).toBe('""');
    expect(dataPreview(new Uint8Array([0xff]))).toBe("(1 byte)");
    expect(dataPreview(new TextEncoder().encode("a\u001b[31m\u009b"))).toBe('"a\\u001b[31m\\u009b"');
  });

  it("pairs in two columns", () => {
    const lines = pairs([
      ["a", "1"],
      ["long name", "2"],
    ]).split("\n");
    expect(lines).toEqual(["a          1", "long name  2"]);
  });

  it("events", () => {
    const event = create(WatchEventSchema, {
      kind: WatchEventKind.DELETED,
      path: "/a",
      zxid: 12n,
      cause: ChangeCause.SESSION_EXPIRED,
      sessionId: 5n,
      stat: create(StatSchema, { version: 1 }),
    });
    expect(eventLine(event, true)).toBe("      12  deleted   /a  session 5 expired");
    const set = { ...event, kind: WatchEventKind.DATA_CHANGED, cause: ChangeCause.REQUEST, data: new Uint8Array([65]) };
    expect(eventLine(set, true)).toBe('      12  changed   /a  version 1, 0 bytes, "A"');
  });
});

describe("values for programs", () => {
  it("64-bit numbers are numbers while they are exact", () => {
    expect(toJson({ a: 5n, b: 2n ** 53n })).toBe('{"a":5,"b":"9007199254740992"}');
  });

  it("data is base64, and text where it is text", () => {
    expect(dataJson(undefined)).toEqual({ data: null });
    expect(dataJson(new Uint8Array([0xff]))).toEqual({ data: "/w==" });
    expect(dataJson(new TextEncoder().encode("é"))).toEqual({ data: "w6k=", text: "é" });
  });
});

describe("failures", () => {
  it.each([
    [new ZabtreeError({ message: "m", code: 5, reason: "NO_NODE" }), 1, "zabtree: NO_NODE: m"],
    [new ZabtreeError({ message: "m", code: 14, reason: "NO_LEADER" }), 1, "zabtree: NO_LEADER: m"],
    [new ZabtreeError({ message: "m", code: 14 }), 3, "zabtree: m"],
    [new ZabtreeError({ message: "m", code: 4 }), 3, "zabtree: m"],
    [new ZabtreeError({ message: "m", code: 13 }), 1, "zabtree: INTERNAL: m"],
    [new UsageError("m"), 2, "zabtree: m"],
    [new CommandError("m"), 1, "zabtree: m"],
  ])("%s", (error, exitCode, text) => {
    const failure = failureOf(error);
    expect(failure.exitCode).toBe(exitCode);
    expect(failureText(failure, false)).toBe(text);
    expect(JSON.parse(failureText(failure, true))).toMatchObject({ error: { message: "m", exitCode } });
  });
});
