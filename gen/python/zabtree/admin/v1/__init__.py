"""Every message, enum and stub of zabtree.admin.v1. Generated."""

from zabtree.admin.v1.cluster_pb2 import (
    GetStatusRequest,
    GetStatusResponse,
    ListMembersRequest,
    ListMembersResponse,
    Member,
    ServerRole,
    SERVER_ROLE_UNSPECIFIED,
    SERVER_ROLE_LOOKING,
    SERVER_ROLE_LEADING,
    SERVER_ROLE_FOLLOWING,
    SERVER_ROLE_OBSERVING,
    SERVER_ROLE_RECOVERING,
    SERVER_ROLE_FORMING,
)
from zabtree.admin.v1.cluster_pb2_grpc import (
    ClusterServiceStub,
    ClusterServiceServicer,
)

__all__ = [
    "GetStatusRequest",
    "GetStatusResponse",
    "ListMembersRequest",
    "ListMembersResponse",
    "Member",
    "ServerRole",
    "SERVER_ROLE_UNSPECIFIED",
    "SERVER_ROLE_LOOKING",
    "SERVER_ROLE_LEADING",
    "SERVER_ROLE_FOLLOWING",
    "SERVER_ROLE_OBSERVING",
    "SERVER_ROLE_RECOVERING",
    "SERVER_ROLE_FORMING",
    "ClusterServiceStub",
    "ClusterServiceServicer",
]
