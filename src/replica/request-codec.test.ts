import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeErrorOf } from "../../test/support/decode-error.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { reasons, type Refusal } from "../base/reasons.ts";
import type { MultiOperation, WriteRequest } from "../tree/request.ts";
import { beginAnswers, decodeAnswers, encodeAnswer, type LeaderAnswer } from "./answer-codec.ts";
import {
  beginRequests,
  decodeHead,
  decodeRequest,
  encodeRequest,
  endRequests,
  isEncodable,
  type LearnerRequest,
} from "./request-codec.ts";

const whole = fc.oneof(fc.nat(100), fc.maxSafeNat());
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const data = fc.option(fc.uint8Array({ maxLength: 100 }));
const version = fc.option(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer()));
const acl = fc.array(fc.record({ permissions: whole, scheme: text, id: text }), { maxLength: 3 });
const identities = fc.array(fc.record({ scheme: text, id: text }), { maxLength: 3 });
const problem: fc.Arbitrary<Refusal> = fc.record({
  reason: fc.constantFrom(...reasons),
  message: text,
  metadata: fc.dictionary(
    // Keys that look like numbers change their place in an object.
    text.filter((key) => !/^\d+$/.test(key) && key !== "__proto__"),
    text,
    { maxKeys: 3, noNullPrototype: true },
  ),
});

const create = fc.record({ kind: fc.constant("create" as const), path: text, data, mode: whole, acl: fc.option(acl) });
const remove = fc.record({ kind: fc.constant("delete" as const), path: text, version });
const setData = fc.record({ kind: fc.constant("setData" as const), path: text, data, version });
const setAcl = fc.record({ kind: fc.constant("setAcl" as const), path: text, acl, version });
const check = fc.record({ kind: fc.constant("check" as const), path: text, version, exists: fc.boolean() });
const operation: fc.Arbitrary<MultiOperation> = fc.oneof(create, remove, setData, setAcl, check);

const write: fc.Arbitrary<WriteRequest> = fc.oneof(
  create,
  remove,
  setData,
  setAcl,
  fc.record({ kind: fc.constant("deleteSubtree" as const), path: text }),
  fc.record(
    { kind: fc.constant("multi" as const), operations: fc.array(operation, { maxLength: 4 }), problem },
    { requiredKeys: ["kind", "operations"], noNullPrototype: true },
  ),
);

const number = fc.record({ epoch: whole, count: whole });

