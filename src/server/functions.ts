/**
 * The service functions: what each RPC does, independent of the transport. grpc-js and Connect mount the same ones.
 */
import { create, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import {
  GetStatusResponseSchema,
  ListMembersResponseSchema,
  type GetStatusRequest,
  type ListMembersRequest,
} from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
import { ResponseHeaderSchema, type ResponseHeader } from "../../gen/ts/zabtree/v1/common_pb.js";
import {
  CloseSessionResponseSchema,
  GetOutcomeResponseSchema,
  KeepSessionAliveResponseSchema,
  OutcomeState,
  type CloseSessionRequest,
  type GetOutcomeRequest,
  type KeepSessionAliveRequest,
  type OpenSessionRequest,
  type WhoAmIRequest,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import type {
  CountDescendantsRequest,
  CreateRequest,
  DeleteRequest,
  DeleteSubtreeRequest,
  ExistsRequest,
  GetAclRequest,
  GetDataRequest,
  ListChildrenRequest,
  ListEphemeralsRequest,
  MultiReadRequest,
  MultiRequest,
  SetAclRequest,
  SetDataRequest,
  SyncRequest,
} from "../../gen/ts/zabtree/v1/tree_pb.js";
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Freshness, ReadRequest } from "../replica/read-request.ts";
import type { LocalSession } from "../replica/local-session.ts";
import { waiterOf } from "../replica/waiter.ts";
import {
  childrenRead,
  createRequest,
  deleteRequest,
  deleteSubtreeRequest,
  ephemeralsRead,
  errorMessage,
  freshnessOf,
  InvalidMessage,
  multiRead,
  multiRequest,
  setAclRequest,
  setDataRequest,
  toNumber,
} from "../rpc/convert.ts";
import { MessageSink } from "../rpc/responses.ts";
import { formatIdentities } from "../sessions/session-table.ts";
import { formatDigest } from "../tree/digest.ts";
import type { Identity } from "../tree/acl.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { ServerCore } from "./core.ts";
import {
  addressIdentity,
  authenticate,
  hashSecret,
  identityOf,
  type AuthenticatedCaller,
  type CallContext,
} from "./identity.ts";
import { listMembers, ownRole, quorumFacts } from "./members.ts";
import { version } from "./version.ts";

/** Called once: with a refusal, or with the response. */
export type Reply = (problem: Refusal | undefined, response: Message | undefined) => void;

/** A unary function. It never throws: what goes wrong is a refusal. */
export type UnaryFunction = (request: Message, context: CallContext, reply: Reply) => void;

export type UnaryFunctions = Readonly<Record<string, UnaryFunction>>;

/** Wraps a function so that a malformed message is refused and a broken invariant ends the process. */
function unary<Request extends Message>(
  core: ServerCore,
  run: (request: Request, context: CallContext, reply: Reply) => void,
): UnaryFunction {
  return (request, context, reply) => {
    core.input(() => {
      refusingMalformed(reply, () => {
        run(request as Request, context, reply);
      });
    });
  };
}

/** Also around what runs later: whoever calls back there knows nothing of messages. */
function refusingMalformed(reply: Reply, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof InvalidMessage)) throw error;
    reply(error.refusal, undefined);
  }
}

/** A function whose caller is known first. `refused` is for callers that are not who they say. */
function authenticated<Request extends Message>(
  core: ServerCore,
  run: (request: Request, who: AuthenticatedCaller, reply: Reply) => void,
  refused: (problem: Refusal, request: Request, context: CallContext, reply: Reply) => void = (
    problem,
    _r,
    _c,
    reply,
  ) => {
    reply(problem, undefined);
  },
): UnaryFunction {
  return unary<Request>(core, (request, context, reply) => {
    authenticate(core.replica, context, (who) => {
      refusingMalformed(reply, () => {
        if ("reason" in who) refused(who, request, context, reply);
        else run(request, who, reply);
      });
    });
  });
}

