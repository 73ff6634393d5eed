"""Contexts are kept for the user alone, and hold no secret."""

import stat
from pathlib import Path

import pytest
from known_secrets import SECRETS
from pydantic import BaseModel

from lamflow import context
from lamflow.config.fields import bare
from lamflow.context import (
    ArgoServer,
    BucketPlace,
    add_context,
    contexts_file,
    find_context,
    load_contexts,
    remove_context,
    use_context,
)
from lamflow.errors import InputError

ARGO = {
    "server": "https://argo.example.org",
    "namespace": "lam",
    "token": "environment:ARGO_TOKEN",
    "ca": "/etc/ca.pem",
}
STORE = {
    "bucket": "my-bucket",
    "prefix": "team/lam",
    "endpoint": "https://s3.example.org:9000",
    "region": "eu-central-1",
    "ca": "/etc/ca.pem",
    "credentials": "profile:lam",
}
FULL: dict[str, object] = {"argo": ARGO, "store": STORE}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LAMFLOW_CONTEXT", raising=False)
    return tmp_path


def test_what_is_added_is_found_and_the_first_is_current() -> None:
    added = add_context("cluster", FULL)
    add_context("other", {"store": {"bucket": "other"}})
    assert find_context() == ("cluster", added)
    assert added.model_dump(exclude_none=True) == FULL
    assert find_context("other")[1].store == BucketPlace(bucket="other")


def test_only_the_user_may_read_the_file() -> None:
    add_context("cluster", FULL)
    assert stat.S_IMODE(contexts_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(contexts_file().parent.stat().st_mode) == 0o700
    use_context("cluster")
    assert stat.S_IMODE(contexts_file().stat().st_mode) == 0o600


def test_another_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        add_context(name, FULL)
    use_context("two")
    assert find_context()[0] == "two"
    monkeypatch.setenv("LAMFLOW_CONTEXT", "three")
    assert find_context()[0] == "three"
    assert find_context("one")[0] == "one"


def test_removing() -> None:
    add_context("one", FULL)
    add_context("two", FULL)
    remove_context("one")
    assert list(load_contexts().contexts) == ["two"]
    with pytest.raises(InputError, match="no context is in use; `lamflow context add"):
        find_context()


def test_a_name_is_taken_unless_replaced() -> None:
    add_context("one", FULL)
    with pytest.raises(InputError, match="'one' is there already; --replace changes it"):
        add_context("one", {})
    add_context("one", {}, replace=True)
    assert find_context("one")[1].store is None


def test_an_unknown_name_is_told_with_what_may_be_meant() -> None:
    add_context("cluster", FULL)
    for action in (find_context, use_context, remove_context):
        with pytest.raises(InputError, match="named 'clutser'; did you mean 'cluster'"):
            action("clutser")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("argo", "server", "argo.example.org", "argo.server: write it like https://argo"),
        ("argo", "server", "https://host/?q=1", "argo.server: write it like"),
        ("argo", "token", "ARGO_TOKEN", "argo.token: write environment:NAME, file:/path"),
        ("argo", "token", "file:token", "argo.token: 'token' is no absolute path"),
        ("argo", "namespace", "My_Space", "argo.namespace: use lower case letters"),
        ("argo", "ca", "ca.pem", "argo.ca: 'ca.pem' is no absolute path"),
        ("store", "bucket", "My Bucket", "store.bucket: use 3 to 63 lower case"),
        ("store", "prefix", "/a", "store.prefix: write it like team/project"),
        ("store", "credentials", "me", "store.credentials: write environment, profile:NAME"),
        ("store", "region", "EU west", "store.region: write it like eu-central-1"),
        ("store", "buckett", "x", "store.buckett: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_wrong_values_are_told(section: str, key: str, value: str, message: str) -> None:
    values = {**FULL, section: {**FULL[section], key: value}}  # type: ignore[dict-item]
    with pytest.raises(InputError, match=message):
        add_context("cluster", values)
    assert not contexts_file().exists()


def _text_fields() -> list[tuple[str, str]]:
    sections: dict[str, type[BaseModel]] = {"argo": ArgoServer, "store": BucketPlace}
    return [
        (section, name)
        for section, model in sections.items()
        for name, field in model.model_fields.items()
        if bare(field.annotation) is str
    ]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(("section", "key"), _text_fields())
def test_no_field_takes_a_secret_and_none_is_repeated(section: str, key: str, secret: str) -> None:
    for before in ("", "environment:", "file:/", "profile:", "https://host/", "/"):
        section_values = {**FULL[section], key: before + secret}  # type: ignore[dict-item]
        with pytest.raises(InputError) as caught:
            add_context("cluster", {**FULL, section: section_values})
        assert secret not in str(caught.value)
    assert not contexts_file().exists()


def test_every_field_is_covered_by_the_scan_above() -> None:
    assert len(_text_fields()) == len(ArgoServer.model_fields) + len(BucketPlace.model_fields)


def test_the_value_of_a_secret_variable_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "swordfish")
    with pytest.raises(InputError, match="looks like the value of the environment variable ARGO"):
        add_context("cluster", {"store": {"bucket": "swordfish"}})
    with pytest.raises(InputError, match="context"):
        add_context("swordfish", FULL)


@pytest.mark.parametrize("name", ["With Space", "../up", "", "x" * 41])
def test_names_are_names(name: str) -> None:
    with pytest.raises(InputError, match="can't be a name"):
        add_context(name, FULL)


def test_a_file_that_others_may_write_is_refused() -> None:
    add_context("cluster", FULL)
    contexts_file().chmod(0o666)
    with pytest.raises(InputError, match="others may write to it; chmod 600"):
        load_contexts()


def test_an_edited_file_is_checked_with_lines() -> None:
    add_context("cluster", FULL)
    text = contexts_file().read_text().replace("bucket:", "buckett:")
    contexts_file().write_text(text)
    with pytest.raises(
        InputError, match=r"contexts.yaml:10: contexts.cluster.store.buckett: unknown"
    ):
        load_contexts()


def test_a_failed_write_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    add_context("cluster", FULL)
    before = contexts_file().read_text()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(context.os, "fdopen", fail)
    with pytest.raises(OSError, match="disk full"):
        add_context("second", FULL)
    assert contexts_file().read_text() == before
    assert {path.name for path in contexts_file().parent.iterdir()} <= {
        "contexts.yaml", ".contexts.lock",
    }  # fmt: skip
