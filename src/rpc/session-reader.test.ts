/** Reading a session stream's messages, by hand where it is hot, against the generated code. */
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AttachSessionRequestSchema,
  SessionRequestSchema,
  type AttachSessionRequest,
  type SessionRequest,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import type { Freshness } from "../replica/read-request.ts";
import {
  childrenRead,
  createRequest,
  deleteRequest,
  deleteSubtreeRequest,
  ephemeralsRead,
  freshnessOf,
  InvalidMessage,
  multiRead,
  multiRequest,
  setAclRequest,
  setDataRequest,
  toNumber,
  watchSpec,
} from "./convert.ts";
import { readSessionMessage, type SessionRequests } from "./session-reader.ts";
import { WireError } from "./wire.ts";

type Call = readonly [what: string, ...rest: unknown[]];

/** What a reader tells, with copies of the data. Acknowledging nothing says nothing. */
class Recorder implements SessionRequests {
  readonly calls: Call[] = [];

  attach(attach: { sessionId: number; secret: Uint8Array; lastZxid: number }): void {
    this.calls.push(["attach", attach.sessionId, [...attach.secret], attach.lastZxid]);
  }
  acknowledge(seq: number): void {
    if (seq !== 0) this.calls.push(["acknowledge", seq]);
  }
  write(...call: Parameters<SessionRequests["write"]>): void {
    this.calls.push(["write", ...call]);
  }
  read(...call: Parameters<SessionRequests["read"]>): void {
    this.calls.push(["read", ...call]);
  }
  addWatch(...call: Parameters<SessionRequests["addWatch"]>): void {
    this.calls.push(["addWatch", ...call]);
  }
  cancelWatch(...call: Parameters<SessionRequests["cancelWatch"]>): void {
    this.calls.push(["cancelWatch", ...call]);
  }
  closeSession(call: number): void {
    this.calls.push(["closeSession", call]);
  }
  refuse(...call: Parameters<SessionRequests["refuse"]>): void {
    this.calls.push(["refuse", call[0], call[1].reason]);
  }
  heartbeat(id: number): void {
    this.calls.push(["heartbeat", id]);
  }
}

const anyAge: Freshness = { linearizable: false, minZxid: 0 };

/** The plain way: everything by the generated code and the conversions that unary calls use. */
function readPlainly(message: AttachSessionRequest, to: SessionRequests): void {
  const { attach, ackedSeq, requests, heartbeat } = message;
  if (attach !== undefined) {
    const sessionId = toNumber(attach.sessionId, "session_id");
    to.attach({ sessionId, secret: attach.secret, lastZxid: toNumber(attach.lastZxid, "last_zxid") });
  }
  if (ackedSeq !== 0n) to.acknowledge(toNumber(ackedSeq, "acked_seq"));
  for (const request of requests) {
    const call = toNumber(request.callId, "call_id");
    try {
      runPlainly(request, call, to);
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error;
      to.refuse(call, error.refusal);
    }
  }
  if (heartbeat !== undefined) to.heartbeat(toNumber(heartbeat.id, "id"));
}

function runPlainly({ operation }: SessionRequest, call: number, to: SessionRequests): void {
  const { value } = operation;
  const numbered = (request: Parameters<SessionRequests["write"]>[1]) => {
    if (value === undefined || !("seq" in value)) throw new Error("not a write");
    const seq = toNumber(value.seq, "seq");
    const acked = toNumber(value.ackedSeq, "acked_seq");
    to.acknowledge(acked);
    to.write(call, request, seq);
  };
  switch (operation.case) {
    case "create":
      return numbered(createRequest(operation.value));
    case "delete":
      return numbered(deleteRequest(operation.value));
    case "deleteSubtree":
      return numbered(deleteSubtreeRequest(operation.value));
    case "setData":
      return numbered(setDataRequest(operation.value));
    case "setAcl":
      return numbered(setAclRequest(operation.value));
    case "multi":
      return numbered(multiRequest(operation.value));
    case "exists":
    case "getData": {
      const { path, watchId } = operation.value;
      const kind = operation.case === "exists" ? "exists" : "data";
      const read = { kind, path, watchId: toNumber(watchId, "watch_id") } as const;
      return to.read(call, read, freshnessOf(operation.value, true));
    }
    case "listChildren":
      return to.read(call, childrenRead(operation.value), freshnessOf(operation.value, true));
    case "countDescendants":
      return to.read(call, { kind: "count", path: operation.value.path }, freshnessOf(operation.value, true));
    case "listEphemerals":
      return to.read(call, ephemeralsRead(operation.value), freshnessOf(operation.value, true));
    case "getAcl":
      return to.read(call, { kind: "acl", path: operation.value.path }, freshnessOf(operation.value, true));
    case "multiRead":
      return to.read(call, multiRead(operation.value), freshnessOf(operation.value, true));
    case "sync":
      return to.read(call, { kind: "sync" }, { linearizable: true, minZxid: 0 });
    case "whoAmI":
      return to.read(call, { kind: "identities" }, anyAge);
    case "addWatch":
      return to.addWatch(call, toNumber(operation.value.watchId, "watch_id"), watchSpec(operation.value.spec));
    case "cancelWatch":
      return to.cancelWatch(call, toNumber(operation.value.watchId, "watch_id"));
    case "closeSession":
      return to.closeSession(call);
    case undefined:
      throw new InvalidMessage("a request without an operation", "operation");
  }
}

