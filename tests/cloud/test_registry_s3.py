"""The registry on S3."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_samples import OpenStore, RegistryContract, publish

from lamflow.registry.registry import Registry
from lamflow.report.site import build_site
from lamflow.store.protocol import UnsupportedError
from lamflow.testing.s3_servers import S3Server, moto_server, rclone_server


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture
def open_store(moto: S3Server) -> OpenStore:
    prefix = f"registry/{uuid.uuid4()}"
    return lambda: moto.store(prefix)


class TestS3Registry(RegistryContract):
    pass


def test_a_site_is_built_from_a_bucket(open_store: OpenStore, tmp_path: Path) -> None:
    registry = Registry(open_store())
    publish(registry, tmp_path / "in", "one")
    index, page = build_site(registry, tmp_path / "site")
    assert "open/water" in index.read_text()
    assert "CC0-1.0" in page.read_text()


def test_a_server_without_conditions_is_refused(tmp_path: Path) -> None:
    with rclone_server(tmp_path / "rclone") as server:
        registry = Registry(server.store())
        with pytest.raises(UnsupportedError, match="ignores conditional writes"):
            publish(registry, tmp_path, "one")
        assert list(registry.store.list()) == []
