"""The contract of a store on two S3 servers, and what S3 adds: errors, TLS, silence on secrets."""

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import certificate

from lamflow.errors import UnreachableError
from lamflow.store.protocol import CorruptError, Store
from lamflow.store.s3 import Credentials, S3Address, S3Store
from lamflow.testing.s3_servers import BUCKET, S3Server, moto_server, rclone_server
from lamflow.testing.store import StoreContract


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as server:
        yield server


class TestMoto(StoreContract):
    @pytest.fixture
    def store(self, moto: S3Server) -> Store:
        return moto.store(f"prefix/{uuid.uuid4()}")


class TestRclone(StoreContract):
    conditional = False

    @pytest.fixture
    def store(self, rclone: S3Server) -> Store:
        return rclone.store(f"prefix/{uuid.uuid4()}")


def test_damage_at_rest_is_noticed(moto: S3Server, tmp_path: Path) -> None:
    store = moto.store("damage")
    recorded = {"sha256": hashlib.sha256(b"right").hexdigest()}
    store._client.put_object(Bucket=BUCKET, Key="damage/key", Body=b"wrong", Metadata=recorded)
    with pytest.raises(CorruptError, match="SHA-256 differs"):
        store.read("key")
    with pytest.raises(CorruptError, match="SHA-256 differs"):
        store.get("key", tmp_path / "target")
    assert not list(tmp_path.iterdir())


def other(server: S3Server, **changes: object) -> S3Store:
    values = {"bucket": BUCKET, "endpoint": server.endpoint, "region": "us-east-1", **changes}
    keys = values.pop("credentials", server.credentials)
    return S3Store(S3Address(**values), keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("access", "secret", "message"),
    [
        ("test-access", "wrong-secret-9d2f", "the secret key does not fit the access key"),
        ("wrong-access-71ce", "test-secret-of-rclone", "refused"),
    ],
)
def test_wrong_credentials_are_told_and_not_shown(
    rclone: S3Server, access: str, secret: str, message: str
) -> None:
    store = other(rclone, credentials=Credentials(access, secret))
    with pytest.raises(UnreachableError, match=message) as caught:
        store.write("key", b"x")
    shown = f"{caught.value!r} {caught.value} {store!r} {store.address!r} {store._credentials!r}"
    assert secret not in shown
    assert access not in shown


def test_a_missing_bucket_is_told(moto: S3Server) -> None:
    with pytest.raises(UnreachableError, match="there is no bucket 'nowhere'; create it first"):
        other(moto, bucket="nowhere").write("key", b"x")
    with pytest.raises(UnreachableError, match="there is no bucket 'nowhere'"):
        list(other(moto, bucket="nowhere").list())


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamflow.store.s3._ATTEMPTS", 1)
    store = S3Store(
        S3Address(BUCKET, endpoint="http://127.0.0.1:9", region="us-east-1"), Credentials("a", "b")
    )
    with pytest.raises(UnreachableError, match=r"127.0.0.1:9: the server does not answer"):
        store.read("key")


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials_are_told(moto: S3Server) -> None:
    with pytest.raises(UnreachableError, match="no credentials were found; set AWS_ACCESS_KEY_ID"):
        other(moto, credentials=None).write("key", b"x")
    with pytest.raises(UnreachableError, match="aws configure list-profiles"):
        other(moto, credentials=None, profile="nobody").write("key", b"x")


@pytest.mark.usefixtures("no_credentials")
def test_credentials_come_from_the_environment_or_a_profile(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = [f"{name.lower()} = {value}" for name, value in rclone.environment.items()]
    (tmp_path / "credentials").write_text("\n".join(["[mine]", *lines]))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    other(rclone, credentials=None, profile="mine").write("profile", b"x")
    for name, value in rclone.environment.items():
        monkeypatch.setenv(name, value)
    other(rclone, credentials=None).write("environment", b"x")


@pytest.mark.usefixtures("no_credentials")
def test_credentials_come_from_the_identity_of_a_pod(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("header.payload.signature")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/lamflow")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-somebody-else")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-somebody-else")
    store = other(moto, credentials=None, web_identity=True)
    store.write("identity", b"x")
    used = store._client._request_signer._credentials
    assert used.method == "assume-role-with-web-identity"
    assert used.access_key != "of-somebody-else"


def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamflow.store.s3._ATTEMPTS", 1)
    cert, key = certificate(tmp_path)
    with rclone_server(tmp_path / "data", cert, key) as server:
        server.store().write("key", b"x")
        (tmp_path / "empty").write_bytes(b"")
        server.store().put("empty", tmp_path / "empty")
        with pytest.raises(UnreachableError, match="certificate is not trusted"):
            other(server).read("key")