export function headerMessage(core: ServerCore, zxid: number): ResponseHeader {
  return create(ResponseHeaderSchema, {
    clusterId: core.clusterId,
    memberId: BigInt(core.memberId),
    epoch: BigInt(core.epoch),
    zxid: BigInt(zxid),
  });
}

function sinkOf(core: ServerCore, reply: Reply): MessageSink {
  return new MessageSink(
    (_call, zxid, result) => {
      assert(result.case !== "addWatch" && result.case !== "cancelWatch", "a unary call has no watches");
      result.value.header = headerMessage(core, zxid);
      reply(undefined, result.value);
    },
    (_call, _zxid, problem) => {
      reply(problem, undefined);
    },
  );
}

interface Numbered {
  readonly seq: bigint;
  readonly ackedSeq: bigint;
}

/** All functions of TreeService except the streaming one. */
export function treeFunctions(core: ServerCore): UnaryFunctions {
  const write = <Request extends Message & Numbered>(convert: (request: Request) => WriteRequest): UnaryFunction =>
    authenticated<Request>(
      core,
      (request, { caller, live }, reply) => {
        core.replica.write({
          request: convert(request),
          seq: toNumber(request.seq, "seq"),
          ackedSeq: toNumber(request.ackedSeq, "acked_seq"),
          caller,
          live,
          sink: sinkOf(core, reply),
          call: 0,
        });
      },
      (problem, { seq }, context, reply) => {
        withOutcome(core, problem, { context, seq }, (known) => {
          reply(known, undefined);
        });
      },
    );
  const read = <Request extends Message>(
    convert: (request: Request) => ReadRequest,
    freshness: (request: Request) => Freshness,
  ): UnaryFunction => unaryRead(core, convert, freshness);
  return {
    create: write<CreateRequest>(createRequest),
    delete: write<DeleteRequest>(deleteRequest),
    deleteSubtree: write<DeleteSubtreeRequest>(deleteSubtreeRequest),
    setData: write<SetDataRequest>(setDataRequest),
    setAcl: write<SetAclRequest>(setAclRequest),
    multi: write<MultiRequest>(multiRequest),
    exists: read<ExistsRequest>(
      ({ path, watchId }) => ({ kind: "exists", path, watchId: toNumber(watchId, "watch_id") }),
      offStream,
    ),
    getData: read<GetDataRequest>(
      ({ path, watchId }) => ({ kind: "data", path, watchId: toNumber(watchId, "watch_id") }),
      offStream,
    ),
    listChildren: read<ListChildrenRequest>(childrenRead, offStream),
    countDescendants: read<CountDescendantsRequest>(({ path }) => ({ kind: "count", path }), offStream),
    listEphemerals: read<ListEphemeralsRequest>(ephemeralsRead, offStream),
    getAcl: read<GetAclRequest>(({ path }) => ({ kind: "acl", path }), offStream),
    multiRead: read<MultiReadRequest>(multiRead, offStream),
    sync: read<SyncRequest>(
      () => ({ kind: "sync" }),
      () => ({ linearizable: true, minZxid: 0 }),
    ),
  };
}

/** A retry that finds its session ended is told what became of the write, while that is remembered. */
function withOutcome(
  core: ServerCore,
  refused: Refusal,
  { context, seq }: { context: CallContext; seq: bigint },
  done: (problem: Refusal) => void,
): void {
  const id = context.metadata("zabtree-session-id");
  const secret = context.metadata("zabtree-session-secret-bin");
  if (refused.reason !== "SESSION_EXPIRED" || seq <= 0n || typeof secret !== "object") {
    done(refused);
    return;
  }
  core.replica.outcome(Number(id), hashSecret(secret), toNumber(seq, "seq"), (outcome) => {
    if ("reason" in outcome) {
      done(refused);
      return;
    }
    const metadata: Record<string, string> = { ...refused.metadata, seq: String(seq), outcome: outcome.state };
    if ("zxid" in outcome) metadata["zxid"] = String(outcome.zxid);
    if ("refusal" in outcome) metadata["outcome_reason"] = outcome.refusal.reason;
    done({ ...refused, metadata });
  });
}

