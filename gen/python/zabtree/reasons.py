"""Every reason a call can fail with. Generated from src/base/reasons.ts."""

BAD_ARGUMENTS = "BAD_ARGUMENTS"
"""The request is malformed: a bad path, an unknown mode, a missing field. Correct it. (INVALID_ARGUMENT; metadata: field, path)"""

NO_NODE = "NO_NODE"
"""The znode, or for a create its parent, does not exist. (NOT_FOUND; metadata: path, operation)"""

NODE_EXISTS = "NODE_EXISTS"
"""A znode of that path exists already. (ALREADY_EXISTS; metadata: path, operation)"""

BAD_VERSION = "BAD_VERSION"
"""The znode has another version than the one expected. Read it again and decide anew. (ABORTED; metadata: path, expected_version, actual_version, operation)"""

NOT_EMPTY = "NOT_EMPTY"
"""The znode has children and cannot be deleted alone. (FAILED_PRECONDITION; metadata: path, operation)"""

NO_CHILDREN_FOR_EPHEMERALS = "NO_CHILDREN_FOR_EPHEMERALS"
"""The parent is ephemeral and cannot have children. (FAILED_PRECONDITION; metadata: path, operation)"""

NO_AUTH = "NO_AUTH"
"""The ACL does not grant the caller the permission needed. (PERMISSION_DENIED; metadata: path, operation)"""

INVALID_ACL = "INVALID_ACL"
"""The ACL is empty, too long, names an unknown scheme or a malformed identity. (INVALID_ARGUMENT; metadata: path, operation)"""

AUTH_FAILED = "AUTH_FAILED"
"""A credential is malformed or of an unknown scheme. (UNAUTHENTICATED; metadata: scheme)"""

SESSION_EXPIRED = "SESSION_EXPIRED"
"""The session has ended, never existed, or the secret is wrong. Its ephemeral znodes are gone; open a new one. A numbered write is told what became of it, while that is remembered. (FAILED_PRECONDITION; metadata: session_id, seq, outcome, zxid, outcome_reason)"""

SESSION_REQUIRED = "SESSION_REQUIRED"
"""The operation needs a session and the call carries none. (FAILED_PRECONDITION)"""

SESSION_MOVED = "SESSION_MOVED"
"""A newer stream has taken the session over; this one has ended. (ABORTED; metadata: session_id)"""

NO_WATCHER = "NO_WATCHER"
"""There is no watch of that id on this stream. (NOT_FOUND; metadata: watch_id)"""

DATA_TOO_LARGE = "DATA_TOO_LARGE"
"""The data of one znode exceeds the limit. (INVALID_ARGUMENT; metadata: path, limit, actual, operation)"""

REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
"""The request has more operations, entries or bytes than allowed. (INVALID_ARGUMENT; metadata: field, limit, actual)"""

RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"
"""The answer would exceed the largest message. Ask for less, by page or by stream. (RESOURCE_EXHAUSTED; metadata: limit)"""

SUBTREE_TOO_LARGE = "SUBTREE_TOO_LARGE"
"""More znodes than one transaction may delete. Delete parts of the subtree first. (FAILED_PRECONDITION; metadata: path, limit, actual)"""

TOO_MANY_EPHEMERALS = "TOO_MANY_EPHEMERALS"
"""The session owns as many ephemeral znodes as allowed. (RESOURCE_EXHAUSTED; metadata: limit, operation)"""

SEQUENCE_TOO_OLD = "SEQUENCE_TOO_OLD"
"""The outcome of that seq was acknowledged by the client and is forgotten. It did not run again. (ABORTED; metadata: seq, session_id)"""

SEQUENCE_GAP = "SEQUENCE_GAP"
"""Writes with lower seqs have not arrived. Nothing was done; send them, then this one. (ABORTED; metadata: seq, expected_seq, session_id)"""

SEQUENCE_REUSED = "SEQUENCE_REUSED"
"""That seq was used before for a different request. Nothing was done. (INVALID_ARGUMENT; metadata: seq, session_id)"""

TOO_MANY_UNACKNOWLEDGED = "TOO_MANY_UNACKNOWLEDGED"
"""As many outcomes as allowed wait for the client's acknowledgement. Send `acked_seq`, then retry. (RESOURCE_EXHAUSTED; metadata: limit, session_id)"""

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
"""The write may or may not have happened. Ask GetOutcome with the session and the seq. (UNKNOWN; metadata: seq, session_id)"""

ZXID_NOT_REACHED = "ZXID_NOT_REACHED"
"""This server has not applied the requested transaction yet. Retry, or ask another server. (UNAVAILABLE; metadata: zxid, min_zxid)"""

LOG_TRUNCATED = "LOG_TRUNCATED"
"""The cursor lies before the start of the log. Try another server, then begin with the current state. (OUT_OF_RANGE; metadata: oldest_zxid)"""

WRONG_CLUSTER = "WRONG_CLUSTER"
"""The cursor, or the server that calls, belongs to another ensemble. (FAILED_PRECONDITION; metadata: cluster_id)"""

SLOW_CONSUMER = "SLOW_CONSUMER"
"""The client did not read its stream and too much was waiting. Reconnect and resume. (RESOURCE_EXHAUSTED; metadata: limit)"""

NO_LEADER = "NO_LEADER"
"""The server knows no leader at the moment. Nothing was done; retry. (UNAVAILABLE)"""

OVERLOADED = "OVERLOADED"
"""Too much is in progress. Nothing was done; retry after a pause. (RESOURCE_EXHAUSTED; metadata: limit)"""

DISK_LOW = "DISK_LOW"
"""Free disk space is below the reserve: writes that grow the tree are refused. Reads and deletes go on. (RESOURCE_EXHAUSTED; metadata: limit, actual)"""

SHUTTING_DOWN = "SHUTTING_DOWN"
"""The server is stopping. Reconnect to another server, or to this one when it is back. (UNAVAILABLE)"""

TOO_MANY_WATCHES = "TOO_MANY_WATCHES"
"""The stream holds as many watches as allowed. (RESOURCE_EXHAUSTED; metadata: limit)"""

TOO_MANY_ACLS = "TOO_MANY_ACLS"
"""The ensemble knows as many different ACLs as allowed. Use one that exists. (RESOURCE_EXHAUSTED; metadata: limit, operation)"""

PROTOCOL_VERSION = "PROTOCOL_VERSION"
"""Between servers: the one that calls speaks a version of the protocol that this one does not. (FAILED_PRECONDITION; metadata: version)"""

WRONG_MEMBER = "WRONG_MEMBER"
"""Between servers: the one that calls is no member, has no certificate of the member it claims to be, or takes this server for another. Compare the member lists and certificates of both. (FAILED_PRECONDITION; metadata: member_id, receiver_id)"""

DUPLICATE_MEMBER = "DUPLICATE_MEMBER"
"""Between servers: another process under the same member id was heard of a moment ago. (FAILED_PRECONDITION; metadata: member_id)"""

SNAPSHOT_GONE = "SNAPSHOT_GONE"
"""Between servers: the checkpoint that was offered is there no longer. (NOT_FOUND; metadata: snapshot_id)"""

INTERNAL = "INTERNAL"
"""A fault of the server. Whether a write happened is told by GetOutcome. (INTERNAL)"""
