import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  SessionRequestSchema,
  SessionResponseSchema,
  type SessionRequest,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { limits } from "../base/limits.ts";
import { RequestPipeline } from "./request-pipeline.ts";

type Operation = MessageInitShape<typeof SessionRequestSchema>["operation"];

/** A pipeline with its callers' view: what each call came to. */
function harness() {
  const pipeline = new RequestPipeline();
  const outcomes: string[] = [];
  let nextCall = 1n;
  const add = (label: string, operation: NonNullable<Operation>) => {
    pipeline.add({
      message: create(SessionRequestSchema, { callId: nextCall++, operation }),
      seq: 0,
      resolve: () => outcomes.push(`${label} ok`),
      reject: (error) => outcomes.push(`${label} ${String(error.reason)}`),
    });
  };
  const sent = () => pipeline.takeBatch().map((bytes) => fromBinary(SessionRequestSchema, bytes));
  const ok = (request: SessionRequest) => pipeline.answer(create(SessionResponseSchema, { callId: request.callId }));
  const fail = (request: SessionRequest, reason: string) =>
    pipeline.answer(
      create(SessionResponseSchema, { callId: request.callId, result: { case: "error", value: { reason } } }),
    );
  return { pipeline, outcomes, add, sent, ok, fail };
}

function set(path = "/a"): NonNullable<Operation> {
  return { case: "setData", value: { path } };
}

function get(watchId = 0n): NonNullable<Operation> {
  return { case: "getData", value: { path: "/a", watchId } };
}

function seqs(requests: readonly SessionRequest[]): bigint[] {
  return requests.map((request) => (request.operation.case === "setData" ? request.operation.value.seq : 0n));
}

describe("numbering", () => {
  it("numbers writes and leaves reads alone", () => {
    const { add, sent } = harness();
    add("w1", set());
    add("r", get());
    add("w2", set());
    expect(seqs(sent())).toEqual([1n, 0n, 2n]);
  });

  it("acknowledges what was answered, errors included", () => {
    const { pipeline, add, sent, ok, fail, outcomes } = harness();
    add("w1", set());
    add("w2", set());
    const [first, second] = sent();
    ok(first!);
    expect(pipeline.ackedSeq).toBe(1);
    fail(second!, "NO_NODE");
    expect(pipeline.ackedSeq).toBe(2);
    expect(outcomes).toEqual(["w1 ok", "w2 NO_NODE"]);
  });

  it("keeps no more writes open than the server remembers", () => {
    const { add, sent, ok } = harness();
    for (let i = 0; i < limits.unacknowledgedOutcomes + 5; i++) add("w", set());
    const first = sent();
    expect(first).toHaveLength(limits.unacknowledgedOutcomes);
    expect(sent()).toHaveLength(0);
    ok(first[0]!);
    expect(seqs(sent())).toEqual([BigInt(limits.unacknowledgedOutcomes + 1)]);
  });

  it("refuses a request that fits no message, without using a number", () => {
    const { add, sent, outcomes } = harness();
    add("big", { case: "setData", value: { path: "/a", data: new Uint8Array(limits.requestMessage) } });
    add("small", set());
    expect(seqs(sent())).toEqual([1n]);
    expect(outcomes).toEqual(["big REQUEST_TOO_LARGE"]);
  });

  it("notices an answer out of order", () => {
    const { add, sent, ok } = harness();
    add("w1", set());
    add("w2", set());
    const [, second] = sent();
    expect(ok(second!)).toBe(false);
  });
});

describe("a write refused for the moment", () => {
  it("is sent again with all writes behind it, in order and under the same numbers", () => {
    const { pipeline, add, sent, ok, fail, outcomes } = harness();
    for (const label of ["w1", "w2", "w3"]) add(label, set(`/${label}`));
    const [first, second, third] = sent();
    ok(first!);
    fail(second!, "NO_LEADER");
    add("w4", set("/w4"));
    expect(sent()).toHaveLength(0);
    expect(pipeline.refusalComplete).toBe(false);
    fail(third!, "SEQUENCE_GAP");
    expect(pipeline.refusalComplete).toBe(true);
    pipeline.sendRefusedAgain();
    const again = sent();
    expect(seqs(again)).toEqual([2n, 3n, 4n]);
    for (const request of again) ok(request);
    expect(outcomes).toEqual(["w1 ok", "w2 ok", "w3 ok", "w4 ok"]);
  });

  it("is told to the caller when waiting would not help; those behind it get its number", () => {
    const { pipeline, add, sent, ok, fail, outcomes } = harness();
    add("w1", set());
    add("w2", set());
    const [first, second] = sent();
    fail(first!, "DISK_LOW");
    fail(second!, "DISK_LOW");
    expect(outcomes).toEqual(["w1 DISK_LOW"]);
    pipeline.sendRefusedAgain();
    const again = sent();
    expect(seqs(again)).toEqual([1n]);
    ok(again[0]!);
    expect(outcomes).toEqual(["w1 DISK_LOW", "w2 ok"]);
  });

  it("makes the answer of a later write impossible", () => {
    const { add, sent, ok, fail } = harness();
    add("w1", set());
    add("w2", set());
    const [first, second] = sent();
    fail(first!, "OVERLOADED");
    expect(ok(second!)).toBe(false);
  });
});

describe("a broken stream", () => {
  it("has the unanswered sent again, writes under their numbers, in order", () => {
    const { pipeline, add, sent, ok } = harness();
    add("w1", set("/1"));
    add("w2", set("/2"));
    add("r", get());
    const [first] = sent();
    ok(first!);
    add("w3", set("/3"));
    expect(pipeline.rewind()).toEqual([]);
    const again = sent();
    expect(again.map((request) => request.operation.case)).toEqual(["setData", "getData", "setData"]);
    expect(seqs(again)).toEqual([2n, 0n, 3n]);
  });

  it("ends requests that belong to the stream", () => {
    const { pipeline, add, sent } = harness();
    add("watching read", get(7n));
    add("w1", set());
    add("watch", { case: "addWatch", value: { watchId: 1n } });
    sent();
    expect(pipeline.rewind().map((request) => request.message.operation.case)).toEqual(["getData", "addWatch"]);
    expect(seqs(sent())).toEqual([1n]);
  });

  it("numbers anew what lies behind a refused write", () => {
    const { pipeline, add, sent, fail } = harness();
    for (const label of ["w1", "w2", "w3"]) add(label, set(`/${label}`));
    const [first] = sent();
    fail(first!, "DISK_LOW");
    pipeline.rewind();
    const again = sent();
    expect(seqs(again)).toEqual([1n, 2n]);
    expect(again.map((request) => request.operation.value)).toMatchObject([{ path: "/w2" }, { path: "/w3" }]);
  });
});