/** Everything that reading comes to: the calls, and how it ended. */
function outcomeOf(read: (to: SessionRequests) => void): { calls: unknown; ended: string } {
  const recorder = new Recorder();
  let ended = "read";
  try {
    read(recorder);
  } catch (error) {
    if (error instanceof InvalidMessage || error instanceof WireError) ended = error.name;
    else throw error;
  }
  return { calls: plain(recorder.calls), ended };
}

/** Data as arrays of numbers, whatever class of bytes they come in. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

// ---- random messages

const int64 = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt(0n, 300n) },
  { weight: 2, arbitrary: fc.bigInt(0n, 2n ** 53n - 1n) },
  { weight: 1, arbitrary: fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -1n, -(2n ** 63n)) },
);
const zero = fc.constant(0n);
const int32 = fc.oneof(fc.integer({ min: -3, max: 300 }), fc.integer());
const text = fc.oneof(fc.constantFrom("", "/", "/a", "/a/b"), fc.string({ unit: "grapheme", maxLength: 20 }));
const data = fc.uint8Array({ maxLength: 200 });
const enumeration = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(-1, 99));
const option = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Leaves out what is undefined. */
function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model).map((made) => {
    for (const key of Object.keys(made)) if (made[key as keyof T] === undefined) delete made[key as keyof T];
    return made;
  });
}

const acl = fc.array(fc.record({ permissions: fc.array(enumeration, { maxLength: 3 }), scheme: text, id: text }), {
  maxLength: 3,
});
const numbers = { seq: int64, ackedSeq: int64 };
const none = { seq: fc.oneof({ weight: 9, arbitrary: zero }, int64), ackedSeq: zero };
const fresh = { consistency: enumeration, minZxid: int64 };
const page = {
  pageSize: int32,
  pageToken: fc.constantFrom("", "YQ", "*", "YQ=="),
  includeStat: fc.boolean(),
  includeData: fc.boolean(),
};

const createOf = (seqs: typeof numbers) =>
  record({ path: text, data: option(data), mode: enumeration, acl: fc.oneof(fc.constant([]), acl), ...seqs });
const deleteOf = (seqs: typeof numbers) => record({ path: text, expectedVersion: option(int32), ...seqs });
const setDataOf = (seqs: typeof numbers) =>
  record({ path: text, data: option(data), expectedVersion: option(int32), ...seqs });
const setAclOf = (seqs: typeof numbers) => record({ path: text, acl, expectedAclVersion: option(int32), ...seqs });

