/** What is written by hand is what the generated code writes; what is read back is what was said; the rest is refused. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ElectRequestSchema,
  FollowRequestSchema,
  FollowResponseSchema,
  LeaderMessageSchema,
  LearnerMessageSchema,
} from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import type { LeaderMessage, LearnerMessage, LinkMessage, Notification } from "../zab/message.ts";
import { InvalidMessage } from "./convert.ts";
import { helloMessage, helloOf } from "./peer-hello.ts";
import { LinkReader, readLeaderMessage, readLearnerMessage } from "./peer-link-reader.ts";
import { encodeLinkMessage, LinkEncoder } from "./peer-link-writer.ts";
import { encodeNotification, notificationOf } from "./peer-notification.ts";
import { WireError } from "./wire.ts";

const clusterId = "0123456789abcdef0123456789abcdef";
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const position = fc.oneof(
  fc.constant({ zxid: 0, epoch: 0 }),
  fc.record({ zxid: fc.integer({ min: 1 }), epoch: fc.integer({ min: 1 }) }),
);
const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
const boundaries = fc
  .array(fc.record({ zxid: fc.integer({ min: 1, max: 100 }), epoch: fc.integer({ min: 1, max: 100 }) }), {
    maxLength: 5,
  })
  .map((steps) => {
    let zxid = 0;
    let epoch = 0;
    return steps.map((step) => ({ zxid: (zxid += step.zxid), epoch: (epoch += step.epoch) }));
  });
const piece = fc.record({ bytes, firstZxid: fc.constant(1), boundaries }).filter((one) => one.boundaries.length > 0);
const cluster = fc.constantFrom("", clusterId);
const type = <T extends string>(name: T) => fc.constant(name);

const learnerMessage: fc.Arbitrary<LearnerMessage> = fc.oneof(
  fc.record({
    type: type("learnerInfo"),
    clusterId: cluster,
    acceptedEpoch: number,
    last: position,
    currentEpoch: number,
    voter: fc.boolean(),
    recovering: fc.boolean(),
  }),
  fc.record({
    type: type("ackEpoch"),
    epoch: number,
    counts: fc.boolean(),
    currentEpoch: number,
    last: position,
    committed: position,
    boundaries,
  }),
  fc.record({ type: type("ackDiff"), epoch: number, zxid: number }),
  fc.record({ type: type("ackNewLeader"), epoch: number, zxid: number }),
  fc.record({ type: type("ack"), epoch: number, zxid: number }),
  fc.record({ type: type("pong"), epoch: number, round: number, diskLow: fc.boolean() }),
  fc.record({ type: type("request"), payload: bytes }),
);

const leaderMessage: fc.Arbitrary<LeaderMessage> = fc.oneof(
  fc.record({ type: type("leaderInfo"), clusterId: cluster, epoch: number }),
  fc.record({ type: type("trunc"), epoch: number, to: position }),
  fc.record({
    type: type("snap"),
    epoch: number,
    offer: fc.record({
      id: fc.string({ maxLength: 20 }),
      at: position,
      bytes: number,
      digest: number,
      chainCrc: fc.nat(0xffffffff),
    }),
    boundaries,
  }),
  fc.record({ type: type("diff"), epoch: number, piece, committed: position }),
  fc.record({
    type: type("newLeader"),
    epoch: number,
    last: position,
    piece: fc.option(piece, { nil: undefined }),
    committed: position,
  }),
  fc.record({ type: type("upToDate"), epoch: number, committed: position }),
  fc
    .record({
      type: type("proposal"),
      epoch: number,
      bytes,
      firstZxid: fc.integer({ min: 1 }),
      count: fc.nat(100),
      committed: position,
    })
    .map(({ count, ...proposal }) => ({ ...proposal, lastZxid: proposal.firstZxid + count })),
  fc.record({ type: type("commit"), epoch: number, committed: position }),
  fc.record({
    type: type("ping"),
    epoch: number,
    round: number,
    committed: position,
    acks: fc.array(fc.record({ member: fc.integer({ min: 1 }), position }), { maxLength: 4 }),
  }),
  fc.record({ type: type("answer"), payload: bytes }),
);

/** Sends messages as one wire message or more, and reads them. */
function through(from: "learner" | "leader", messages: readonly LinkMessage[]): LinkMessage[] {
  const received: LinkMessage[] = [];
  const reader = new LinkReader(from, (message) => received.push(message));
  const encoder = new LinkEncoder();
  for (const message of messages) {
    for (const part of encoder.encode(message).parts) {
      reader.message(part, () => {
        throw new Error("no hello was sent");
      });
    }
  }
  return received;
}

