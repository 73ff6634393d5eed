"""S3 behind a bad line: what fails once is tried again, what is cut short is never taken."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lamflow.errors import UnreachableError
from lamflow.store.protocol import CorruptError
from lamflow.store.s3 import Credentials, S3Address, S3Store

CONTENT = b"0123456789" * 100


class BadLine(ThreadingHTTPServer):
    """An S3 server for one object that misbehaves at first."""

    faults: list[str]
    by_get: list[str]
    requests: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: BadLine
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.requests.append(self.command)
        faults = self.server.by_get if self.command == "GET" else self.server.faults
        fault = faults.pop(0) if faults else ""
        if fault.isdecimal():
            self._send(int(fault), b"<Error><Code>SlowDown</Code></Error>", CONTENT)
        elif fault == "cut":
            self.close_connection = True
        elif fault == "short":
            self._send(200, CONTENT[:-10], CONTENT)
            self.close_connection = True
        elif fault == "wrong":
            self._send(200, CONTENT[::-1], CONTENT)
        elif self.command == "PUT":
            self._send(200, b"", body)
        else:
            self._send(200, b"" if self.command == "HEAD" else CONTENT, CONTENT)

    do_GET = do_PUT = do_HEAD = _answer  # noqa: N815

    def _send(self, status: int, body: bytes, whole: bytes) -> None:
        self.send_response(status)
        length = len(whole) if status == 200 and self.command != "PUT" else len(body)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{hashlib.md5(whole).hexdigest()}"')
        self.send_header("x-amz-meta-sha256", hashlib.sha256(whole).hexdigest())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def line() -> Iterator[BadLine]:
    server = BadLine(("127.0.0.1", 0), _Handler)
    server.faults, server.by_get, server.requests = [], [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(line: BadLine) -> S3Store:
    address = S3Address("bucket", "", f"http://127.0.0.1:{line.server_port}", "us-east-1")
    return S3Store(address, Credentials("access", "secret"))


@pytest.mark.parametrize("fault", ["500", "503", "cut"])
def test_a_passing_fault_is_tried_again(store: S3Store, line: BadLine, fault: str) -> None:
    line.faults = [fault, fault]
    store.write("key", CONTENT)
    assert line.requests == ["PUT"] * 3


def test_a_lasting_fault_is_told_after_all_attempts(
    store: S3Store, line: BadLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamflow.store.s3._ATTEMPTS", 3)
    line.faults = ["503"] * 100
    with pytest.raises(UnreachableError, match="PutObject failed with SlowDown after all attempts"):
        store.write("key", CONTENT)
    assert line.requests == ["PUT"] * 3


def test_a_download_that_is_cut_short_is_tried_again(
    store: S3Store, line: BadLine, tmp_path: Path
) -> None:
    line.by_get = ["short", "cut"]
    store.get("key", tmp_path / "target")
    assert line.requests.count("GET") == 3
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_wrong_bytes_are_not_taken(store: S3Store, line: BadLine, tmp_path: Path) -> None:
    line.by_get = ["wrong"]
    with pytest.raises(CorruptError, match="SHA-256 differs"):
        store.get("key", tmp_path / "target")
    assert not list(tmp_path.iterdir())
