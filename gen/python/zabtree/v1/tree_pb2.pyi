from zabtree.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateRequest(_message.Message):
    __slots__ = ("path", "data", "mode", "acl", "seq", "acked_seq")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    path: str
    data: bytes
    mode: _common_pb2.CreateMode
    acl: _containers.RepeatedCompositeFieldContainer[_common_pb2.AclEntry]
    seq: int
    acked_seq: int
    def __init__(self, path: _Optional[str] = ..., data: _Optional[bytes] = ..., mode: _Optional[_Union[_common_pb2.CreateMode, str]] = ..., acl: _Optional[_Iterable[_Union[_common_pb2.AclEntry, _Mapping]]] = ..., seq: _Optional[int] = ..., acked_seq: _Optional[int] = ...) -> None: ...

class CreateResponse(_message.Message):
    __slots__ = ("header", "path", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    path: str
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., path: _Optional[str] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("path", "expected_version", "seq", "acked_seq")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    path: str
    expected_version: int
    seq: int
    acked_seq: int
    def __init__(self, path: _Optional[str] = ..., expected_version: _Optional[int] = ..., seq: _Optional[int] = ..., acked_seq: _Optional[int] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class DeleteSubtreeRequest(_message.Message):
    __slots__ = ("path", "seq", "acked_seq")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    path: str
    seq: int
    acked_seq: int
    def __init__(self, path: _Optional[str] = ..., seq: _Optional[int] = ..., acked_seq: _Optional[int] = ...) -> None: ...

class DeleteSubtreeResponse(_message.Message):
    __slots__ = ("header", "deleted")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    deleted: int
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., deleted: _Optional[int] = ...) -> None: ...

class ExistsRequest(_message.Message):
    __slots__ = ("path", "consistency", "min_zxid", "watch_id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    path: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    watch_id: int
    def __init__(self, path: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ..., watch_id: _Optional[int] = ...) -> None: ...

class ExistsResponse(_message.Message):
    __slots__ = ("header", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class GetDataRequest(_message.Message):
    __slots__ = ("path", "consistency", "min_zxid", "watch_id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    path: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    watch_id: int
    def __init__(self, path: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ..., watch_id: _Optional[int] = ...) -> None: ...

class GetDataResponse(_message.Message):
    __slots__ = ("header", "data", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    data: bytes
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., data: _Optional[bytes] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class SetDataRequest(_message.Message):
    __slots__ = ("path", "data", "expected_version", "seq", "acked_seq")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    path: str
    data: bytes
    expected_version: int
    seq: int
    acked_seq: int
    def __init__(self, path: _Optional[str] = ..., data: _Optional[bytes] = ..., expected_version: _Optional[int] = ..., seq: _Optional[int] = ..., acked_seq: _Optional[int] = ...) -> None: ...

class SetDataResponse(_message.Message):
    __slots__ = ("header", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class ListChildrenRequest(_message.Message):
    __slots__ = ("path", "consistency", "min_zxid", "watch_id", "page_size", "page_token", "include_stat", "include_data")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STAT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_DATA_FIELD_NUMBER: _ClassVar[int]
    path: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    watch_id: int
    page_size: int
    page_token: str
    include_stat: bool
    include_data: bool
    def __init__(self, path: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ..., watch_id: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_stat: bool = ..., include_data: bool = ...) -> None: ...

class ListChildrenResponse(_message.Message):
    __slots__ = ("header", "children", "next_page_token", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    children: _containers.RepeatedCompositeFieldContainer[Child]
    next_page_token: str
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., children: _Optional[_Iterable[_Union[Child, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class Child(_message.Message):
    __slots__ = ("name", "stat", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    stat: _common_pb2.Stat
    data: bytes
    def __init__(self, name: _Optional[str] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class StreamSubtreeRequest(_message.Message):
    __slots__ = ("path", "consistency", "min_zxid", "include_data", "resume_after")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_DATA_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_FIELD_NUMBER: _ClassVar[int]
    path: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    include_data: bool
    resume_after: str
    def __init__(self, path: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ..., include_data: bool = ..., resume_after: _Optional[str] = ...) -> None: ...

class StreamSubtreeResponse(_message.Message):
    __slots__ = ("header", "znodes")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ZNODES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    znodes: _containers.RepeatedCompositeFieldContainer[_common_pb2.Znode]
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., znodes: _Optional[_Iterable[_Union[_common_pb2.Znode, _Mapping]]] = ...) -> None: ...

class CountDescendantsRequest(_message.Message):
    __slots__ = ("path", "consistency", "min_zxid")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    path: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    def __init__(self, path: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ...) -> None: ...

class CountDescendantsResponse(_message.Message):
    __slots__ = ("header", "count")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    count: int
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class ListEphemeralsRequest(_message.Message):
    __slots__ = ("path_prefix", "consistency", "min_zxid", "page_size", "page_token")
    PATH_PREFIX_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    path_prefix: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    page_size: int
    page_token: str
    def __init__(self, path_prefix: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEphemeralsResponse(_message.Message):
    __slots__ = ("header", "paths", "next_page_token")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    paths: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., paths: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetAclRequest(_message.Message):
    __slots__ = ("path", "consistency", "min_zxid")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    path: str
    consistency: _common_pb2.Consistency
    min_zxid: int
    def __init__(self, path: _Optional[str] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ...) -> None: ...

class GetAclResponse(_message.Message):
    __slots__ = ("header", "acl", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    acl: _containers.RepeatedCompositeFieldContainer[_common_pb2.AclEntry]
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., acl: _Optional[_Iterable[_Union[_common_pb2.AclEntry, _Mapping]]] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class SetAclRequest(_message.Message):
    __slots__ = ("path", "acl", "expected_acl_version", "seq", "acked_seq")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ACL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    path: str
    acl: _containers.RepeatedCompositeFieldContainer[_common_pb2.AclEntry]
    expected_acl_version: int
    seq: int
    acked_seq: int
    def __init__(self, path: _Optional[str] = ..., acl: _Optional[_Iterable[_Union[_common_pb2.AclEntry, _Mapping]]] = ..., expected_acl_version: _Optional[int] = ..., seq: _Optional[int] = ..., acked_seq: _Optional[int] = ...) -> None: ...

class SetAclResponse(_message.Message):
    __slots__ = ("header", "stat")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    stat: _common_pb2.Stat
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., stat: _Optional[_Union[_common_pb2.Stat, _Mapping]] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("path", "version", "exists")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    path: str
    version: int
    exists: bool
    def __init__(self, path: _Optional[str] = ..., version: _Optional[int] = ..., exists: bool = ...) -> None: ...

class MultiOperation(_message.Message):
    __slots__ = ("create", "delete", "set_data", "set_acl", "check")
    CREATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    SET_DATA_FIELD_NUMBER: _ClassVar[int]
    SET_ACL_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    create: CreateRequest
    delete: DeleteRequest
    set_data: SetDataRequest
    set_acl: SetAclRequest
    check: Check
    def __init__(self, create: _Optional[_Union[CreateRequest, _Mapping]] = ..., delete: _Optional[_Union[DeleteRequest, _Mapping]] = ..., set_data: _Optional[_Union[SetDataRequest, _Mapping]] = ..., set_acl: _Optional[_Union[SetAclRequest, _Mapping]] = ..., check: _Optional[_Union[Check, _Mapping]] = ...) -> None: ...

class MultiRequest(_message.Message):
    __slots__ = ("operations", "seq", "acked_seq")
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ACKED_SEQ_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[MultiOperation]
    seq: int
    acked_seq: int
    def __init__(self, operations: _Optional[_Iterable[_Union[MultiOperation, _Mapping]]] = ..., seq: _Optional[int] = ..., acked_seq: _Optional[int] = ...) -> None: ...

class MultiResult(_message.Message):
    __slots__ = ("create", "delete", "set_data", "set_acl", "check")
    CREATE_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    SET_DATA_FIELD_NUMBER: _ClassVar[int]
    SET_ACL_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    create: CreateResponse
    delete: DeleteResponse
    set_data: SetDataResponse
    set_acl: SetAclResponse
    check: CheckResult
    def __init__(self, create: _Optional[_Union[CreateResponse, _Mapping]] = ..., delete: _Optional[_Union[DeleteResponse, _Mapping]] = ..., set_data: _Optional[_Union[SetDataResponse, _Mapping]] = ..., set_acl: _Optional[_Union[SetAclResponse, _Mapping]] = ..., check: _Optional[_Union[CheckResult, _Mapping]] = ...) -> None: ...

class CheckResult(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MultiResponse(_message.Message):
    __slots__ = ("header", "results")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    results: _containers.RepeatedCompositeFieldContainer[MultiResult]
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., results: _Optional[_Iterable[_Union[MultiResult, _Mapping]]] = ...) -> None: ...

class ReadOperation(_message.Message):
    __slots__ = ("get_data", "list_children", "exists", "get_acl")
    GET_DATA_FIELD_NUMBER: _ClassVar[int]
    LIST_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    GET_ACL_FIELD_NUMBER: _ClassVar[int]
    get_data: GetDataRequest
    list_children: ListChildrenRequest
    exists: ExistsRequest
    get_acl: GetAclRequest
    def __init__(self, get_data: _Optional[_Union[GetDataRequest, _Mapping]] = ..., list_children: _Optional[_Union[ListChildrenRequest, _Mapping]] = ..., exists: _Optional[_Union[ExistsRequest, _Mapping]] = ..., get_acl: _Optional[_Union[GetAclRequest, _Mapping]] = ...) -> None: ...

class MultiReadRequest(_message.Message):
    __slots__ = ("operations", "consistency", "min_zxid")
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_ZXID_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[ReadOperation]
    consistency: _common_pb2.Consistency
    min_zxid: int
    def __init__(self, operations: _Optional[_Iterable[_Union[ReadOperation, _Mapping]]] = ..., consistency: _Optional[_Union[_common_pb2.Consistency, str]] = ..., min_zxid: _Optional[int] = ...) -> None: ...

class ReadResult(_message.Message):
    __slots__ = ("get_data", "list_children", "exists", "get_acl", "error")
    GET_DATA_FIELD_NUMBER: _ClassVar[int]
    LIST_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    GET_ACL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    get_data: GetDataResponse
    list_children: ListChildrenResponse
    exists: ExistsResponse
    get_acl: GetAclResponse
    error: _common_pb2.OperationError
    def __init__(self, get_data: _Optional[_Union[GetDataResponse, _Mapping]] = ..., list_children: _Optional[_Union[ListChildrenResponse, _Mapping]] = ..., exists: _Optional[_Union[ExistsResponse, _Mapping]] = ..., get_acl: _Optional[_Union[GetAclResponse, _Mapping]] = ..., error: _Optional[_Union[_common_pb2.OperationError, _Mapping]] = ...) -> None: ...

class MultiReadResponse(_message.Message):
    __slots__ = ("header", "results")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    results: _containers.RepeatedCompositeFieldContainer[ReadResult]
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ..., results: _Optional[_Iterable[_Union[ReadResult, _Mapping]]] = ...) -> None: ...

class SyncRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SyncResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_common_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...
