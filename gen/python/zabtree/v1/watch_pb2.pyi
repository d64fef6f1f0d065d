from zabtree.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WATCH_SCOPE_UNSPECIFIED: _ClassVar[WatchScope]
    WATCH_SCOPE_NODE: _ClassVar[WatchScope]
    WATCH_SCOPE_CHILDREN: _ClassVar[WatchScope]
    WATCH_SCOPE_SUBTREE: _ClassVar[WatchScope]

class WatchEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WATCH_EVENT_KIND_UNSPECIFIED: _ClassVar[WatchEventKind]
    WATCH_EVENT_KIND_CREATED: _ClassVar[WatchEventKind]
    WATCH_EVENT_KIND_DATA_CHANGED: _ClassVar[WatchEventKind]
    WATCH_EVENT_KIND_DELETED: _ClassVar[WatchEventKind]
    WATCH_EVENT_KIND_CHILDREN_CHANGED: _ClassVar[WatchEventKind]

class ChangeCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_CAUSE_UNSPECIFIED: _ClassVar[ChangeCause]
    CHANGE_CAUSE_REQUEST: _ClassVar[ChangeCause]
    CHANGE_CAUSE_SESSION_CLOSED: _ClassVar[ChangeCause]
    CHANGE_CAUSE_SESSION_EXPIRED: _ClassVar[ChangeCause]
WATCH_SCOPE_UNSPECIFIED: WatchScope
WATCH_SCOPE_NODE: WatchScope
WATCH_SCOPE_CHILDREN: WatchScope
WATCH_SCOPE_SUBTREE: WatchScope
WATCH_EVENT_KIND_UNSPECIFIED: WatchEventKind
WATCH_EVENT_KIND_CREATED: WatchEventKind
WATCH_EVENT_KIND_DATA_CHANGED: WatchEventKind
WATCH_EVENT_KIND_DELETED: WatchEventKind
WATCH_EVENT_KIND_CHILDREN_CHANGED: WatchEventKind
CHANGE_CAUSE_UNSPECIFIED: ChangeCause
CHANGE_CAUSE_REQUEST: ChangeCause
CHANGE_CAUSE_SESSION_CLOSED: ChangeCause
CHANGE_CAUSE_SESSION_EXPIRED: ChangeCause

class WatchSpec(_message.Message):
    __slots__ = ("path", "scope", "include_data", "current_state", "resume_after")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_DATA_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STATE_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_FIELD_NUMBER: _ClassVar[int]
    path: str
    scope: WatchScope
    include_data: bool
    current_state: bool
    resume_after: _common_pb2.Cursor
    def __init__(self, path: _Optional[str] = ..., scope: _Optional[_Union[WatchScope, str]] = ..., include_data: bool = ..., current_state: bool = ..., resume_after: _Optional[_Union[_common_pb2.Cursor, _Mapping]] = ...) -> None: ...

class WatchEvent(_message.Message):
    __slots__ = ("kind", "path", "zxid", "op", "stat", "data", "cause", "session_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    kind: WatchEventKind
    path: str
    zxid: int
    op: int
    stat: _common_pb2.Stat
    data: bytes
    cause: ChangeCause
    session_id: int
    def __init__(self, kind: _Optional[_Union[WatchEventKind, str]] = ..., path: _Optional[str] = ..., zxid: _Optional[int] = ..., op: _Optional[int] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ..., data: _Optional[bytes] = ..., cause: _Optional[_Union[ChangeCause, str]] = ..., session_id: _Optional[int] = ...) -> None: ...

class WatchUpdate(_message.Message):
    __slots__ = ("state", "events", "synced", "cursor")
    STATE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SYNCED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    state: _containers.RepeatedCompositeFieldContainer[_common_pb2.Znode]
    events: _containers.RepeatedCompositeFieldContainer[WatchEvent]
    synced: bool
    cursor: _common_pb2.Cursor
    def __init__(self, state: _Optional[_Iterable[_Union[_common_pb2.Znode, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[WatchEvent, _Mapping]]] = ..., synced: bool = ..., cursor: _Optional[_Union[_common_pb2.Cursor, _Mapping]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("spec",)
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: WatchSpec
    def __init__(self, spec: _Optional[_Union[WatchSpec, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("header", "update")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    update: WatchUpdate
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., update: _Optional[_Union[WatchUpdate, _Mapping]] = ...) -> None: ...