describe("a message of a link", () => {
  it("arrives as it was sent", () => {
    fc.assert(
      fc.property(fc.array(learnerMessage), (messages) => {
        expect(through("learner", messages)).toEqual(messages);
      }),
    );
    fc.assert(
      fc.property(fc.array(leaderMessage), (messages) => {
        expect(through("leader", messages)).toEqual(messages);
      }),
    );
  });

  it("is written by hand as the generated code would write it", () => {
    fc.assert(
      fc.property(learnerMessage, (message) => {
        const written = encodeLinkMessage(message);
        expect(toBinary(LearnerMessageSchema, fromBinary(LearnerMessageSchema, written))).toEqual(written);
      }),
    );
    fc.assert(
      fc.property(leaderMessage, (message) => {
        const written = encodeLinkMessage(message);
        expect(toBinary(LeaderMessageSchema, fromBinary(LeaderMessageSchema, written))).toEqual(written);
      }),
    );
    const [part] = new LinkEncoder().encode({ type: "ack", epoch: 3, zxid: 300 }).parts;
    const read = fromBinary(FollowRequestSchema, part!);
    expect(read.messages[0]!.message).toMatchObject({ case: "ack", value: { epoch: 3n, zxid: 300n } });
  });

  it("is encoded once, however many it is sent to", () => {
    const encoder = new LinkEncoder();
    const message = { type: "commit", epoch: 1, committed: { zxid: 5, epoch: 1 } } as const;
    expect(encoder.encode(message)).toBe(encoder.encode(message));
  });

  it("goes in fragments when it is large", () => {
    const large = new Uint8Array(16 * 1024 * 1024).map((_, index) => index % 251);
    const messages: LinkMessage[] = [
      { type: "commit", epoch: 1, committed: { zxid: 1, epoch: 1 } },
      { type: "proposal", epoch: 1, bytes: large, firstZxid: 2, lastZxid: 2, committed: { zxid: 1, epoch: 1 } },
      { type: "commit", epoch: 1, committed: { zxid: 2, epoch: 1 } },
    ];
    const encoded = new LinkEncoder().encode(messages[1]!);
    expect(encoded.fragmented).toBe(true);
    for (const part of encoded.parts) {
      expect(part.length).toBeLessThan(1024 * 1024 + 100);
      expect(fromBinary(FollowResponseSchema, part).fragment?.content.length).toBeGreaterThan(0);
    }
    const received = through("leader", messages);
    expect(received.map(({ type }) => type)).toEqual(["commit", "proposal", "commit"]);
    expect(Buffer.compare((received[1] as { bytes: Uint8Array }).bytes, large)).toBe(0);
  });

  it("has bytes of its own", () => {
    const encoded = encodeLinkMessage({ type: "request", payload: Uint8Array.of(1, 2, 3) });
    const message = readLearnerMessage(Buffer.from(encoded)) as { payload: Uint8Array };
    expect(message.payload.buffer.byteLength).toBe(3);
  });
});