function oneOf(cases: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<{ case: string; value: unknown }> {
  return fc.oneof(...Object.entries(cases).map(([name, value]) => value.map((made) => ({ case: name, value: made }))));
}

const condition = oneOf({ version: int32, exists: fc.boolean() });
const multiOperation = fc.oneof(
  {
    weight: 12,
    arbitrary: oneOf({
      create: createOf(none),
      delete: deleteOf(none),
      setData: setDataOf(none),
      setAcl: setAclOf(none),
      check: record({ path: text, condition: option(condition) }),
    }),
  },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
const readOperation = option(
  oneOf({
    getData: record({ path: text }),
    exists: record({ path: text }),
    getAcl: record({ path: text }),
    listChildren: record({ path: text, ...page }),
  }),
);
const start = option(
  oneOf({ currentState: fc.boolean(), resumeAfter: record({ clusterId: text, zxid: int64, op: int32 }) }),
);
const spec = record({ path: text, scope: enumeration, includeData: fc.boolean(), start });
const operations = <T>(operation: fc.Arbitrary<T>) =>
  fc.array(
    operation.map((made) => (made === undefined ? {} : { operation: made })),
    { maxLength: 4 },
  );

const operation = oneOf({
  create: createOf(numbers),
  delete: deleteOf(numbers),
  deleteSubtree: record({ path: text, ...numbers }),
  exists: record({ path: text, watchId: int64, ...fresh }),
  getData: record({ path: text, watchId: int64, ...fresh }),
  setData: setDataOf(numbers),
  listChildren: record({ path: text, watchId: int64, ...fresh, ...page }),
  countDescendants: record({ path: text, ...fresh }),
  listEphemerals: record({ pathPrefix: text, ...fresh, pageSize: int32, pageToken: page.pageToken }),
  getAcl: record({ path: text, ...fresh }),
  setAcl: setAclOf(numbers),
  multi: record({ operations: operations(multiOperation), ...numbers }),
  multiRead: record({ operations: operations(readOperation), ...fresh }),
  sync: fc.constant({}),
  addWatch: record({ watchId: int64, spec: option(spec) }),
  cancelWatch: record({ watchId: int64 }),
  closeSession: fc.constant({}),
  whoAmI: fc.constant({}),
});

const callId = fc.oneof({ weight: 20, arbitrary: fc.bigInt(0n, 2n ** 53n - 1n) }, { weight: 1, arbitrary: int64 });
const request = fc.oneof(
  { weight: 20, arbitrary: fc.record({ callId, operation }) },
  { weight: 1, arbitrary: fc.record({ callId }) },
);
const message: fc.Arbitrary<AttachSessionRequest> = record({
  attach: option(record({ sessionId: int64, secret: data, lastZxid: int64 })),
  ackedSeq: int64,
  requests: fc.array(request, { maxLength: 5 }),
  heartbeat: option(record({ id: int64 })),
}).map((made) => create(AttachSessionRequestSchema, made as MessageInitShape<typeof AttachSessionRequestSchema>));

const requestMessage: fc.Arbitrary<SessionRequest> = request.map((made) =>
  create(SessionRequestSchema, made as MessageInitShape<typeof SessionRequestSchema>),
);

// ---- the same message in other bytes

interface Field {
  readonly number: number;
  readonly wireType: WireType;
  readonly bytes: Uint8Array;
}

function fieldsOf(bytes: Uint8Array): Field[] {
  const reader = new BinaryReader(bytes);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    fields.push({ number, wireType, bytes: reader.skip(wireType, number) });
  }
  return fields;
}

function join(fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { number, wireType, bytes } of fields) writer.tag(number, wireType).raw(bytes);
  return writer.finish();
}

/** Fields that no version knows yet. */
const unknown: readonly Field[] = [
  { number: 100, wireType: WireType.Varint, bytes: Uint8Array.of(0xff, 0x01) },
  { number: 101, wireType: WireType.Bit64, bytes: new Uint8Array(8).fill(7) },
  { number: 20, wireType: WireType.LengthDelimited, bytes: Uint8Array.of(2, 0xff, 0xff) },
  { number: 536870911, wireType: WireType.Bit32, bytes: new Uint8Array(4).fill(9) },
  { number: 21, wireType: WireType.Varint, bytes: Uint8Array.of(0) },
];

/** The fields in an order of their own, those of one number as they were, with unknown ones between them. */
function disorder(fields: readonly Field[], keys: readonly number[]): Field[] {
  const key = ({ number }: Field) => keys[number % keys.length]!;
  return [...fields, ...unknown].toSorted((a, b) => key(a) - key(b));
}

function disordered(request: SessionRequest, keys: readonly number[]): Uint8Array {
  const fields = fieldsOf(toBinary(SessionRequestSchema, request)).map((field) => {
    if (field.number < 2) return field;
    const content = join(disorder(fieldsOf(new BinaryReader(field.bytes).bytes()), keys));
    return { ...field, bytes: new BinaryWriter().bytes(content).finish() };
  });
  return join(disorder(fields, keys));
}

function around(...requests: Uint8Array[]): Buffer {
  const writer = new BinaryWriter();
  for (const each of requests) writer.tag(3, WireType.LengthDelimited).bytes(each);
  return Buffer.from(writer.finish());
}

