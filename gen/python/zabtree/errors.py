"""Reads why a call failed.

Every error of a zabtree server carries one google.rpc.ErrorInfo: a stable reason (see zabtree.reasons) and metadata.
"""

from typing import Dict, NamedTuple, Optional

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"
_DOMAIN = "zabtree"


class Failure(NamedTuple):
    """Why a call failed."""

    #: One of zabtree.reasons, for example "NO_NODE".
    reason: str
    #: Details for programs, for example {"path": "/a"}.
    metadata: Dict[str, str]


def failure(error: grpc.RpcError) -> Optional[Failure]:
    """The reason and the metadata of a failed call; None when the error is not from a zabtree server."""
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS_KEY:
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == _DOMAIN:
                return Failure(info.reason, dict(info.metadata))
    return None


def reason(error: grpc.RpcError) -> Optional[str]:
    """The reason of a failed call, for example "NO_NODE"; None when the error is not from a zabtree server."""
    found = failure(error)
    return None if found is None else found.reason
