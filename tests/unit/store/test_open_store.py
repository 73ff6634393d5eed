"""From an address to a store, and keys."""

from pathlib import Path

import pytest

from lamflow.errors import InputError
from lamflow.store.local import LocalStore
from lamflow.store.open import open_store, split_s3
from lamflow.store.s3 import S3Store


def test_paths_and_file_urls_are_local_stores(tmp_path: Path) -> None:
    for url in (str(tmp_path / "a b"), (tmp_path / "a b").as_uri()):
        store = open_store(url)
        assert isinstance(store, LocalStore)
        assert store.root == tmp_path / "a b"
        assert store.url == (tmp_path / "a b").as_uri()


def test_s3_addresses_are_s3_stores() -> None:
    store = open_store("s3://bucket/some/prefix/", endpoint="http://localhost:1")
    assert isinstance(store, S3Store)
    assert store.url == "s3://bucket/some/prefix"
    assert repr(store) == "S3Store('s3://bucket/some/prefix', endpoint='http://localhost:1')"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://bucket/a%20b#c?d", ("bucket", "a%20b#c?d")),
    ],
)
def test_an_s3_address_is_taken_as_it_is_written(url: str, expected: tuple[str, str]) -> None:
    assert split_s3(url) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3:///key", "is no S3 address"),
        ("s3://key:secret@bucket/x", "is no S3 address"),
        ("s3://bucket/../x", "can't be a key"),
        ("gs://bucket/x", "is no store"),
        ("http://host/x", "is no store"),
    ],
)
def test_other_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_store(url)


def test_keys_in_an_address_are_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        open_store("s3://key:secret@bucket/x")
    assert str(caught.value).startswith("s3://…@bucket/x: is no S3 address")
