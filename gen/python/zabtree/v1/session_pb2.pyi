from zabtree.v1 import common_pb2 as _common_pb2
from zabtree.v1 import tree_pb2 as _tree_pb2
from zabtree.v1 import watch_pb2 as _watch_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OutcomeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_STATE_UNSPECIFIED: _ClassVar[OutcomeState]
    OUTCOME_STATE_NOT_SEEN: _ClassVar[OutcomeState]
    OUTCOME_STATE_PENDING: _ClassVar[OutcomeState]
    OUTCOME_STATE_SUCCEEDED: _ClassVar[OutcomeState]
    OUTCOME_STATE_FAILED: _ClassVar[OutcomeState]
    OUTCOME_STATE_FORGOTTEN: _ClassVar[OutcomeState]
OUTCOME_STATE_UNSPECIFIED: OutcomeState
OUTCOME_STATE_NOT_SEEN: OutcomeState
OUTCOME_STATE_PENDING: OutcomeState
OUTCOME_STATE_SUCCEEDED: OutcomeState
OUTCOME_STATE_FAILED: OutcomeState
OUTCOME_STATE_FORGOTTEN: OutcomeState

class OpenSessionRequest(_message.Message):
    __slots__ = ("client_key", "secret", "timeout_ms", "credentials")
    CLIENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    client_key: bytes
    secret: bytes
    timeout_ms: int
    credentials: _containers.RepeatedCompositeFieldContainer[_common_pb2.Credential]
    def __init__(self, client_key: _Optional[bytes] = ..., secret: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., credentials: _Optional[_Iterable[_Union[_common_pb2.Credential, _Mapping]]] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("header", "session_id", "timeout_ms")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    session_id: int
    timeout_ms: int
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., session_id: _Optional[int] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class SessionAttach(_message.Message):
    __slots__ = ("session_id", "secret", "last_zxid")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    LAST_ZXID_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    secret: bytes
    last_zxid: int
    def __init__(self, session_id: _Optional[int] = ..., secret: _Optional[bytes] = ..., last_zxid: _Optional[int] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("call_id", "create", "delete", "delete_subtree", "exists", "get_data", "set_data", "list_children", "count_descendants", "list_ephemerals", "get_acl", "set_acl", "multi", "multi_read", "sync", "add_watch", "cancel_watch", "close_session", "who_am_i")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    DELETE_SUBTREE_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    GET_DATA_FIELD_NUMBER: _ClassVar[int]
    SET_DATA_FIELD_NUMBER: _ClassVar[int]
    LIST_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    COUNT_DESCENDANTS_FIELD_NUMBER: _ClassVar[int]
    LIST_EPHEMERALS_FIELD_NUMBER: _ClassVar[int]
    GET_ACL_FIELD_NUMBER: _ClassVar[int]
    SET_ACL_FIELD_NUMBER: _ClassVar[int]
    MULTI_FIELD_NUMBER: _ClassVar[int]
    MULTI_READ_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    ADD_WATCH_FIELD_NUMBER: _ClassVar[int]
    CANCEL_WATCH_FIELD_NUMBER: _ClassVar[int]
    CLOSE_SESSION_FIELD_NUMBER: _ClassVar[int]
    WHO_AM_I_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    create: _tree_pb2.CreateRequest
    delete: _tree_pb2.DeleteRequest
    delete_subtree: _tree_pb2.DeleteSubtreeRequest
    exists: _tree_pb2.ExistsRequest
    get_data: _tree_pb2.GetDataRequest
    set_data: _tree_pb2.SetDataRequest
    list_children: _tree_pb2.ListChildrenRequest
    count_descendants: _tree_pb2.CountDescendantsRequest
    list_ephemerals: _tree_pb2.ListEphemeralsRequest
    get_acl: _tree_pb2.GetAclRequest
    set_acl: _tree_pb2.SetAclRequest
    multi: _tree_pb2.MultiRequest
    multi_read: _tree_pb2.MultiReadRequest
    sync: _tree_pb2.SyncRequest
    add_watch: AddWatchRequest
    cancel_watch: CancelWatchRequest
    close_session: CloseSessionRequest
    who_am_i: WhoAmIRequest
    def __init__(self, call_id: _Optional[int] = ..., create: _Optional[_Union[_tree_pb2.CreateRequest, _Mapping]] = ..., delete: _Optional[_Union[_tree_pb2.DeleteRequest, _Mapping]] = ..., delete_subtree: _Optional[_Union[_tree_pb2.DeleteSubtreeRequest, _Mapping]] = ..., exists: _Optional[_Union[_tree_pb2.ExistsRequest, _Mapping]] = ..., get_data: _Optional[_Union[_tree_pb2.GetDataRequest, _Mapping]] = ..., set_data: _Optional[_Union[_tree_pb2.SetDataRequest, _Mapping]] = ..., list_children: _Optional[_Union[_tree_pb2.ListChildrenRequest, _Mapping]] = ..., count_descendants: _Optional[_Union[_tree_pb2.CountDescendantsRequest, _Mapping]] = ..., list_ephemerals: _Optional[_Union[_tree_pb2.ListEphemeralsRequest, _Mapping]] = ..., get_acl: _Optional[_Union[_tree_pb2.GetAclRequest, _Mapping]] = ..., set_acl: _Optional[_Union[_tree_pb2.SetAclRequest, _Mapping]] = ..., multi: _Optional[_Union[_tree_pb2.MultiRequest, _Mapping]] = ..., multi_read: _Optional[_Union[_tree_pb2.MultiReadRequest, _Mapping]] = ..., sync: _Optional[_Union[_tree_pb2.SyncRequest, _Mapping]] = ..., add_watch: _Optional[_Union[AddWatchRequest, _Mapping]] = ..., cancel_watch: _Optional[_Union[CancelWatchRequest, _Mapping]] = ..., close_session: _Optional[_Union[CloseSessionRequest, _Mapping]] = ..., who_am_i: _Optional[_Union[WhoAmIRequest, _Mapping]] = ...) -> None: ...

class AddWatchRequest(_message.Message):
    __slots__ = ("watch_id", "spec")
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    spec: _watch_pb2.WatchSpec
    def __init__(self, watch_id: _Optional[int] = ..., spec: _Optional[_Union[_watch_pb2.WatchSpec, _Mapping]] = ...) -> None: ...

class AddWatchResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelWatchRequest(_message.Message):
    __slots__ = ("watch_id",)
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    def __init__(self, watch_id: _Optional[int] = ...) -> None: ...

class CancelWatchResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AttachSessionRequest(_message.Message):
    __slots__ = ("attach", "acked_seq", "requests", "heartbeat")
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    attach: SessionAttach
    acked_seq: int
    requests: _containers.RepeatedCompositeFieldContainer[SessionRequest]
    heartbeat: SessionHeartbeat
    def __init__(self, attach: _Optional[_Union[SessionAttach, _Mapping]] = ..., acked_seq: _Optional[int] = ..., requests: _Optional[_Iterable[_Union[SessionRequest, _Mapping]]] = ..., heartbeat: _Optional[_Union[SessionHeartbeat, _Mapping]] = ...) -> None: ...

class SessionHeartbeat(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("call_id", "zxid", "error", "create", "delete", "delete_subtree", "exists", "get_data", "set_data", "list_children", "count_descendants", "list_ephemerals", "get_acl", "set_acl", "multi", "multi_read", "sync", "add_watch", "cancel_watch", "close_session", "who_am_i")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    DELETE_SUBTREE_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    GET_DATA_FIELD_NUMBER: _ClassVar[int]
    SET_DATA_FIELD_NUMBER: _ClassVar[int]
    LIST_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    COUNT_DESCENDANTS_FIELD_NUMBER: _ClassVar[int]
    LIST_EPHEMERALS_FIELD_NUMBER: _ClassVar[int]
    GET_ACL_FIELD_NUMBER: _ClassVar[int]
    SET_ACL_FIELD_NUMBER: _ClassVar[int]
    MULTI_FIELD_NUMBER: _ClassVar[int]
    MULTI_READ_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    ADD_WATCH_FIELD_NUMBER: _ClassVar[int]
    CANCEL_WATCH_FIELD_NUMBER: _ClassVar[int]
    CLOSE_SESSION_FIELD_NUMBER: _ClassVar[int]
    WHO_AM_I_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    zxid: int
    error: _common_pb2.OperationError
    create: _tree_pb2.CreateResponse
    delete: _tree_pb2.DeleteResponse
    delete_subtree: _tree_pb2.DeleteSubtreeResponse
    exists: _tree_pb2.ExistsResponse
    get_data: _tree_pb2.GetDataResponse
    set_data: _tree_pb2.SetDataResponse
    list_children: _tree_pb2.ListChildrenResponse
    count_descendants: _tree_pb2.CountDescendantsResponse
    list_ephemerals: _tree_pb2.ListEphemeralsResponse
    get_acl: _tree_pb2.GetAclResponse
    set_acl: _tree_pb2.SetAclResponse
    multi: _tree_pb2.MultiResponse
    multi_read: _tree_pb2.MultiReadResponse
    sync: _tree_pb2.SyncResponse
    add_watch: AddWatchResponse
    cancel_watch: CancelWatchResponse
    close_session: CloseSessionResponse
    who_am_i: WhoAmIResponse
    def __init__(self, call_id: _Optional[int] = ..., zxid: _Optional[int] = ..., error: _Optional[_Union[_common_pb2.OperationError, _Mapping]] = ..., create: _Optional[_Union[_tree_pb2.CreateResponse, _Mapping]] = ..., delete: _Optional[_Union[_tree_pb2.DeleteResponse, _Mapping]] = ..., delete_subtree: _Optional[_Union[_tree_pb2.DeleteSubtreeResponse, _Mapping]] = ..., exists: _Optional[_Union[_tree_pb2.ExistsResponse, _Mapping]] = ..., get_data: _Optional[_Union[_tree_pb2.GetDataResponse, _Mapping]] = ..., set_data: _Optional[_Union[_tree_pb2.SetDataResponse, _Mapping]] = ..., list_children: _Optional[_Union[_tree_pb2.ListChildrenResponse, _Mapping]] = ..., count_descendants: _Optional[_Union[_tree_pb2.CountDescendantsResponse, _Mapping]] = ..., list_ephemerals: _Optional[_Union[_tree_pb2.ListEphemeralsResponse, _Mapping]] = ..., get_acl: _Optional[_Union[_tree_pb2.GetAclResponse, _Mapping]] = ..., set_acl: _Optional[_Union[_tree_pb2.SetAclResponse, _Mapping]] = ..., multi: _Optional[_Union[_tree_pb2.MultiResponse, _Mapping]] = ..., multi_read: _Optional[_Union[_tree_pb2.MultiReadResponse, _Mapping]] = ..., sync: _Optional[_Union[_tree_pb2.SyncResponse, _Mapping]] = ..., add_watch: _Optional[_Union[AddWatchResponse, _Mapping]] = ..., cancel_watch: _Optional[_Union[CancelWatchResponse, _Mapping]] = ..., close_session: _Optional[_Union[CloseSessionResponse, _Mapping]] = ..., who_am_i: _Optional[_Union[WhoAmIResponse, _Mapping]] = ...) -> None: ...

class SessionAttached(_message.Message):
    __slots__ = ("timeout_ms", "last_seq", "remaining_ms")
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    timeout_ms: int
    last_seq: int
    remaining_ms: int
    def __init__(self, timeout_ms: _Optional[int] = ..., last_seq: _Optional[int] = ..., remaining_ms: _Optional[int] = ...) -> None: ...

class SessionHeartbeatReply(_message.Message):
    __slots__ = ("id", "remaining_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    id: int
    remaining_ms: int
    def __init__(self, id: _Optional[int] = ..., remaining_ms: _Optional[int] = ...) -> None: ...

class SessionWatchUpdate(_message.Message):
    __slots__ = ("watch_ids", "update", "error")
    WATCH_IDS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    watch_ids: _containers.RepeatedScalarFieldContainer[int]
    update: _watch_pb2.WatchUpdate
    error: _common_pb2.OperationError
    def __init__(self, watch_ids: _Optional[_Iterable[int]] = ..., update: _Optional[_Union[_watch_pb2.WatchUpdate, _Mapping]] = ..., error: _Optional[_Union[_common_pb2.OperationError, _Mapping]] = ...) -> None: ...

class SessionFrame(_message.Message):
    __slots__ = ("attached", "response", "watch", "heartbeat", "ended")
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    attached: SessionAttached
    response: SessionResponse
    watch: SessionWatchUpdate
    heartbeat: SessionHeartbeatReply
    ended: _common_pb2.OperationError
    def __init__(self, attached: _Optional[_Union[SessionAttached, _Mapping]] = ..., response: _Optional[_Union[SessionResponse, _Mapping]] = ..., watch: _Optional[_Union[SessionWatchUpdate, _Mapping]] = ..., heartbeat: _Optional[_Union[SessionHeartbeatReply, _Mapping]] = ..., ended: _Optional[_Union[_common_pb2.OperationError, _Mapping]] = ...) -> None: ...

class AttachSessionResponse(_message.Message):
    __slots__ = ("header", "frames")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    frames: _containers.RepeatedCompositeFieldContainer[SessionFrame]
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., frames: _Optional[_Iterable[_Union[SessionFrame, _Mapping]]] = ...) -> None: ...

class KeepSessionAliveRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeepSessionAliveResponse(_message.Message):
    __slots__ = ("header", "remaining_ms")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    remaining_ms: int
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., remaining_ms: _Optional[int] = ...) -> None: ...

class CloseSessionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CloseSessionResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class GetOutcomeRequest(_message.Message):
    __slots__ = ("seq",)
    SEQ_FIELD_NUMBER: _ClassVar[int]
    seq: int
    def __init__(self, seq: _Optional[int] = ...) -> None: ...

class GetOutcomeResponse(_message.Message):
    __slots__ = ("header", "state", "zxid", "error", "session_ended")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    state: OutcomeState
    zxid: int
    error: _common_pb2.OperationError
    session_ended: bool
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., state: _Optional[_Union[OutcomeState, str]] = ..., zxid: _Optional[int] = ..., error: _Optional[_Union[_common_pb2.OperationError, _Mapping]] = ..., session_ended: bool = ...) -> None: ...

class WhoAmIRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhoAmIResponse(_message.Message):
    __slots__ = ("header", "identities", "session_id")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    IDENTITIES_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    identities: _containers.RepeatedCompositeFieldContainer[_common_pb2.Identity]
    session_id: int
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., identities: _Optional[_Iterable[_Union[_common_pb2.Identity, _Mapping]]] = ..., session_id: _Optional[int] = ...) -> None: ...