describe("a malformed message of a link", () => {
  it("is refused, whatever its bytes are", () => {
    const attempt = (read: (content: Buffer) => unknown, content: Uint8Array): void => {
      try {
        read(Buffer.from(content));
      } catch (error) {
        expect(error instanceof InvalidMessage || error instanceof WireError, String(error)).toBe(true);
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (content) => {
        attempt(readLeaderMessage, content);
        attempt(readLearnerMessage, content);
        const reader = new LinkReader("leader", () => undefined);
        attempt((message) => {
          reader.message(message, () => undefined);
        }, content);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.oneof(learnerMessage, leaderMessage), fc.nat(), fc.nat(255), (message, at, value) => {
        const content = encodeLinkMessage(message).slice();
        if (content.length > 0) content[at % content.length] = value;
        attempt(readLeaderMessage, content);
        attempt(readLearnerMessage, content);
      }),
      { numRuns: 2000 },
    );
  });

  const wrong: readonly (readonly [string, Parameters<typeof create<typeof LeaderMessageSchema>>[1]])[] = [
    ["nothing", {}],
    ["a negative epoch", { message: { case: "commit", value: { epoch: -1n } } }],
    ["an epoch above 2^53", { message: { case: "upToDate", value: { epoch: 2n ** 60n } } }],
    ["half a position", { message: { case: "commit", value: { epoch: 1n, committed: { zxid: 5n } } } }],
    ["a proposal of nothing", { message: { case: "proposal", value: { epoch: 1n, firstZxid: 1n, lastZxid: 1n } } }],
    ["a DIFF without a piece", { message: { case: "diff", value: { epoch: 1n } } }],
    ["a SNAP without a checkpoint", { message: { case: "snap", value: { epoch: 1n } } }],
    ["a cluster id of letters", { message: { case: "leaderInfo", value: { clusterId: "x", epoch: 1n } } }],
    [
      "boundaries that descend",
      {
        message: {
          case: "snap",
          value: {
            offer: {},
            boundaries: [
              { zxid: 9n, epoch: 2n },
              { zxid: 8n, epoch: 3n },
            ],
          },
        },
      },
    ],
  ];
  it.each(wrong)("is refused: %s", (_name, init) => {
    const content = toBinary(LeaderMessageSchema, create(LeaderMessageSchema, init));
    expect(() => readLeaderMessage(Buffer.from(content))).toThrow(InvalidMessage);
  });

  it("is refused when it grows without end", () => {
    const reader = new LinkReader("leader", () => undefined);
    const response = create(FollowResponseSchema, { fragment: { content: new Uint8Array(1024 * 1024) } });
    const part = Buffer.from(toBinary(FollowResponseSchema, response));
    expect(() => {
      for (let count = 0; count < 40; count++) reader.message(part, () => undefined);
    }).toThrow(InvalidMessage);
  });
});

describe("a notification", () => {
  const notification: Notification = {
    clusterId,
    state: "leading",
    canLead: true,
    counts: true,
    currentEpoch: 7,
    last: { zxid: 100, epoch: 7 },
    vote: 2,
    epoch: 7,
    hears: [1, 2, 3],
    remembers: { zxid: 90, epoch: 6 },
    forming: { clusterId, founders: [1, 2, 3] },
  };
  const read = (value: Uint8Array): Notification => notificationOf(fromBinary(ElectRequestSchema, value));

  it("arrives as it was sent", () => {
    expect(read(encodeNotification(notification))).toEqual(notification);
    const empty = { ...notification, clusterId: "", forming: undefined, hears: [], vote: 0 };
    expect(read(encodeNotification(empty))).toEqual(empty);
  });

  it.each([
    ["founders out of order", { forming: { clusterId, founders: [2, 1] } }],
    ["founders without a cluster", { forming: { clusterId: "", founders: [1, 2] } }],
    ["a member below 1", { hears: [0] }],
    ["a negative vote", { vote: -1 }],
  ])("is refused: %s", (_name, change) => {
    expect(() => read(encodeNotification({ ...notification, ...change }))).toThrow(InvalidMessage);
  });
});

describe("a hello", () => {
  const hello = { clusterId, memberId: 1, incarnation: 5, receiverId: 2, clientAddress: "127.0.0.1:4281" };

  it("arrives as it was sent", () => {
    expect(helloOf(helloMessage(hello))).toEqual(hello);
  });

  it.each([
    [{ memberId: 0 }],
    [{ memberId: -5 }],
    [{ receiverId: 0 }],
    [{ incarnation: 0 }],
    [{ clusterId: "other" }],
    [{ clientAddress: "a b" }],
    [{ clientAddress: "x".repeat(301) }],
    [{ clientAddress: "\u001b[31m" }],
  ])("is refused with %j", (change) => {
    expect(() => helloOf(helloMessage({ ...hello, ...change }))).toThrow(InvalidMessage);
  });
});
