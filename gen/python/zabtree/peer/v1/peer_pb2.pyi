from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PeerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PEER_STATE_UNSPECIFIED: _ClassVar[PeerState]
    PEER_STATE_FORMING: _ClassVar[PeerState]
    PEER_STATE_LOOKING: _ClassVar[PeerState]
    PEER_STATE_FOLLOWING: _ClassVar[PeerState]
    PEER_STATE_LEADING: _ClassVar[PeerState]
PEER_STATE_UNSPECIFIED: PeerState
PEER_STATE_FORMING: PeerState
PEER_STATE_LOOKING: PeerState
PEER_STATE_FOLLOWING: PeerState
PEER_STATE_LEADING: PeerState

class PeerHello(_message.Message):
    __slots__ = ("protocol_version", "cluster_id", "member_id", "incarnation", "receiver_id", "client_address")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    cluster_id: str
    member_id: int
    incarnation: int
    receiver_id: int
    client_address: str
    def __init__(self, protocol_version: _Optional[int] = ..., cluster_id: _Optional[str] = ..., member_id: _Optional[int] = ..., incarnation: _Optional[int] = ..., receiver_id: _Optional[int] = ..., client_address: _Optional[str] = ...) -> None: ...

class PeerAccepted(_message.Message):
    __slots__ = ("protocol_version", "client_address")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    client_address: str
    def __init__(self, protocol_version: _Optional[int] = ..., client_address: _Optional[str] = ...) -> None: ...

class LogPosition(_message.Message):
    __slots__ = ("zxid", "epoch")
    ZXID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    zxid: int
    epoch: int
    def __init__(self, zxid: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class ElectRequest(_message.Message):
    __slots__ = ("hello", "notification")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    hello: PeerHello
    notification: Notification
    def __init__(self, hello: _Optional[_Union[PeerHello, _Mapping]] = ..., notification: _Optional[_Union[Notification, _Mapping]] = ...) -> None: ...

class ElectResponse(_message.Message):
    __slots__ = ("accepted",)
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    accepted: PeerAccepted
    def __init__(self, accepted: _Optional[_Union[PeerAccepted, _Mapping]] = ...) -> None: ...

class Notification(_message.Message):
    __slots__ = ("cluster_id", "state", "can_lead", "counts", "current_epoch", "last", "vote", "epoch", "hears", "remembers", "forming")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CAN_LEAD_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEARS_FIELD_NUMBER: _ClassVar[int]
    REMEMBERS_FIELD_NUMBER: _ClassVar[int]
    FORMING_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    state: PeerState
    can_lead: bool
    counts: bool
    current_epoch: int
    last: LogPosition
    vote: int
    epoch: int
    hears: _containers.RepeatedScalarFieldContainer[int]
    remembers: LogPosition
    forming: Forming
    def __init__(self, cluster_id: _Optional[str] = ..., state: _Optional[_Union[PeerState, str]] = ..., can_lead: bool = ..., counts: bool = ..., current_epoch: _Optional[int] = ..., last: _Optional[_Union[LogPosition, _Mapping]] = ..., vote: _Optional[int] = ..., epoch: _Optional[int] = ..., hears: _Optional[_Iterable[int]] = ..., remembers: _Optional[_Union[LogPosition, _Mapping]] = ..., forming: _Optional[_Union[Forming, _Mapping]] = ...) -> None: ...

class Forming(_message.Message):
    __slots__ = ("cluster_id", "founders")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    FOUNDERS_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    founders: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, cluster_id: _Optional[str] = ..., founders: _Optional[_Iterable[int]] = ...) -> None: ...

class FollowRequest(_message.Message):
    __slots__ = ("hello", "messages", "fragment")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    hello: PeerHello
    messages: _containers.RepeatedCompositeFieldContainer[LearnerMessage]
    fragment: LinkFragment
    def __init__(self, hello: _Optional[_Union[PeerHello, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[LearnerMessage, _Mapping]]] = ..., fragment: _Optional[_Union[LinkFragment, _Mapping]] = ...) -> None: ...

class FollowResponse(_message.Message):
    __slots__ = ("accepted", "messages", "fragment")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    accepted: PeerAccepted
    messages: _containers.RepeatedCompositeFieldContainer[LeaderMessage]
    fragment: LinkFragment
    def __init__(self, accepted: _Optional[_Union[PeerAccepted, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[LeaderMessage, _Mapping]]] = ..., fragment: _Optional[_Union[LinkFragment, _Mapping]] = ...) -> None: ...

class LinkFragment(_message.Message):
    __slots__ = ("content", "last")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    last: bool
    def __init__(self, content: _Optional[bytes] = ..., last: bool = ...) -> None: ...

