/**
 * Who may speak as a member: the handshake of every call between servers is judged here, the refused ones are counted,
 * and logged once in a while.
 */
import type { Logger } from "pino";
import type { PeerHello } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { refusal, type Refusal } from "../base/reasons.ts";
import { helloOf, protocolVersion, type Hello } from "../rpc/peer-hello.ts";

/** A process that was heard of within this time keeps its member id against another one; milliseconds. */
const incumbentMs = 1000;
/** How often the same complaint is logged, milliseconds. */
const repeatLogMs = 30_000;

export interface AdmissionRules {
  readonly self: number;
  /** Who may call. */
  isMember(id: number): boolean;
  /** "" while this server belongs to no cluster. */
  clusterId(): string;
}

/** The process that last spoke as a member. */
interface Incumbent {
  incarnation: number;
  heardAt: number;
}

export class PeerAdmission {
  /** Calls refused since the process started. */
  refused = 0;
  /** Malformed messages since the process started. */
  malformed = 0;
  private readonly rules: AdmissionRules;
  private readonly logger: Logger;
  private readonly incumbents = new Map<number, Incumbent>();
  private readonly loggedAt = new Map<string, number>();

  constructor(rules: AdmissionRules, logger: Logger) {
    this.rules = rules;
    this.logger = logger;
  }

  /**
   * Judges a hello. `certified` are the members that the caller's certificate names; undefined without TLS. Throws
   * InvalidMessage when it is malformed.
   */
  admit(message: PeerHello, certified: ReadonlySet<number> | undefined, peer: string): Hello | Refusal {
    const problem = this.problem(message, certified);
    if (problem === undefined) {
      const hello = helloOf(message);
      this.heard(hello);
      return hello;
    }
    this.refused++;
    this.complain(`${problem.reason} ${message.memberId}`, "refused a call of another server", {
      reason: problem.reason,
      problem: problem.message,
      peer,
    });
    return problem;
  }

  private problem(message: PeerHello, certified: ReadonlySet<number> | undefined): Refusal | undefined {
    // First of all: another version may mean something else by the other fields.
    if (message.protocolVersion !== protocolVersion) {
      const version = String(protocolVersion);
      const text = `protocol version ${message.protocolVersion} is not spoken here, but ${version}`;
      return refusal("PROTOCOL_VERSION", text, { version });
    }
    const { clusterId, memberId, receiverId, incarnation } = helloOf(message);
    const { self } = this.rules;
    const ids = { member_id: String(memberId), receiver_id: String(self) };
    if (receiverId !== self) {
      return refusal("WRONG_MEMBER", `member ${receiverId} was called, but this is member ${self}`, ids);
    }
    if (memberId === self) {
      return refusal("DUPLICATE_MEMBER", `another process calls itself member ${memberId}, as this one does`, {
        member_id: ids.member_id,
      });
    }
    if (!this.rules.isMember(memberId)) return refusal("WRONG_MEMBER", `there is no member ${memberId}`, ids);
    if (certified !== undefined && !certified.has(memberId)) {
      return refusal("WRONG_MEMBER", `the certificate is not one of member ${memberId}`, ids);
    }
    const own = this.rules.clusterId();
    if (own !== "" && clusterId !== "" && own !== clusterId) {
      const text = `member ${memberId} belongs to cluster ${clusterId}, but this is ${own}`;
      return refusal("WRONG_CLUSTER", text, { cluster_id: own });
    }
    const incumbent = this.incumbents.get(memberId);
    if (incumbent === undefined || incumbent.incarnation === incarnation) return undefined;
    if (performance.now() - incumbent.heardAt >= incumbentMs) return undefined;
    const text = `another process was member ${memberId} a moment ago`;
    return refusal("DUPLICATE_MEMBER", text, { member_id: ids.member_id });
  }

  /** A process that was admitted has said something. */
  heard({ memberId, incarnation }: Pick<Hello, "memberId" | "incarnation">): void {
    const incumbent = this.incumbents.get(memberId);
    if (incumbent === undefined) this.incumbents.set(memberId, { incarnation, heardAt: performance.now() });
    else {
      incumbent.incarnation = incarnation;
      incumbent.heardAt = performance.now();
    }
  }

  /** A process has taken its leave: another one may be that member at once. */
  left({ memberId, incarnation }: Pick<Hello, "memberId" | "incarnation">): void {
    if (this.incumbents.get(memberId)?.incarnation === incarnation) this.incumbents.delete(memberId);
  }

  /** A malformed message has ended a call. */
  malformedFrom(peer: string, problem: string): void {
    this.malformed++;
    this.complain(`malformed ${peer.replace(/:\d+$/, "")}`, "a malformed message of another server", { peer, problem });
  }

  /** Logs a complaint unless it was logged a moment ago. */
  complain(key: string, text: string, details: object): void {
    const now = performance.now();
    if (now - (this.loggedAt.get(key) ?? -Infinity) < repeatLogMs) return;
    // Whoever calls chooses part of the key.
    if (this.loggedAt.size > 1000) this.loggedAt.clear();
    this.loggedAt.set(key, now);
    this.logger.warn(details, text);
  }
}
