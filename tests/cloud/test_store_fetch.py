"""A dataset in a bucket becomes a local one, by way of the user's context."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lamflow.context import add_context
from lamflow.context_access import fetch_location
from lamflow.data.dataset import Dataset
from lamflow.errors import InputError
from lamflow.store.folders import upload_folder
from lamflow.testing.s3_servers import BUCKET, S3Server, rclone_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(autouse=True)
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: S3Server) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LAMFLOW_CONTEXT", raising=False)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    place = {"bucket": BUCKET, "endpoint": server.endpoint, "region": "us-east-1"}
    add_context("test", {"store": place})


def test_a_dataset_in_a_bucket_is_read_like_a_local_one(tmp_path: Path, server: S3Server) -> None:
    data = tmp_path / "water" / "set.000"
    data.mkdir(parents=True)
    (tmp_path / "water" / "type.raw").write_text("0\n1\n1\n")
    (tmp_path / "water" / "type_map.raw").write_text("O\nH\n")
    (tmp_path / "water" / "nopbc").write_text("")
    np.save(data / "coord.npy", np.arange(18.0).reshape(2, 9))
    np.save(data / "energy.npy", np.array([-1.0, -2.0]))
    upload_folder(server.store("sets"), tmp_path / "water", "water")
    path = fetch_location(f"s3://{BUCKET}/sets/water")
    assert path.is_relative_to(tmp_path / "cache" / "lamflow" / "data")
    dataset = Dataset.open(path)
    assert (dataset.nframes, dataset.elements) == (2, ("H", "O"))
    assert fetch_location(f"s3://{BUCKET}/sets/water") == path


def test_nothing_there_is_told(server: S3Server) -> None:
    with pytest.raises(InputError, match="s3://lamflow-test/sets/none: nothing lies there"):
        fetch_location(f"s3://{BUCKET}/sets/none")
