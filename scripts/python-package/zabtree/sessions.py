"""Opens sessions.

The calls of a session carry its id and its secret as metadata. Keep it alive by any call, at the latest by
SessionService.KeepSessionAlive, before its timeout has passed.
"""

import secrets
from typing import List, NamedTuple, Sequence, Tuple, Union

import grpc

from zabtree.v1 import Credential, OpenSessionRequest, SessionServiceStub


class Session(NamedTuple):
    """A session that was opened."""

    #: Its id: the owner of its ephemeral znodes. Not a secret.
    id: int
    #: Its timeout in milliseconds.
    timeout_ms: int
    #: What its calls carry: stub.Create(request, metadata=session.metadata).
    metadata: List[Tuple[str, Union[str, bytes]]]


def open_session(
    channel: grpc.Channel, timeout_ms: int = 10_000, credentials: Sequence[Credential] = ()
) -> Session:
    """Opens a session with a secret of its own."""
    secret = secrets.token_bytes(32)
    request = OpenSessionRequest(
        client_key=secrets.token_bytes(16), secret=secret, timeout_ms=timeout_ms, credentials=credentials
    )
    answer = SessionServiceStub(channel).OpenSession(request)
    metadata = [("zabtree-session-id", str(answer.session_id)), ("zabtree-session-secret-bin", secret)]
    return Session(answer.session_id, answer.timeout_ms, metadata)
