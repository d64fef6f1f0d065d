from zabtree.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServerRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVER_ROLE_UNSPECIFIED: _ClassVar[ServerRole]
    SERVER_ROLE_LOOKING: _ClassVar[ServerRole]
    SERVER_ROLE_LEADING: _ClassVar[ServerRole]
    SERVER_ROLE_FOLLOWING: _ClassVar[ServerRole]
    SERVER_ROLE_OBSERVING: _ClassVar[ServerRole]
    SERVER_ROLE_RECOVERING: _ClassVar[ServerRole]
    SERVER_ROLE_FORMING: _ClassVar[ServerRole]
SERVER_ROLE_UNSPECIFIED: ServerRole
SERVER_ROLE_LOOKING: ServerRole
SERVER_ROLE_LEADING: ServerRole
SERVER_ROLE_FOLLOWING: ServerRole
SERVER_ROLE_OBSERVING: ServerRole
SERVER_ROLE_RECOVERING: ServerRole
SERVER_ROLE_FORMING: ServerRole

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("header", "version", "role", "leader_id", "uptime_ms", "last_logged_zxid", "committed_zxid", "oldest_zxid", "checkpoint_zxid", "digest", "znodes", "data_bytes", "sessions", "ephemerals", "watches", "attached_sessions", "resident_bytes", "log_bytes", "checkpoint_bytes", "synced_learners", "voters", "quorum", "recovering_reason", "peer_calls_refused", "peer_messages_malformed")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    UPTIME_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_LOGGED_ZXID_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_ZXID_FIELD_NUMBER: _ClassVar[int]
    OLDEST_ZXID_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_ZXID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ZNODES_FIELD_NUMBER: _ClassVar[int]
    DATA_BYTES_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    EPHEMERALS_FIELD_NUMBER: _ClassVar[int]
    WATCHES_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SYNCED_LEARNERS_FIELD_NUMBER: _ClassVar[int]
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    RECOVERING_REASON_FIELD_NUMBER: _ClassVar[int]
    PEER_CALLS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    PEER_MESSAGES_MALFORMED_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    version: str
    role: ServerRole
    leader_id: int
    uptime_ms: int
    last_logged_zxid: int
    committed_zxid: int
    oldest_zxid: int
    checkpoint_zxid: int
    digest: str
    znodes: int
    data_bytes: int
    sessions: int
    ephemerals: int
    watches: int
    attached_sessions: int
    resident_bytes: int
    log_bytes: int
    checkpoint_bytes: int
    synced_learners: int
    voters: int
    quorum: int
    recovering_reason: str
    peer_calls_refused: int
    peer_messages_malformed: int
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., version: _Optional[str] = ..., role: _Optional[_Union[ServerRole, str]] = ..., leader_id: _Optional[int] = ..., uptime_ms: _Optional[int] = ..., last_logged_zxid: _Optional[int] = ..., committed_zxid: _Optional[int] = ..., oldest_zxid: _Optional[int] = ..., checkpoint_zxid: _Optional[int] = ..., digest: _Optional[str] = ..., znodes: _Optional[int] = ..., data_bytes: _Optional[int] = ..., sessions: _Optional[int] = ..., ephemerals: _Optional[int] = ..., watches: _Optional[int] = ..., attached_sessions: _Optional[int] = ..., resident_bytes: _Optional[int] = ..., log_bytes: _Optional[int] = ..., checkpoint_bytes: _Optional[int] = ..., synced_learners: _Optional[int] = ..., voters: _Optional[int] = ..., quorum: _Optional[int] = ..., recovering_reason: _Optional[str] = ..., peer_calls_refused: _Optional[int] = ..., peer_messages_malformed: _Optional[int] = ...) -> None: ...

class ListMembersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ("header", "leader_id", "members")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    leader_id: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., leader_id: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("member_id", "voter", "peer_address", "client_address", "role", "last_heard_ms", "acked_zxid", "connected")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    VOTER_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARD_MS_FIELD_NUMBER: _ClassVar[int]
    ACKED_ZXID_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    member_id: int
    voter: bool
    peer_address: str
    client_address: str
    role: ServerRole
    last_heard_ms: int
    acked_zxid: int
    connected: bool
    def __init__(self, member_id: _Optional[int] = ..., voter: bool = ..., peer_address: _Optional[str] = ..., client_address: _Optional[str] = ..., role: _Optional[_Union[ServerRole, str]] = ..., last_heard_ms: _Optional[int] = ..., acked_zxid: _Optional[int] = ..., connected: bool = ...) -> None: ...
