"""What the tests of the Python stubs share: the package, installed by pip, and a real server."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NODE = ROOT / "node_modules" / ".bin" / "node"


@pytest.fixture(scope="session", autouse=True)
def package(tmp_path_factory):
    """The package as a user gets it, not the source folder."""
    source = tmp_path_factory.mktemp("source") / "python"
    shutil.copytree(ROOT / "gen" / "python", source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", target, source], check=True)
    sys.path.insert(0, str(target))
    yield target
    sys.path.remove(str(target))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a server with an empty tree."""
    data = tmp_path_factory.mktemp("data")
    command = [NODE, ROOT / "bin" / "zabtree.js", "serve", "--data", data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = threading.Timer(30, process.kill)
    deadline.start()
    lines = []
    address = None
    for line in process.stdout:
        lines.append(line)
        found = re.search(r"ready on (127\.0\.0\.1:[1-9]\d*)", line)
        if found:
            address = found.group(1)
            break
    deadline.cancel()
    try:
        assert address, "the server did not start:\n" + "".join(lines)
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield address
    finally:
        process.terminate()
        try:
            code = process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0, f"the server ended with code {code}"
