from zabtree.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServerRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVER_ROLE_UNSPECIFIED: _ClassVar[ServerRole]
    SERVER_ROLE_LOOKING: _ClassVar[ServerRole]
    SERVER_ROLE_LEADING: _ClassVar[ServerRole]
SERVER_ROLE_UNSPECIFIED: ServerRole
SERVER_ROLE_LOOKING: ServerRole
SERVER_ROLE_LEADING: ServerRole

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("header", "version", "role", "leader_id", "uptime_ms", "last_logged_zxid", "committed_zxid", "oldest_zxid", "checkpoint_zxid", "digest", "znodes", "data_bytes", "sessions", "ephemerals", "watches", "attached_sessions", "resident_bytes", "log_bytes", "checkpoint_bytes")
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
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., version: _Optional[str] = ..., role: _Optional[_Union[ServerRole, str]] = ..., leader_id: _Optional[int] = ..., uptime_ms: _Optional[int] = ..., last_logged_zxid: _Optional[int] = ..., committed_zxid: _Optional[int] = ..., oldest_zxid: _Optional[int] = ..., checkpoint_zxid: _Optional[int] = ..., digest: _Optional[str] = ..., znodes: _Optional[int] = ..., data_bytes: _Optional[int] = ..., sessions: _Optional[int] = ..., ephemerals: _Optional[int] = ..., watches: _Optional[int] = ..., attached_sessions: _Optional[int] = ..., resident_bytes: _Optional[int] = ..., log_bytes: _Optional[int] = ..., checkpoint_bytes: _Optional[int] = ...) -> None: ...
