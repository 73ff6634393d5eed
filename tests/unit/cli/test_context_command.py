"""`lamflow context`, as a user types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamflow.cli.context import app
from lamflow.errors import InputError

FULL = [
    "--server", "https://argo.example.org", "--namespace", "lam", "--token", "file:/run/token",
    "--bucket", "mine", "--prefix", "team", "--endpoint", "https://s3.example.org",
    "--region", "eu-central-1", "--credentials", "secret:s3-keys", "--ca", "ca.pem",
]  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LAMFLOW_CONTEXT", raising=False)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_life_of_a_context() -> None:
    assert "none yet; lamflow context add" in run("list")
    assert "use it: lamflow context use work" in run("add", "work", *FULL)
    run("add", "home", "--bucket", "other")
    assert run("use", "home") == "now in use: home\n"
    listed = run("list").splitlines()
    assert listed[0].split() == ["work", "https://argo.example.org", "(lam)", "s3://mine/team"]
    assert listed[1].split() == ["*", "home", "no", "Argo", "s3://other/"]
    assert json.loads(run("list", "--json")) == {"current": "home", "contexts": ["work", "home"]}
    shown = json.loads(run("show", "work", "--json"))
    assert shown["argo"]["ca"] == str(Path("ca.pem").absolute())
    assert shown["store"]["credentials"] == "secret:s3-keys"
    assert "bucket: other" in run("show")
    assert run("remove", "home") == "forgotten: home\n"
    assert json.loads(run("list", "--json"))["current"] is None


def test_a_token_given_by_value_is_refused_and_not_repeated() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"
    with pytest.raises(InputError, match="looks like a JSON web token; contexts hold no") as caught:
        run("add", "work", "--server", "https://argo.example.org", "--token", token)
    assert token not in str(caught.value)
    assert "none yet" in run("list")
