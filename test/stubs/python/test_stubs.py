"""The Python stubs against a real server."""

import importlib
import re
import secrets
from pathlib import Path

import grpc
import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server) as channel:
        yield channel


def test_the_installed_package_is_complete(package):
    names = {path.relative_to(package).as_posix() for path in package.rglob("*.py*") if "__pycache__" not in path.parts}
    source = ROOT / "gen" / "python"
    expected = {path.relative_to(source).as_posix() for path in source.glob("zabtree/**/*.py*") if path.suffix != ".pyc"}
    assert (package / "zabtree" / "py.typed").exists()
    assert expected <= names
    for name in expected:
        if name.endswith(".py"):
            importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def test_a_package_offers_all_its_names():
    import zabtree.admin.v1
    import zabtree.v1

    for package in (zabtree.v1, zabtree.admin.v1):
        for name in package.__all__:
            assert hasattr(package, name)
    assert zabtree.v1.CreateRequest is importlib.import_module("zabtree.v1.tree_pb2").CreateRequest


def test_reasons_are_those_of_the_documentation():
    from zabtree import reasons

    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    assert documented == {name for name in vars(reasons) if name.isupper()}
    assert all(getattr(reasons, name) == name for name in documented)


def test_create_get_set_delete(channel):
    from zabtree import errors, reasons, v1

    tree = v1.TreeServiceStub(channel)
    created = tree.Create(v1.CreateRequest(path="/python", data=b"one"), timeout=10)
    assert created.path == "/python"
    assert created.header.zxid == created.stat.czxid > 0

    answer = tree.GetData(v1.GetDataRequest(path="/python", min_zxid=created.header.zxid), timeout=10)
    assert answer.data == b"one"
    assert answer.stat.version == 0

    tree.SetData(v1.SetDataRequest(path="/python", data=b"two", expected_version=0), timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        tree.SetData(v1.SetDataRequest(path="/python", data=b"three", expected_version=0), timeout=10)
    assert caught.value.code() == grpc.StatusCode.ABORTED
    found = errors.failure(caught.value)
    assert found.reason == reasons.BAD_VERSION
    assert found.metadata["actual_version"] == "1"

    tree.Delete(v1.DeleteRequest(path="/python"), timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        tree.GetData(v1.GetDataRequest(path="/python"), timeout=10)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert errors.reason(caught.value) == reasons.NO_NODE


def test_the_reason_is_read_from_the_status_details():
    from concurrent.futures import ThreadPoolExecutor

    from google.protobuf.any_pb2 import Any
    from google.rpc import error_details_pb2, status_pb2
    from zabtree import errors, v1

    class Refusing(v1.TreeServiceServicer):
        def Sync(self, request, context):
            info = Any()
            info.Pack(error_details_pb2.ErrorInfo(reason="NO_LEADER", domain="zabtree", metadata={"a": "b"}))
            status = status_pb2.Status(code=14, message="no leader", details=[info])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.UNAVAILABLE, "no leader")

    server = grpc.server(ThreadPoolExecutor(1))
    importlib.import_module("zabtree.v1.tree_pb2_grpc").add_TreeServiceServicer_to_server(Refusing(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as caught:
            v1.TreeServiceStub(channel).Sync(v1.SyncRequest(), timeout=10)
    finally:
        server.stop(None)
    assert errors.failure(caught.value) == ("NO_LEADER", {"a": "b"})
    assert errors.reason(caught.value) == "NO_LEADER"


def test_an_error_from_elsewhere_has_no_reason():
    from zabtree import errors, v1

    with grpc.insecure_channel("127.0.0.1:1") as nowhere, pytest.raises(grpc.RpcError) as caught:
        v1.TreeServiceStub(nowhere).Sync(v1.SyncRequest(), timeout=2)
    assert errors.reason(caught.value) is None


def test_an_ephemeral_ends_with_its_session(channel):
    from zabtree import v1
    from zabtree.sessions import open_session

    tree = v1.TreeServiceStub(channel)
    session_id, timeout_ms, metadata = open_session(channel, timeout_ms=7000)
    assert timeout_ms == 7000
    request = v1.CreateRequest(path="/member", mode=v1.CREATE_MODE_EPHEMERAL, seq=1)
    first = tree.Create(request, metadata=metadata, timeout=10)
    assert first.stat.ephemeral_owner == session_id
    # The same write again is the same write: it happened once.
    assert tree.Create(request, metadata=metadata, timeout=10).stat.czxid == first.stat.czxid

    v1.SessionServiceStub(channel).CloseSession(v1.CloseSessionRequest(), metadata=metadata, timeout=10)
    assert not tree.Exists(v1.ExistsRequest(path="/member"), timeout=10).HasField("stat")


def test_a_watch_streams_changes_in_order(channel):
    from zabtree import v1

    tree = v1.TreeServiceStub(channel)
    spec = v1.WatchSpec(path="/watched", scope=v1.WATCH_SCOPE_SUBTREE, include_data=True)
    watch = v1.WatchServiceStub(channel).Watch(v1.WatchRequest(spec=spec), timeout=20)
    next(watch)
    tree.Create(v1.CreateRequest(path="/watched", data=b"a"), timeout=10)
    tree.Create(v1.CreateRequest(path="/watched/child"), timeout=10)
    tree.SetData(v1.SetDataRequest(path="/watched", data=b"b"), timeout=10)
    tree.DeleteSubtree(v1.DeleteSubtreeRequest(path="/watched"), timeout=10)
    events = []
    while len(events) < 5:
        events.extend(next(watch).update.events)
    watch.cancel()
    assert [(event.kind, event.path) for event in events] == [
        (v1.WATCH_EVENT_KIND_CREATED, "/watched"),
        (v1.WATCH_EVENT_KIND_CREATED, "/watched/child"),
        (v1.WATCH_EVENT_KIND_DATA_CHANGED, "/watched"),
        (v1.WATCH_EVENT_KIND_DELETED, "/watched/child"),
        (v1.WATCH_EVENT_KIND_DELETED, "/watched"),
    ]
    assert [event.data for event in events[:3]] == [b"a", b"", b"b"]


def test_a_session_stream_answers_in_order(channel):
    from zabtree import v1

    secret = secrets.token_bytes(16)
    sessions = v1.SessionServiceStub(channel)
    opened = sessions.OpenSession(v1.OpenSessionRequest(client_key=secrets.token_bytes(16), secret=secret), timeout=10)

    def requests():
        attach = v1.SessionAttach(session_id=opened.session_id, secret=secret, last_zxid=opened.header.zxid)
        creates = [
            v1.SessionRequest(call_id=i, create=v1.CreateRequest(path=f"/stream-{i}", seq=i)) for i in range(1, 11)
        ]
        close = v1.SessionRequest(call_id=11, close_session=v1.CloseSessionRequest())
        yield v1.AttachSessionRequest(attach=attach, requests=creates)
        yield v1.AttachSessionRequest(requests=[close])

    frames = [frame for message in sessions.AttachSession(requests(), timeout=20) for frame in message.frames]
    assert frames[0].WhichOneof("frame") == "attached"
    answers = [frame.response for frame in frames if frame.WhichOneof("frame") == "response"]
    assert [answer.call_id for answer in answers] == list(range(1, 12))
    assert [answer.WhichOneof("result") for answer in answers] == ["create"] * 10 + ["close_session"]


def test_status(channel):
    from zabtree.admin import v1

    answer = v1.ClusterServiceStub(channel).GetStatus(v1.GetStatusRequest(), timeout=10)
    assert answer.header.member_id == 1