describe("messages", () => {
  it("are understood as the generated code understands them", () => {
    fc.assert(
      fc.property(message, (made) => {
        const bytes = Buffer.from(toBinary(AttachSessionRequestSchema, made));
        const decoded = fromBinary(AttachSessionRequestSchema, bytes);
        expect(outcomeOf((to) => readSessionMessage(bytes, to))).toEqual(outcomeOf((to) => readPlainly(decoded, to)));
      }),
      { numRuns: 1500 },
    );
  });

  it("are understood alike in any order of the fields of a request, and with fields that are not known", () => {
    fc.assert(
      fc.property(requestMessage, fc.array(fc.nat(), { minLength: 30, maxLength: 30 }), (made, keys) => {
        const expected = outcomeOf((to) => readPlainly(create(AttachSessionRequestSchema, { requests: [made] }), to));
        expect(outcomeOf((to) => readSessionMessage(around(disordered(made, keys)), to))).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });

  it("pass over unknown fields around the requests", () => {
    const bytes = Buffer.concat([
      join(unknown),
      toBinary(AttachSessionRequestSchema, create(AttachSessionRequestSchema, { heartbeat: { id: 5n } })),
      join(unknown),
    ]);
    expect(outcomeOf((to) => readSessionMessage(bytes, to))).toEqual({ calls: [["heartbeat", 5]], ended: "read" });
  });

  it("of a newer client, with an operation that is not known, are refused in turn", () => {
    const newer = join([{ number: 1, wireType: WireType.Varint, bytes: Uint8Array.of(7) }, unknown[2]!]);
    const known = toBinary(
      SessionRequestSchema,
      create(SessionRequestSchema, { callId: 8n, operation: { case: "whoAmI", value: {} } }),
    );
    expect(outcomeOf((to) => readSessionMessage(around(newer, known), to)).calls).toEqual([
      ["refuse", 7, "BAD_ARGUMENTS"],
      ["read", 8, { kind: "identities" }, anyAge],
    ]);
  });
});

describe("what is malformed ends in a refusal, a WireError or an InvalidMessage and nothing else:", () => {
  const readable = (bytes: Buffer) => outcomeOf((to) => readSessionMessage(bytes, to));

  it("garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readable(Buffer.from(bytes))),
      { numRuns: 5000 },
    );
  });

  it("garbage as a request, and as each operation of one", () => {
    const operationField = fc.integer({ min: 1, max: 25 });
    fc.assert(
      fc.property(operationField, fc.uint8Array({ maxLength: 60 }), (number, bytes) => {
        readable(around(bytes));
        const writer = new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes);
        readable(around(writer.finish()));
      }),
      { numRuns: 5000 },
    );
  });

  it("messages with some bytes changed, and beginnings of messages", () => {
    const change = fc.tuple(fc.nat(10_000), fc.nat(255));
    fc.assert(
      fc.property(message, fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(10_000), (made, changes, cut) => {
        const bytes = Buffer.from(toBinary(AttachSessionRequestSchema, made));
        if (bytes.length === 0) return;
        readable(bytes.subarray(0, cut % bytes.length));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        readable(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])("invalid UTF-8 in the path of operation %i", (number) => {
    const content = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .bytes(Uint8Array.of(0x2f, 0xff, 0xfe))
      .finish();
    const { calls, ended } = readable(
      around(join([{ number, wireType: WireType.LengthDelimited, bytes: new BinaryWriter().bytes(content).finish() }])),
    );
    // What is decoded by hand shows a path that no znode can have.
    if (ended === "read") expect(JSON.stringify(calls)).toContain("\ufffd");
    else expect(ended).toBe("WireError");
  });

  it("many nested groups", () => {
    const groups = Buffer.alloc(100_000, (50 << 3) | 3);
    expect(readable(around(groups)).ended).toBe("WireError");
    const inListing = new BinaryWriter().tag(8, WireType.LengthDelimited).bytes(groups).finish();
    expect(readable(around(inListing)).ended).toBe("WireError");
  });

  it("a length beyond the message, at each level", () => {
    for (const bytes of [
      [0x1a, 5, 0x08],
      [0x1a, 2, 0x32, 5],
      [0x1a, 4, 0x32, 2, 0x0a, 9],
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ]) {
      expect(readable(Buffer.from(bytes)).ended).toBe("WireError");
    }
  });
});

describe("numbers", () => {
  it.each([2n ** 53n, 2n ** 63n - 1n, -1n, -(2n ** 63n)])("out of range are refused: %i", (seq) => {
    const requests = [{ callId: 1n, operation: { case: "setData" as const, value: { path: "/a", seq } } }];
    const bytes = toBinary(AttachSessionRequestSchema, create(AttachSessionRequestSchema, { requests }));
    expect(outcomeOf((to) => readSessionMessage(Buffer.from(bytes), to)).calls).toEqual([
      ["refuse", 1, "BAD_ARGUMENTS"],
    ]);
  });

  it.each([-1, -2147483648, 2147483647, 0])("that are expected versions keep their sign: %i", (expectedVersion) => {
    const requests = [{ callId: 1n, operation: { case: "delete" as const, value: { path: "/a", expectedVersion } } }];
    const bytes = toBinary(AttachSessionRequestSchema, create(AttachSessionRequestSchema, { requests }));
    expect(outcomeOf((to) => readSessionMessage(Buffer.from(bytes), to)).calls).toEqual([
      ["write", 1, { kind: "delete", path: "/a", version: expectedVersion }, 0],
    ]);
  });
});
