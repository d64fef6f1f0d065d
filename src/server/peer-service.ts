/**
 * The calls that other servers make here: each is judged by its first message, then read message by message. Whatever is
 * malformed is counted and ends its call.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import type { ServerDuplexStream, ServerWritableStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Logger } from "pino";
import {
  ElectRequestSchema,
  ElectResponseSchema,
  FollowResponseSchema,
  PeerHelloSchema,
  type PeerHello,
} from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { refusal, type Refusal } from "../base/reasons.ts";
import { InvalidMessage } from "../rpc/convert.ts";
import { protocolVersion, type Hello } from "../rpc/peer-hello.ts";
import { LinkReader } from "../rpc/peer-link-reader.ts";
import { notificationOf } from "../rpc/peer-notification.ts";
import { decode } from "../rpc/peer-values.ts";
import { asBuffer } from "../rpc/service-definition.ts";
import { statusOf } from "../rpc/status.ts";
import { WireError } from "../rpc/wire.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { PeerAdmission } from "./peer-admission.ts";
import type { LinkCall, PeerLink } from "./peer-link.ts";
import { serveSnapshot, type OpenSnapshotById } from "./peer-snapshots.ts";
import { membersOf } from "./peer-tls.ts";

/** How long the first message of a call may take, milliseconds. */
const helloMs = 2000;

/** A call on which messages come in. */
export type IncomingCall = ServerDuplexStream<Buffer, Buffer>;

export interface PeerServiceHost {
  readonly admission: PeerAdmission;
  readonly logger: Logger;
  readonly usesTls: boolean;
  readonly openSnapshot: OpenSnapshotById;
  /** Bytes that may wait for one link. */
  readonly backlogMax: number;
  clientAddress(): string;
  /** A member's notifications come on this call from here on. */
  electOpened(call: IncomingCall, hello: Hello): void;
  notified(call: IncomingCall, hello: Hello, notification: Notification): void;
  electEnded(call: IncomingCall, member: number): void;
  /** A learner opens a link. */
  newLink(member: number, call: LinkCall): PeerLink;
  linkOpened(link: PeerLink): void;
  linkReceived(link: PeerLink, message: LinkMessage): void;
  linkEnded(link: PeerLink): void;
}

export class PeerServiceCalls {
  private readonly host: PeerServiceHost;

  constructor(host: PeerServiceHost) {
    this.host = host;
  }

  get implementation(): UntypedServiceImplementation {
    return {
      elect: (call: IncomingCall) => {
        this.elect(call);
      },
      follow: (call: IncomingCall) => {
        this.follow(call);
      },
      fetchSnapshot: (call: ServerWritableStream<Buffer, Buffer>) => {
        this.fetchSnapshot(call);
      },
    };
  }

