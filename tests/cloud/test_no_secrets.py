"""No credential is in a manifest, script, log, record or message, however it was given."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from answers import answering, write_kubeconfig
from argo_stub import NAMESPACE, Stub, argo_stub
from scan import CREDENTIALS, MARK, leaks

from lamflow.cli import main as command
from lamflow.context import add_context, contexts_file
from lamflow.testing.s3_servers import BUCKET, S3Server, moto_server

DATA = Path(__file__).parents[2] / "workflows/data/mol3bpa"
CONFIG = f"""\
kind: pretrain
name: tiny
datasets: [{{name: mol, path: {DATA}}}]
model: dpa1-tiny
train: {{steps: 10}}
"""
TOKEN = CREDENTIALS["STUB_TOKEN"]
ACCESS, SECRET = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:  # takes any credentials
        yield server


@pytest.fixture
def stub(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr("argo_stub.TOKEN", TOKEN)
    with argo_stub() as stub:
        stub.store = server.store()
        yield stub


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """The folder where credentials may be: outside of where lamflow works."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "token").write_text(f"Bearer {TOKEN}\n")
    lines = f"aws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n"
    (folder / "credentials").write_text(f"[mine]\n{lines}")
    return folder


@pytest.fixture
def kubeconfig(hidden: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    data = {
        name: base64.b64encode(CREDENTIALS[name].encode()).decode()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }

    def kubernetes(_: str, path: str, __: Any) -> tuple[int, Any]:
        return (200, {"data": data}) if path.endswith("/secrets/keys") else (404, {})

    with answering(kubernetes) as url:
        file = hidden / "kubeconfig"
        write_kubeconfig(file, url)
        document = yaml.safe_load(file.read_text())
        version = "client.authentication.k8s.io/v1beta1"
        program = hidden / "login"
        answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": TOKEN}}
        program.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(answer)}\nEOF\n")
        program.chmod(0o700)
        login = {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}
        names = {"stub": {"token": TOKEN}, "exec": {"exec": login}}
        document["users"] = [{"name": name, "user": user} for name, user in names.items()]
        document["contexts"] = [
            {"name": name, "context": {"cluster": "stub", "user": name}} for name in names
        ]
        file.write_text(yaml.safe_dump(document))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        yield


@pytest.mark.usefixtures("kubeconfig")
@pytest.mark.parametrize(
    ("token", "credentials"),
    [
        ("environment:STUB_TOKEN", "environment"),
        ("file", "profile:mine"),
        ("kubeconfig", "secret:keys"),
        ("kubeconfig:exec", "web-identity"),
    ],
)
def test_no_credential_is_anywhere(
    token: str, credentials: str, server: S3Server, stub: Stub, hidden: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(work / "config"))
    monkeypatch.setattr("lamflow.engine.argo._FRESH_S", 0.0)
    monkeypatch.setattr("lamflow.cli.live._EVERY_S", 0.01)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(hidden / "credentials"))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(hidden / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/lamflow")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
    reference = f"file:{hidden}/token" if token == "file" else token
    prefix = f"team/{tmp_path.name}"
    store = {"bucket": BUCKET, "prefix": prefix, "endpoint": server.endpoint,
             "region": "us-east-1", "credentials": credentials}  # fmt: skip
    argo = {"server": stub.url, "namespace": NAMESPACE, "token": reference}
    add_context("stub", {"argo": argo, "store": store})
    (work / "pretrain.yaml").write_text(CONFIG)

    shown = []
    stub.failing = {"train"}
    for words in (
        "submit pretrain.yaml --engine argo --context stub", "status tiny", "logs tiny", "runs",
        "manifest pretrain.yaml", "context show stub", "context list", "doctor --context stub",
        "retry tiny --json", "status tiny", "download tiny -o out",
    ):  # fmt: skip
        if words.startswith("retry"):
            stub.failing = set()
        monkeypatch.setattr(sys, "argv", ["lamflow", *words.split()])
        with pytest.raises(SystemExit):
            command.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        shown.append(captured.out + captured.err)
    assert json.loads((work / "lamflow-runs/tiny/run.json").read_text())["status"] == "succeeded"
    assert contexts_file().is_relative_to(work)

    assert list(leaks(work)) == []
    assert [text for text in shown if MARK.decode() in text] == []
    assert [body for body in stub.bodies if MARK in body] == []
    objects = [entry.key for entry in server.store(prefix).list()]
    assert len(objects) > 20
    assert [key for key in objects if MARK in server.store(prefix).read(key)[0]] == []
