"""Tokens and keys are read from where a context says, and shown nowhere."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from lamflow.context import ArgoServer, BucketPlace, Context, add_context
from lamflow.context_access import open_context_store, open_location, read_token
from lamflow.errors import InputError, UnreachableError
from lamflow.store.s3 import S3Store

SERVER = "https://argo.example.org"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("LAMFLOW_CONTEXT", "KUBECONFIG", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_no_token_is_none() -> None:
    assert read_token(ArgoServer(server=SERVER)) is None


@pytest.mark.parametrize("written", ["abc", "Bearer abc", " abc\n"])
def test_a_token_from_the_environment(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    argo = ArgoServer(server=SERVER, token="environment:LAMFLOW_TEST_TOKEN")
    monkeypatch.setenv("LAMFLOW_TEST_TOKEN", written)
    assert read_token(argo) == "abc"
    monkeypatch.setenv("LAMFLOW_TEST_TOKEN", " ")
    with pytest.raises(InputError, match="environment:LAMFLOW_TEST_TOKEN is empty"):
        read_token(argo)
    monkeypatch.delenv("LAMFLOW_TEST_TOKEN")
    with pytest.raises(InputError, match="LAMFLOW_TEST_TOKEN is not set; export it"):
        read_token(argo)


def test_a_token_from_a_file(tmp_path: Path) -> None:
    argo = ArgoServer(server=SERVER, token=f"file:{tmp_path}/token")
    with pytest.raises(InputError, match=r"can't read .*token: No such file"):
        read_token(argo)
    (tmp_path / "token").write_text("abc\n")
    assert read_token(argo) == "abc"


def kubeconfig(folder: Path, server: str, user: dict[str, object]) -> Path:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def use_kubeconfig(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    # kubernetes reads KUBECONFIG once, at import
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path), raising=True
    )


def test_a_token_that_a_program_of_the_kubeconfig_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "login"
    version = "client.authentication.k8s.io/v1beta1"
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "from-program"}}
    script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(answer)}\nEOF\n")
    script.chmod(0o755)
    user: dict[str, object] = {"exec": {"apiVersion": version, "command": str(script), "args": []}}
    use_kubeconfig(monkeypatch, kubeconfig(tmp_path, "https://127.0.0.1:1", user))
    assert read_token(ArgoServer(server=SERVER, token="kubeconfig")) == "from-program"
    assert read_token(ArgoServer(server=SERVER, token="kubeconfig:mine")) == "from-program"
    with pytest.raises(InputError, match=r"context: kubeconfig: .*other"):
        read_token(ArgoServer(server=SERVER, token="kubeconfig:other"))


def test_a_kubeconfig_without_token_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_kubeconfig(monkeypatch, kubeconfig(tmp_path, "https://127.0.0.1:1", {}))
    with pytest.raises(InputError, match="the kubeconfig has no token"):
        read_token(ArgoServer(server=SERVER, token="kubeconfig"))


def test_the_store_of_a_context() -> None:
    place = BucketPlace(
        bucket="mine", prefix="a/b", endpoint="http://localhost:1", credentials="profile:lam"
    )
    store = open_context_store(Context(store=place))
    assert isinstance(store, S3Store)
    assert store.url == "s3://mine/a/b"
    assert store.address.profile == "lam"
    with pytest.raises(InputError, match="the context has no bucket"):
        open_context_store(Context())


def test_a_location_uses_the_endpoint_of_the_context_in_use() -> None:
    store, key = open_location("s3://other/sets/water")
    assert (store.url, key) == ("s3://other", "sets/water")
    assert isinstance(store, S3Store)
    assert store.address.endpoint is None
    add_context("mine", {"store": {"bucket": "mine", "endpoint": "http://localhost:1"}})
    store, key = open_location("s3://other/sets/water")
    assert isinstance(store, S3Store)
    assert (store.url, store.address.endpoint) == ("s3://other", "http://localhost:1")
    with pytest.raises(InputError, match="is a whole bucket"):
        open_location("s3://other")
    with pytest.raises(InputError, match="no context is named 'none'"):
        open_location("s3://other/x", "none")


def test_web_identity_wants_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(store=BucketPlace(bucket="mine", credentials="web-identity"))
    with pytest.raises(InputError, match="AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"):
        open_context_store(context)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    store = open_context_store(context)
    assert isinstance(store, S3Store)
    assert store.address.web_identity


SECRET_DATA = {"accesskey": "the-access-key", "secretkey": "the-secret-key"}


class _Kubernetes(BaseHTTPRequestHandler):
    """Answers as Kubernetes does for two Secrets, and refuses the rest."""

    def do_GET(self) -> None:
        found = {
            "/api/v1/namespaces/lam/secrets/s3": SECRET_DATA,
            "/api/v1/namespaces/lam/secrets/odd": {"password": "x"},
        }.get(self.path)
        body = {"kind": "Status", "status": "Failure"}
        if found is not None:
            data = {key: base64.b64encode(value.encode()).decode() for key, value in found.items()}
            body = {"apiVersion": "v1", "kind": "Secret", "data": data}  # type: ignore[dict-item]
        self.send_response(403 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Kubernetes)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}", {"token": "t"})
    use_kubeconfig(monkeypatch, path)
    yield
    server.shutdown()
    server.server_close()
    thread.join()


def with_secret(name: str) -> Context:
    argo = ArgoServer(server=SERVER, namespace="lam")
    return Context(argo=argo, store=BucketPlace(bucket="mine", credentials=f"secret:{name}"))


@pytest.mark.usefixtures("cluster")
def test_keys_from_a_kubernetes_secret() -> None:
    store = open_context_store(with_secret("s3"))
    assert isinstance(store, S3Store)
    assert store._credentials is not None
    assert store._credentials.access_key == "the-access-key"
    assert store._credentials.secret_key == "the-secret-key"
    for secret in SECRET_DATA.values():
        assert secret not in f"{store!r} {store._credentials!r} {store.address!r}"


@pytest.mark.usefixtures("cluster")
def test_a_secret_that_can_not_be_read_is_told() -> None:
    with pytest.raises(UnreachableError, match="Secret lam/hidden failed: 403"):
        open_context_store(with_secret("hidden"))
    with pytest.raises(InputError, match="Secret lam/odd lacks AWS_ACCESS_KEY_ID and"):
        open_context_store(with_secret("odd"))
