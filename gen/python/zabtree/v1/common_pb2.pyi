from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ZnodeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ZNODE_KIND_UNSPECIFIED: _ClassVar[ZnodeKind]
    ZNODE_KIND_PERSISTENT: _ClassVar[ZnodeKind]
    ZNODE_KIND_EPHEMERAL: _ClassVar[ZnodeKind]

class CreateMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREATE_MODE_UNSPECIFIED: _ClassVar[CreateMode]
    CREATE_MODE_PERSISTENT: _ClassVar[CreateMode]
    CREATE_MODE_EPHEMERAL: _ClassVar[CreateMode]
    CREATE_MODE_PERSISTENT_SEQUENTIAL: _ClassVar[CreateMode]
    CREATE_MODE_EPHEMERAL_SEQUENTIAL: _ClassVar[CreateMode]

class Permission(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERMISSION_UNSPECIFIED: _ClassVar[Permission]
    PERMISSION_READ: _ClassVar[Permission]
    PERMISSION_WRITE: _ClassVar[Permission]
    PERMISSION_CREATE: _ClassVar[Permission]
    PERMISSION_DELETE: _ClassVar[Permission]
    PERMISSION_ADMIN: _ClassVar[Permission]

class Consistency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSISTENCY_UNSPECIFIED: _ClassVar[Consistency]
    CONSISTENCY_SEQUENTIAL: _ClassVar[Consistency]
    CONSISTENCY_LINEARIZABLE: _ClassVar[Consistency]
ZNODE_KIND_UNSPECIFIED: ZnodeKind
ZNODE_KIND_PERSISTENT: ZnodeKind
ZNODE_KIND_EPHEMERAL: ZnodeKind
CREATE_MODE_UNSPECIFIED: CreateMode
CREATE_MODE_PERSISTENT: CreateMode
CREATE_MODE_EPHEMERAL: CreateMode
CREATE_MODE_PERSISTENT_SEQUENTIAL: CreateMode
CREATE_MODE_EPHEMERAL_SEQUENTIAL: CreateMode
PERMISSION_UNSPECIFIED: Permission
PERMISSION_READ: Permission
PERMISSION_WRITE: Permission
PERMISSION_CREATE: Permission
PERMISSION_DELETE: Permission
PERMISSION_ADMIN: Permission
CONSISTENCY_UNSPECIFIED: Consistency
CONSISTENCY_SEQUENTIAL: Consistency
CONSISTENCY_LINEARIZABLE: Consistency

class ResponseHeader(_message.Message):
    __slots__ = ("cluster_id", "member_id", "epoch", "zxid")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    member_id: int
    epoch: int
    zxid: int
    def __init__(self, cluster_id: _Optional[str] = ..., member_id: _Optional[int] = ..., epoch: _Optional[int] = ..., zxid: _Optional[int] = ...) -> None: ...

class Stat(_message.Message):
    __slots__ = ("czxid", "mzxid", "pzxid", "ctime_ms", "mtime_ms", "version", "cversion", "aversion", "ephemeral_owner", "data_length", "num_children", "next_sequence", "kind")
    CZXID_FIELD_NUMBER: _ClassVar[int]
    MZXID_FIELD_NUMBER: _ClassVar[int]
    PZXID_FIELD_NUMBER: _ClassVar[int]
    CTIME_MS_FIELD_NUMBER: _ClassVar[int]
    MTIME_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CVERSION_FIELD_NUMBER: _ClassVar[int]
    AVERSION_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_OWNER_FIELD_NUMBER: _ClassVar[int]
    DATA_LENGTH_FIELD_NUMBER: _ClassVar[int]
    NUM_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    czxid: int
    mzxid: int
    pzxid: int
    ctime_ms: int
    mtime_ms: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    num_children: int
    next_sequence: int
    kind: ZnodeKind
    def __init__(self, czxid: _Optional[int] = ..., mzxid: _Optional[int] = ..., pzxid: _Optional[int] = ..., ctime_ms: _Optional[int] = ..., mtime_ms: _Optional[int] = ..., version: _Optional[int] = ..., cversion: _Optional[int] = ..., aversion: _Optional[int] = ..., ephemeral_owner: _Optional[int] = ..., data_length: _Optional[int] = ..., num_children: _Optional[int] = ..., next_sequence: _Optional[int] = ..., kind: _Optional[_Union[ZnodeKind, str]] = ...) -> None: ...

class AclEntry(_message.Message):
    __slots__ = ("permissions", "scheme", "id")
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    permissions: _containers.RepeatedScalarFieldContainer[Permission]
    scheme: str
    id: str
    def __init__(self, permissions: _Optional[_Iterable[_Union[Permission, str]]] = ..., scheme: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Credential(_message.Message):
    __slots__ = ("scheme", "data")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    scheme: str
    data: bytes
    def __init__(self, scheme: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class Identity(_message.Message):
    __slots__ = ("scheme", "id")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    scheme: str
    id: str
    def __init__(self, scheme: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Znode(_message.Message):
    __slots__ = ("path", "stat", "data")
    PATH_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    path: str
    stat: Stat
    data: bytes
    def __init__(self, path: _Optional[str] = ..., stat: _Optional[_Union[Stat, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("cluster_id", "zxid", "op")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    zxid: int
    op: int
    def __init__(self, cluster_id: _Optional[str] = ..., zxid: _Optional[int] = ..., op: _Optional[int] = ...) -> None: ...

class OperationError(_message.Message):
    __slots__ = ("code", "reason", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...