const request: fc.Arbitrary<LearnerRequest> = fc.oneof(
  fc
    .record({ stream: whole, session: whole, identities, seq: whole, acked: whole, fingerprint: whole, request: write })
    .map((asked) => ({
      kind: "write" as const,
      ...asked,
      ...(asked.stream === 0 ? {} : { session: 0, identities: [] }),
    })),
  fc.record({
    kind: fc.constant("open" as const),
    opening: fc.record({ clientKey: text, secretHash: text, timeoutMs: whole, identities }),
    who: text,
  }),
  fc.record({ kind: fc.constant("close" as const), session: whole }),
  fc.record({
    kind: fc.constant("attach" as const),
    stream: whole,
    session: whole,
    identities,
    number: fc.option(number, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("detach" as const), stream: whole }),
  fc.record({ kind: fc.constant("readIndex" as const) }),
  fc.record({
    kind: fc.constant("touch" as const),
    proof: fc.boolean(),
    sessions: fc.array(fc.record({ session: whole, acked: whole }), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant("outcome" as const), session: whole, secretHash: text, seq: whole }),
  fc.record({ kind: fc.constant("digest" as const), zxid: whole, digest: whole }),
);

const ticket = whole;
const answer: fc.Arbitrary<LeaderAnswer> = fc.oneof(
  fc.record({ kind: fc.constant("proposed" as const), ticket, zxid: whole }),
  fc.record({ kind: fc.constant("repeated" as const), ticket, zxid: whole, code: fc.nat(30), failedOp: whole }),
  fc.record({ kind: fc.constant("refused" as const), ticket, refusal: problem }),
  fc.record({ kind: fc.constant("declined" as const), ticket }),
  fc.record({ kind: fc.constant("attached" as const), ticket, number, zxid: whole }),
  fc.record({ kind: fc.constant("touched" as const), ticket, ended: fc.array(whole, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant("readIndex" as const), ticket, zxid: whole }),
  fc.record({
    kind: fc.constant("outcome" as const),
    ticket,
    report: fc.oneof(
      fc.record({ state: fc.constantFrom("notSeen" as const, "pending" as const), ended: fc.boolean() }),
      fc.record({ state: fc.constant("forgotten" as const), ended: fc.boolean() }),
      fc.record({ state: fc.constant("succeeded" as const), zxid: whole, ended: fc.boolean() }),
      fc.record({ state: fc.constant("failed" as const), zxid: whole, refusal: problem, ended: fc.boolean() }),
    ),
  }),
  fc.record({ kind: fc.constant("moved" as const), stream: whole }),
  fc.record({ kind: fc.constant("verdict" as const), zxid: whole, digest: fc.option(whole, { nil: undefined }) }),
);

function encoded(requests: readonly LearnerRequest[], firstTicket: number): Uint8Array {
  const writer = new ByteWriter(16);
  beginRequests(writer, firstTicket);
  for (const each of requests) encodeRequest(each, writer);
  endRequests(writer, requests.length);
  return writer.copy();
}

function decoded(bytes: Uint8Array): { requests: LearnerRequest[]; firstTicket: number } {
  const reader = new ByteReader(bytes);
  const { count, firstTicket } = decodeHead(reader);
  const requests: LearnerRequest[] = [];
  for (let i = 0; i < count; i++) requests.push(decodeRequest(reader));
  expect(reader.done).toBe(true);
  return { requests, firstTicket };
}

function encodedAnswers(answers: readonly LeaderAnswer[]): Uint8Array {
  const writer = new ByteWriter(16);
  beginAnswers(writer);
  for (const each of answers) encodeAnswer(each, writer);
  return writer.copy();
}

function decodedAnswers(bytes: Uint8Array): LeaderAnswer[] {
  const answers: LeaderAnswer[] = [];
  decodeAnswers(new ByteReader(bytes), (each) => answers.push(each));
  return answers;
}

describe("requests", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 5 }), whole, (requests, firstTicket) => {
        expect(decoded(encoded(requests, firstTicket))).toEqual({ requests, firstTicket });
      }),
    );
  });

  it("have one encoding: whatever bytes can be read are those that would be written", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 3 }), fc.nat(), fc.nat(255), (requests, at, byte) => {
        const bytes = encoded(requests, 7);
        bytes[at % bytes.length] = byte;
        const error = decodeErrorOf(() => {
          const reader = new ByteReader(bytes);
          const { count, firstTicket } = decodeHead(reader);
          const found: LearnerRequest[] = [];
          // A count that lies is found by whoever reads; here it only must not take for ever.
          for (let i = 0; i < Math.min(count, 10); i++) found.push(decodeRequest(reader));
          if (reader.done && count <= 10) expect(encoded(found, firstTicket)).toEqual(bytes);
        });
        if (error !== undefined) expect(error.name).toBe("DecodeError");
      }),
      { numRuns: 500 },
    );
  });

  it("that are garbage are refused with a DecodeError and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeErrorOf(() => decodeRequest(new ByteReader(bytes)));
        decodeErrorOf(() => decodeHead(new ByteReader(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  it("cannot carry half a surrogate pair, wherever it is", () => {
    const half = "\ud800";
    const entry = (id: string) => [{ permissions: 1, scheme: "digest", id }];
    const unsendable: WriteRequest[] = [
      { kind: "delete", path: `/${half}`, version: null },
      { kind: "setAcl", path: "/a", acl: entry(half), version: null },
      { kind: "create", path: "/a", data: null, mode: 1, acl: entry(`${half}x`) },
      { kind: "multi", operations: [{ kind: "delete", path: half, version: null }] },
    ];
    expect(unsendable.map(isEncodable)).toEqual([false, false, false, false]);
    expect(isEncodable({ kind: "create", path: "/\u{1f600}", data: null, mode: 1, acl: null })).toBe(true);
  });
});

describe("answers", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 6 }), (answers) => {
        expect(decodedAnswers(encodedAnswers(answers))).toEqual(answers);
      }),
    );
  });

  it("have one encoding, and garbage is refused with a DecodeError", () => {
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(255), (answers, at, byte) => {
        const bytes = encodedAnswers(answers);
        bytes[at % bytes.length] = byte;
        decodeErrorOf(() => {
          expect(encodedAnswers(decodedAnswers(bytes))).toEqual(bytes);
        });
      }),
      { numRuns: 500 },
    );
  });
});
