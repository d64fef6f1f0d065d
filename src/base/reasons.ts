/**
 * Every way an operation can fail, once, as data.
 *
 * The same table gives the constants below, the gRPC status of each error, the numbers stored in the log, and
 * docs/errors.md. A number or a reason that was ever released is never reused for anything else.
 */

/** Canonical gRPC status codes, as far as they are used here. */
export const GrpcCode = {
  OK: 0,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

interface ReasonRow {
  /** Number in the log; 0 means success and is not in the table. */
  readonly number: number;
  readonly grpc: keyof typeof GrpcCode;
  /** What it means and what to do about it. */
  readonly meaning: string;
  /** Keys of ErrorInfo.metadata that may be present. */
  readonly metadata: readonly string[];
}

export const reasonTable = {
  BAD_ARGUMENTS: {
    number: 1,
    grpc: "INVALID_ARGUMENT",
    meaning: "The request is malformed: a bad path, an unknown mode, a missing field. Correct it.",
    metadata: ["field", "path"],
  },
  NO_NODE: {
    number: 2,
    grpc: "NOT_FOUND",
    meaning: "The znode, or for a create its parent, does not exist.",
    metadata: ["path", "operation"],
  },
  NODE_EXISTS: {
    number: 3,
    grpc: "ALREADY_EXISTS",
    meaning: "A znode of that path exists already.",
    metadata: ["path", "operation"],
  },
  BAD_VERSION: {
    number: 4,
    grpc: "ABORTED",
    meaning: "The znode has another version than the one expected. Read it again and decide anew.",
    metadata: ["path", "expected_version", "actual_version", "operation"],
  },
  NOT_EMPTY: {
    number: 5,
    grpc: "FAILED_PRECONDITION",
    meaning: "The znode has children and cannot be deleted alone.",
    metadata: ["path", "operation"],
  },
  NO_CHILDREN_FOR_EPHEMERALS: {
    number: 6,
    grpc: "FAILED_PRECONDITION",
    meaning: "The parent is ephemeral and cannot have children.",
    metadata: ["path", "operation"],
  },
  NO_AUTH: {
    number: 7,
    grpc: "PERMISSION_DENIED",
    meaning: "The ACL does not grant the caller the permission needed.",
    metadata: ["path", "operation"],
  },
  INVALID_ACL: {
    number: 8,
    grpc: "INVALID_ARGUMENT",
    meaning: "The ACL is empty, too long, names an unknown scheme or a malformed identity.",
    metadata: ["path", "operation"],
  },
  AUTH_FAILED: {
    number: 9,
    grpc: "UNAUTHENTICATED",
    meaning: "A credential is malformed or of an unknown scheme.",
    metadata: ["scheme"],
  },
  SESSION_EXPIRED: {
    number: 10,
    grpc: "FAILED_PRECONDITION",
    meaning:
      "The session has ended, never existed, or the secret is wrong. Its ephemeral znodes are gone; open a new one. " +
      "A numbered write is told what became of it, while that is remembered.",
    metadata: ["session_id", "seq", "outcome", "zxid", "outcome_reason"],
  },
  SESSION_REQUIRED: {
    number: 11,
    grpc: "FAILED_PRECONDITION",
    meaning: "The operation needs a session and the call carries none.",
    metadata: [],
  },
  SESSION_MOVED: {
    number: 12,
    grpc: "ABORTED",
    meaning: "A newer stream has taken the session over; this one has ended.",
    metadata: ["session_id"],
  },
  NO_WATCHER: {
    number: 13,
    grpc: "NOT_FOUND",
    meaning: "There is no watch of that id on this stream.",
    metadata: ["watch_id"],
  },
  DATA_TOO_LARGE: {
    number: 14,
    grpc: "INVALID_ARGUMENT",
    meaning: "The data of one znode exceeds the limit.",
    metadata: ["path", "limit", "actual", "operation"],
  },
  REQUEST_TOO_LARGE: {
    number: 15,
    grpc: "INVALID_ARGUMENT",
    meaning: "The request has more operations, entries or bytes than allowed.",
    metadata: ["field", "limit", "actual"],
  },
  RESPONSE_TOO_LARGE: {
    number: 16,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The answer would exceed the largest message. Ask for less, by page or by stream.",
    metadata: ["limit"],
  },
  SUBTREE_TOO_LARGE: {
    number: 17,
    grpc: "FAILED_PRECONDITION",
    meaning: "More znodes than one transaction may delete. Delete parts of the subtree first.",
    metadata: ["path", "limit", "actual"],
  },
  TOO_MANY_EPHEMERALS: {
    number: 18,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The session owns as many ephemeral znodes as allowed.",
    metadata: ["limit", "operation"],
  },
  SEQUENCE_TOO_OLD: {
    number: 19,
    grpc: "ABORTED",
    meaning: "The outcome of that seq was acknowledged by the client and is forgotten. It did not run again.",
    metadata: ["seq", "session_id"],
  },
  SEQUENCE_GAP: {
    number: 20,
    grpc: "ABORTED",
    meaning: "Writes with lower seqs have not arrived. Nothing was done; send them, then this one.",
    metadata: ["seq", "expected_seq", "session_id"],
  },
  SEQUENCE_REUSED: {
    number: 21,
    grpc: "INVALID_ARGUMENT",
    meaning: "That seq was used before for a different request. Nothing was done.",
    metadata: ["seq", "session_id"],
  },
  TOO_MANY_UNACKNOWLEDGED: {
    number: 22,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "As many outcomes as allowed wait for the client's acknowledgement. Send `acked_seq`, then retry.",
    metadata: ["limit", "session_id"],
  },
  OUTCOME_UNKNOWN: {
    number: 23,
    grpc: "UNKNOWN",
    meaning: "The write may or may not have happened. Ask GetOutcome with the session and the seq.",
    metadata: ["seq", "session_id"],
  },
  ZXID_NOT_REACHED: {
    number: 24,
    grpc: "UNAVAILABLE",
    meaning: "This server has not applied the requested transaction yet. Retry, or ask another server.",
    metadata: ["zxid", "min_zxid"],
  },
  LOG_TRUNCATED: {
    number: 25,
    grpc: "OUT_OF_RANGE",
    meaning: "The cursor lies before the start of the log. Try another server, then begin with the current state.",
    metadata: ["oldest_zxid"],
  },
  WRONG_CLUSTER: {
    number: 26,
    grpc: "FAILED_PRECONDITION",
    meaning: "The cursor, or the server that calls, belongs to another ensemble.",
    metadata: ["cluster_id"],
  },
  SLOW_CONSUMER: {
    number: 27,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The client did not read its stream and too much was waiting. Reconnect and resume.",
    metadata: ["limit"],
  },
  NO_LEADER: {
    number: 28,
    grpc: "UNAVAILABLE",
    meaning: "The server knows no leader at the moment. Nothing was done; retry.",
    metadata: [],
  },
  OVERLOADED: {
    number: 29,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "Too much is in progress. Nothing was done; retry after a pause.",
    metadata: ["limit"],
  },
  DISK_LOW: {
    number: 30,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "Free disk space is below the reserve: writes that grow the tree are refused. Reads and deletes go on.",
    metadata: ["limit", "actual"],
  },
  SHUTTING_DOWN: {
    number: 31,
    grpc: "UNAVAILABLE",
    meaning: "The server is stopping. Reconnect to another server, or to this one when it is back.",
    metadata: [],
  },
  TOO_MANY_WATCHES: {
    number: 32,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The stream holds as many watches as allowed.",
    metadata: ["limit"],
  },
  TOO_MANY_ACLS: {
    number: 34,
    grpc: "RESOURCE_EXHAUSTED",
    meaning: "The ensemble knows as many different ACLs as allowed. Use one that exists.",
    metadata: ["limit", "operation"],
  },
  PROTOCOL_VERSION: {
    number: 35,
    grpc: "FAILED_PRECONDITION",
    meaning: "Between servers: the one that calls speaks a version of the protocol that this one does not.",
    metadata: ["version"],
  },
  WRONG_MEMBER: {
    number: 36,
    grpc: "FAILED_PRECONDITION",
    meaning:
      "Between servers: the one that calls is no member, has no certificate of the member it claims to be, or takes this " +
      "server for another. Compare the member lists and certificates of both.",
    metadata: ["member_id", "receiver_id"],
  },
  DUPLICATE_MEMBER: {
    number: 37,
    grpc: "FAILED_PRECONDITION",
    meaning: "Between servers: another process under the same member id was heard of a moment ago.",
    metadata: ["member_id"],
  },
  SNAPSHOT_GONE: {
    number: 38,
    grpc: "NOT_FOUND",
    meaning: "Between servers: the checkpoint that was offered is there no longer.",
    metadata: ["snapshot_id"],
  },
  INTERNAL: {
    number: 33,
    grpc: "INTERNAL",
    meaning: "A fault of the server. Whether a write happened is told by GetOutcome.",
    metadata: [],
  },
} as const satisfies Record<string, ReasonRow>;

/** The stable name of a way to fail. */
export type Reason = keyof typeof reasonTable;

/** All reasons, in the order of their numbers. */
export const reasons = Object.keys(reasonTable) as Reason[];

const byNumber: (Reason | undefined)[] = [];
for (const reason of reasons) byNumber[reasonTable[reason].number] = reason;

/** The number that stands for a reason in the log. */
export function reasonNumber(reason: Reason): number {
  return reasonTable[reason].number;
}

/** The reason of a number read from the log; undefined for 0 (success) and for numbers this version does not know. */
export function reasonOfNumber(value: number): Reason | undefined {
  return byNumber[value];
}

/** The gRPC status code of a reason. */
export function grpcCodeOf(reason: Reason): number {
  return GrpcCode[reasonTable[reason].grpc];
}

/** A refused operation: expected, typed, never thrown inside the core. */
export interface Refusal {
  readonly reason: Reason;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export function refusal(reason: Reason, message: string, metadata: Readonly<Record<string, string>> = {}): Refusal {
  return { reason, message, metadata };
}