function offStream(request: Parameters<typeof freshnessOf>[0]): Freshness {
  return freshnessOf(request, false);
}

function unaryRead<Request extends Message>(
  core: ServerCore,
  convert: (request: Request) => ReadRequest,
  freshness: (request: Request) => Freshness,
): UnaryFunction {
  return authenticated<Request>(core, (request, { caller }, reply) => {
    core.replica.readUnary({
      sink: sinkOf(core, reply),
      call: 0,
      request: convert(request),
      caller,
      freshness: freshness(request),
    });
  });
}

/** All functions of SessionService except AttachSession. */
export function sessionFunctions(core: ServerCore): UnaryFunctions {
  const ofSession = <Request extends Message>(
    run: (live: LocalSession, request: Request, reply: Reply) => void,
  ): UnaryFunction =>
    authenticated<Request>(core, (request, { live }, reply) => {
      if (live === undefined) reply(refusal("SESSION_REQUIRED", "this needs a session"), undefined);
      else run(live, request, reply);
    });
  return {
    openSession: unary<OpenSessionRequest>(core, (request, context, reply) => {
      openSession(core, request, context, reply);
    }),
    keepSessionAlive: ofSession<KeepSessionAliveRequest>((live, _request, reply) => {
      core.replica.keepAlive(live, (remainingMs) => {
        if (typeof remainingMs === "object") {
          reply(remainingMs, undefined);
          return;
        }
        const header = headerMessage(core, core.appliedZxid);
        reply(undefined, respond(KeepSessionAliveResponseSchema, { header, remainingMs }));
      });
    }),
    closeSession: ofSession<CloseSessionRequest>((live, _request, reply) => {
      const sink = new MessageSink(
        (_call, zxid) => {
          reply(undefined, respond(CloseSessionResponseSchema, { header: headerMessage(core, zxid) }));
        },
        (_call, _zxid, problem) => {
          reply(problem, undefined);
        },
      );
      core.replica.close(live, waiterOf(sink, 0));
    }),
    getOutcome: unary<GetOutcomeRequest>(core, (request, context, reply) => {
      getOutcome(core, request, context, reply);
    }),
    whoAmI: unaryRead<WhoAmIRequest>(
      core,
      () => ({ kind: "identities" }),
      () => ({ linearizable: false, minZxid: 0 }),
    ),
  };
}

function respond<Desc extends DescMessage>(schema: Desc, init: Parameters<typeof create<Desc>>[1]): MessageShape<Desc> {
  return create(schema, init);
}

function openSession(core: ServerCore, request: OpenSessionRequest, context: CallContext, reply: Reply): void {
  const { clientKey, secret, timeoutMs, credentials } = request;
  for (const [field, bytes] of Object.entries({ client_key: clientKey, secret })) {
    if (bytes.length < 16 || bytes.length > 64) throw new InvalidMessage(`${field} has 16 to 64 bytes`, field);
  }
  if (timeoutMs < 0) throw new InvalidMessage("timeout_ms is not negative", "timeout_ms");
  if (credentials.length > limits.identities) {
    throw new InvalidMessage(`at most ${limits.identities} credentials`, "credentials");
  }
  const identities: Identity[] = [];
  for (const { scheme, data } of credentials) {
    const identity = identityOf(scheme, data);
    if ("reason" in identity) {
      reply(identity, undefined);
      return;
    }
    identities.push(identity);
  }
  const { sessionTimeoutMsMin: min, sessionTimeoutMsMax: max, sessionTimeoutMsDefault } = limits;
  const address = addressIdentity(context.address);
  const who = formatIdentities(address === undefined ? identities : [...identities, address]);
  core.replica.openSession(
    {
      clientKey: Buffer.from(clientKey).toString("hex"),
      secretHash: hashSecret(secret),
      timeoutMs: timeoutMs === 0 ? sessionTimeoutMsDefault : Math.min(Math.max(timeoutMs, min), max),
      identities,
    },
    who,
    sinkOf(core, reply),
    0,
  );
}