class LearnerMessage(_message.Message):
    __slots__ = ("learner_info", "ack_epoch", "ack_new_leader", "ack", "pong", "request", "ack_diff")
    LEARNER_INFO_FIELD_NUMBER: _ClassVar[int]
    ACK_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACK_NEW_LEADER_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    ACK_DIFF_FIELD_NUMBER: _ClassVar[int]
    learner_info: LearnerInfo
    ack_epoch: AckEpoch
    ack_new_leader: AckNewLeader
    ack: Ack
    pong: Pong
    request: PeerRequest
    ack_diff: AckDiff
    def __init__(self, learner_info: _Optional[_Union[LearnerInfo, _Mapping]] = ..., ack_epoch: _Optional[_Union[AckEpoch, _Mapping]] = ..., ack_new_leader: _Optional[_Union[AckNewLeader, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., request: _Optional[_Union[PeerRequest, _Mapping]] = ..., ack_diff: _Optional[_Union[AckDiff, _Mapping]] = ...) -> None: ...

class LeaderMessage(_message.Message):
    __slots__ = ("leader_info", "trunc", "snap", "diff", "new_leader", "up_to_date", "proposal", "commit", "ping", "answer")
    LEADER_INFO_FIELD_NUMBER: _ClassVar[int]
    TRUNC_FIELD_NUMBER: _ClassVar[int]
    SNAP_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    NEW_LEADER_FIELD_NUMBER: _ClassVar[int]
    UP_TO_DATE_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    leader_info: LeaderInfo
    trunc: Trunc
    snap: Snap
    diff: Diff
    new_leader: NewLeader
    up_to_date: UpToDate
    proposal: Proposal
    commit: Commit
    ping: Ping
    answer: PeerAnswer
    def __init__(self, leader_info: _Optional[_Union[LeaderInfo, _Mapping]] = ..., trunc: _Optional[_Union[Trunc, _Mapping]] = ..., snap: _Optional[_Union[Snap, _Mapping]] = ..., diff: _Optional[_Union[Diff, _Mapping]] = ..., new_leader: _Optional[_Union[NewLeader, _Mapping]] = ..., up_to_date: _Optional[_Union[UpToDate, _Mapping]] = ..., proposal: _Optional[_Union[Proposal, _Mapping]] = ..., commit: _Optional[_Union[Commit, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., answer: _Optional[_Union[PeerAnswer, _Mapping]] = ...) -> None: ...

class LearnerInfo(_message.Message):
    __slots__ = ("cluster_id", "accepted_epoch", "last", "current_epoch", "voter", "recovering")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    CURRENT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    VOTER_FIELD_NUMBER: _ClassVar[int]
    RECOVERING_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    accepted_epoch: int
    last: LogPosition
    current_epoch: int
    voter: bool
    recovering: bool
    def __init__(self, cluster_id: _Optional[str] = ..., accepted_epoch: _Optional[int] = ..., last: _Optional[_Union[LogPosition, _Mapping]] = ..., current_epoch: _Optional[int] = ..., voter: bool = ..., recovering: bool = ...) -> None: ...

class AckEpoch(_message.Message):
    __slots__ = ("epoch", "counts", "current_epoch", "last", "committed", "boundaries")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    BOUNDARIES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    counts: bool
    current_epoch: int
    last: LogPosition
    committed: LogPosition
    boundaries: _containers.RepeatedCompositeFieldContainer[LogPosition]
    def __init__(self, epoch: _Optional[int] = ..., counts: bool = ..., current_epoch: _Optional[int] = ..., last: _Optional[_Union[LogPosition, _Mapping]] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ..., boundaries: _Optional[_Iterable[_Union[LogPosition, _Mapping]]] = ...) -> None: ...

class AckNewLeader(_message.Message):
    __slots__ = ("epoch", "zxid")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    zxid: int
    def __init__(self, epoch: _Optional[int] = ..., zxid: _Optional[int] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("epoch", "zxid")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    zxid: int
    def __init__(self, epoch: _Optional[int] = ..., zxid: _Optional[int] = ...) -> None: ...

class AckDiff(_message.Message):
    __slots__ = ("epoch", "zxid")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ZXID_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    zxid: int
    def __init__(self, epoch: _Optional[int] = ..., zxid: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("epoch", "round", "disk_low")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    DISK_LOW_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    round: int
    disk_low: bool
    def __init__(self, epoch: _Optional[int] = ..., round: _Optional[int] = ..., disk_low: bool = ...) -> None: ...

class PeerRequest(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    def __init__(self, payload: _Optional[bytes] = ...) -> None: ...

class LeaderInfo(_message.Message):
    __slots__ = ("cluster_id", "epoch")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    epoch: int
    def __init__(self, cluster_id: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class Trunc(_message.Message):
    __slots__ = ("epoch", "to")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    to: LogPosition
    def __init__(self, epoch: _Optional[int] = ..., to: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class Snap(_message.Message):
    __slots__ = ("epoch", "offer", "boundaries")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    BOUNDARIES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    offer: SnapshotOffer
    boundaries: _containers.RepeatedCompositeFieldContainer[LogPosition]
    def __init__(self, epoch: _Optional[int] = ..., offer: _Optional[_Union[SnapshotOffer, _Mapping]] = ..., boundaries: _Optional[_Iterable[_Union[LogPosition, _Mapping]]] = ...) -> None: ...

class SnapshotOffer(_message.Message):
    __slots__ = ("snapshot_id", "at", "file_bytes", "digest", "chain_crc")
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    FILE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHAIN_CRC_FIELD_NUMBER: _ClassVar[int]
    snapshot_id: str
    at: LogPosition
    file_bytes: int
    digest: int
    chain_crc: int
    def __init__(self, snapshot_id: _Optional[str] = ..., at: _Optional[_Union[LogPosition, _Mapping]] = ..., file_bytes: _Optional[int] = ..., digest: _Optional[int] = ..., chain_crc: _Optional[int] = ...) -> None: ...

class HistoryPiece(_message.Message):
    __slots__ = ("transactions", "first_zxid", "boundaries")
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    FIRST_ZXID_FIELD_NUMBER: _ClassVar[int]
    BOUNDARIES_FIELD_NUMBER: _ClassVar[int]
    transactions: bytes
    first_zxid: int
    boundaries: _containers.RepeatedCompositeFieldContainer[LogPosition]
    def __init__(self, transactions: _Optional[bytes] = ..., first_zxid: _Optional[int] = ..., boundaries: _Optional[_Iterable[_Union[LogPosition, _Mapping]]] = ...) -> None: ...

class Diff(_message.Message):
    __slots__ = ("epoch", "piece", "committed")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    piece: HistoryPiece
    committed: LogPosition
    def __init__(self, epoch: _Optional[int] = ..., piece: _Optional[_Union[HistoryPiece, _Mapping]] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class NewLeader(_message.Message):
    __slots__ = ("epoch", "last", "piece", "committed")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    last: LogPosition
    piece: HistoryPiece
    committed: LogPosition
    def __init__(self, epoch: _Optional[int] = ..., last: _Optional[_Union[LogPosition, _Mapping]] = ..., piece: _Optional[_Union[HistoryPiece, _Mapping]] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class UpToDate(_message.Message):
    __slots__ = ("epoch", "committed")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    committed: LogPosition
    def __init__(self, epoch: _Optional[int] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("epoch", "transactions", "first_zxid", "last_zxid", "committed")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    FIRST_ZXID_FIELD_NUMBER: _ClassVar[int]
    LAST_ZXID_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    transactions: bytes
    first_zxid: int
    last_zxid: int
    committed: LogPosition
    def __init__(self, epoch: _Optional[int] = ..., transactions: _Optional[bytes] = ..., first_zxid: _Optional[int] = ..., last_zxid: _Optional[int] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class Commit(_message.Message):
    __slots__ = ("epoch", "committed")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    committed: LogPosition
    def __init__(self, epoch: _Optional[int] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("epoch", "round", "committed", "acks")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    ACKS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    round: int
    committed: LogPosition
    acks: _containers.RepeatedCompositeFieldContainer[MemberAck]
    def __init__(self, epoch: _Optional[int] = ..., round: _Optional[int] = ..., committed: _Optional[_Union[LogPosition, _Mapping]] = ..., acks: _Optional[_Iterable[_Union[MemberAck, _Mapping]]] = ...) -> None: ...

class MemberAck(_message.Message):
    __slots__ = ("member_id", "position")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    member_id: int
    position: LogPosition
    def __init__(self, member_id: _Optional[int] = ..., position: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class PeerAnswer(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    def __init__(self, payload: _Optional[bytes] = ...) -> None: ...

class FetchSnapshotRequest(_message.Message):
    __slots__ = ("hello", "snapshot_id", "offset")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    hello: PeerHello
    snapshot_id: str
    offset: int
    def __init__(self, hello: _Optional[_Union[PeerHello, _Mapping]] = ..., snapshot_id: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class FetchSnapshotResponse(_message.Message):
    __slots__ = ("offset", "content", "crc")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CRC_FIELD_NUMBER: _ClassVar[int]
    offset: int
    content: bytes
    crc: int
    def __init__(self, offset: _Optional[int] = ..., content: _Optional[bytes] = ..., crc: _Optional[int] = ...) -> None: ...
