"""References in configurations, and where the registry is."""

from pathlib import Path

import pytest

from lamflow.context import add_context
from lamflow.errors import InputError
from lamflow.registry import resolve
from lamflow.registry.models import push_model
from lamflow.registry.open import open_registry
from lamflow.registry.registry import Registry


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No context, no registry, no cache of the person who runs the tests."""
    for name in ("LAMFLOW_REGISTRY", "LAMFLOW_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "reference",
    ["open/water@1", "open/water@latest", "registry:open/water", "registry:open/water@1"],
)
def test_a_reference_becomes_a_folder(reference: str, registry: Registry, run: Path) -> None:
    push_model(registry, run / "result/model", "open/water", run=run)
    registry.move_tag("model", "open/water", "latest", 1)
    folder = resolve(reference, registry=registry)
    assert folder.name == "water"
    assert (folder / "model.pt").read_text() == "weights"
    assert resolve(reference, registry=registry) == folder


def test_a_changed_copy_is_never_used(registry: Registry, run: Path) -> None:
    push_model(registry, run / "result/model", "open/water", run=run)
    folder = resolve("open/water@1", registry=registry)
    (folder / "model.pt").write_text("evil")
    assert (resolve("open/water@1", registry=registry) / "model.pt").read_text() == "weights"


def test_a_path_is_a_path(tmp_path: Path, registry: Registry) -> None:
    assert resolve(str(tmp_path), registry=registry) == tmp_path
    with pytest.raises(InputError, match="no such file or folder; a registered one is written"):
        resolve(str(tmp_path / "none"), registry=registry)
    with pytest.raises(InputError, match="no model of this name"):
        resolve("open/none@1", registry=registry)


def test_where_the_registry_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_registry().store.url == (tmp_path / "lamflow-registry").as_uri()
    assert open_registry("s3://b2b/x").store.url == "s3://b2b/x"
    add_context("here", {"store": {"bucket": "bucket", "prefix": "team", "endpoint": "http://e"}})
    assert open_registry().store.url == "s3://bucket/team/lamflow-registry"
    other = open_registry("s3://other/x").store
    assert other.url == "s3://other/x"
    assert "http://e" in repr(other)
    monkeypatch.setenv("LAMFLOW_REGISTRY", str(tmp_path / "mine"))
    assert open_registry().store.url == (tmp_path / "mine").as_uri()
    assert open_registry(str(tmp_path / "this")).store.url == (tmp_path / "this").as_uri()
