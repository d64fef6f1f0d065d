"""Every message, enum and stub of zabtree.admin.v1. Generated."""

from zabtree.admin.v1.cluster_pb2 import (
    GetStatusRequest,
    GetStatusResponse,
    ServerRole,
    SERVER_ROLE_UNSPECIFIED,
    SERVER_ROLE_LOOKING,
    SERVER_ROLE_LEADING,
)
from zabtree.admin.v1.cluster_pb2_grpc import (
    ClusterServiceStub,
    ClusterServiceServicer,
)

__all__ = [
    "GetStatusRequest",
    "GetStatusResponse",
    "ServerRole",
    "SERVER_ROLE_UNSPECIFIED",
    "SERVER_ROLE_LOOKING",
    "SERVER_ROLE_LEADING",
    "ClusterServiceStub",
    "ClusterServiceServicer",
]