const outcomeStates = {
  notSeen: OutcomeState.NOT_SEEN,
  pending: OutcomeState.PENDING,
  succeeded: OutcomeState.SUCCEEDED,
  failed: OutcomeState.FAILED,
  forgotten: OutcomeState.FORGOTTEN,
} as const;

/** Works for ended sessions too, so it proves ownership by itself. */
function getOutcome(core: ServerCore, request: GetOutcomeRequest, context: CallContext, reply: Reply): void {
  const id = context.metadata("zabtree-session-id");
  const secret = context.metadata("zabtree-session-secret-bin");
  if (typeof id !== "string" || !/^\d{1,15}$/.test(id) || secret === undefined || typeof secret === "string") {
    throw new InvalidMessage("the session metadata is missing or malformed", "zabtree-session-id");
  }
  const seq = toNumber(request.seq, "seq");
  if (seq === 0) throw new InvalidMessage("a seq is positive", "seq");
  core.replica.outcome(Number(id), hashSecret(secret), seq, (outcome) => {
    if ("reason" in outcome) {
      reply(outcome, undefined);
      return;
    }
    reply(
      undefined,
      respond(GetOutcomeResponseSchema, {
        header: headerMessage(core, core.appliedZxid),
        state: outcomeStates[outcome.state],
        sessionEnded: outcome.ended,
        ...("zxid" in outcome ? { zxid: BigInt(outcome.zxid) } : {}),
        ...("refusal" in outcome ? { error: errorMessage(outcome.refusal) } : {}),
      }),
    );
  });
}

/** The functions of ClusterService. */
export function clusterFunctions(core: ServerCore): UnaryFunctions {
  return {
    getStatus: unary<GetStatusRequest>(core, (_request, _context, reply) => {
      const { replica } = core;
      const storage = core.storage.stats();
      const { admission } = core.network ?? {};
      reply(
        undefined,
        respond(GetStatusResponseSchema, {
          header: headerMessage(core, core.appliedZxid),
          version,
          role: ownRole(core),
          leaderId: BigInt(replica.serving ? replica.peer.leader : 0),
          uptimeMs: BigInt(Math.round(performance.now() - core.startedAt)),
          lastLoggedZxid: BigInt(replica.lastLoggedZxid),
          committedZxid: BigInt(replica.committed.zxid),
          oldestZxid: BigInt(storage.oldestZxid),
          checkpointZxid: BigInt(storage.checkpointZxid),
          digest: formatDigest(replica.digest()),
          znodes: BigInt(replica.tree.count),
          dataBytes: BigInt(replica.tree.dataBytes),
          sessions: BigInt(replica.sessions.count),
          ephemerals: BigInt(replica.tree.ephemeralCount),
          watches: BigInt(replica.watchCount),
          attachedSessions: BigInt(replica.attachedCount),
          residentBytes: BigInt(process.memoryUsage.rss()),
          logBytes: BigInt(storage.logBytes),
          checkpointBytes: BigInt(storage.checkpointBytes),
          ...quorumFacts(core),
          recoveringReason: replica.peer.recovering ?? "",
          peerCallsRefused: BigInt(admission?.refused ?? 0),
          peerMessagesMalformed: BigInt(admission?.malformed ?? 0),
        }),
      );
    }),
    listMembers: unary<ListMembersRequest>(core, (_request, _context, reply) => {
      const { replica } = core;
      reply(
        undefined,
        respond(ListMembersResponseSchema, {
          header: headerMessage(core, core.appliedZxid),
          leaderId: BigInt(replica.serving ? replica.peer.leader : 0),
          members: listMembers(core),
        }),
      );
    }),
  };
}