  private elect(call: IncomingCall): void {
    const { host } = this;
    const peer = call.getPeer();
    let hello: Hello | undefined;
    const timer = this.expectHello(call);
    const over = (): void => {
      clearTimeout(timer);
      if (hello !== undefined) host.electEnded(call, hello.memberId);
    };
    call.on("data", (bytes: Buffer) => {
      const problem = readMessage(host.admission, peer, () => {
        const message = decode(ElectRequestSchema, bytes);
        if (hello !== undefined) {
          host.notified(call, hello, notificationOf(message));
          return undefined;
        }
        const admitted = this.admit(call, message.hello);
        if ("reason" in admitted) return admitted;
        hello = admitted;
        clearTimeout(timer);
        host.electOpened(call, hello);
        const response = create(ElectResponseSchema, { accepted: this.accepted() });
        call.write(asBuffer(toBinary(ElectResponseSchema, response)));
        return undefined;
      });
      if (problem === undefined) return;
      over();
      refuse(call, problem);
    });
    call.on("end", () => {
      if (hello !== undefined) host.admission.left(hello);
      over();
      call.end();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, over);
  }

  private follow(call: IncomingCall): void {
    const { host } = this;
    const peer = call.getPeer();
    let link: PeerLink | undefined;
    let problem: Refusal | undefined;
    const timer = this.expectHello(call);
    const reader = new LinkReader("learner", (message) => {
      if (link === undefined) throw new InvalidMessage("the first message must carry hello", "hello");
      host.linkReceived(link, message);
    });
    const opened = (content: Buffer): void => {
      if (link !== undefined) throw new InvalidMessage("hello was said before", "hello");
      const admitted = this.admit(call, decode(PeerHelloSchema, content));
      if ("reason" in admitted) {
        problem = admitted;
        return;
      }
      clearTimeout(timer);
      link = this.newLink(call, admitted.memberId);
    };
    const over = (): void => {
      clearTimeout(timer);
      if (link !== undefined) host.linkEnded(link);
    };
    call.on("data", (bytes: Buffer) => {
      if (problem !== undefined || link?.isOver === true) return;
      problem = readMessage(host.admission, peer, () => {
        reader.message(bytes, opened);
        return problem;
      });
      if (problem === undefined) return;
      over();
      refuse(call, problem);
    });
    call.on("end", () => {
      over();
      call.end();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, over);
  }

  private newLink(call: IncomingCall, member: number): PeerLink {
    const { host } = this;
    const limit = String(host.backlogMax);
    const link = host.newLink(member, {
      write: (message, taken) => call.write(message, taken),
      end: (overflow) => {
        if (overflow) refuse(call, refusal("SLOW_CONSUMER", "too much waits to be read", { limit }));
        else call.end();
      },
    });
    const response = create(FollowResponseSchema, { accepted: this.accepted() });
    call.write(asBuffer(toBinary(FollowResponseSchema, response)));
    host.linkOpened(link);
    return link;
  }

  private fetchSnapshot(call: ServerWritableStream<Buffer, Buffer>): void {
    const { admission, logger, openSnapshot } = this.host;
    const admit = (hello: PeerHello | undefined): Refusal | undefined => {
      const admitted = this.admit(call, hello);
      return "reason" in admitted ? admitted : undefined;
    };
    serveSnapshot(call, admit, openSnapshot).catch((error: unknown) => {
      if (error instanceof InvalidMessage) {
        admission.malformedFrom(call.getPeer(), error.message);
        call.emit("error", statusOf(error.refusal));
        return;
      }
      logger.warn({ err: error }, "a checkpoint could not be sent");
      call.emit("error", statusOf(refusal("INTERNAL", "the checkpoint could not be sent")));
    });
  }

  private accepted(): { protocolVersion: number; clientAddress: string } {
    return { protocolVersion, clientAddress: this.host.clientAddress() };
  }

  private admit(call: IncomingCall | ServerWritableStream<Buffer, Buffer>, hello: PeerHello | undefined) {
    if (hello === undefined) throw new InvalidMessage("the first message must carry hello", "hello");
    const { admission, usesTls } = this.host;
    return admission.admit(hello, usesTls ? certifiedMembers(call) : undefined, call.getPeer());
  }

  /** Strangers do not keep calls open. */
  private expectHello(call: IncomingCall): NodeJS.Timeout {
    return setTimeout(() => {
      refuse(call, refusal("BAD_ARGUMENTS", "no hello came in time", { field: "hello" }));
    }, helloMs);
  }
}

function certifiedMembers(call: IncomingCall | ServerWritableStream<Buffer, Buffer>): ReadonlySet<number> {
  const certificate = call.getAuthContext().sslPeerCertificate as { subjectaltname?: string } | undefined;
  return membersOf(certificate?.subjectaltname);
}

/** Reads a message; a malformed one is counted, and a reason to end its call. */
export function readMessage(
  admission: PeerAdmission,
  peer: string,
  read: () => Refusal | undefined,
): Refusal | undefined {
  try {
    return read();
  } catch (error) {
    const malformed = error instanceof WireError ? new InvalidMessage(error.message, "") : error;
    if (!(malformed instanceof InvalidMessage)) throw error;
    admission.malformedFrom(peer, malformed.message);
    return malformed.refusal;
  }
}

function refuse(call: IncomingCall, problem: Refusal): void {
  call.emit("error", statusOf(problem));
}
