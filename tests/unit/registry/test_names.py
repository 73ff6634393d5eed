"""References as users write them."""

import pytest

from lamflow.errors import InputError
from lamflow.registry.names import (
    Reference,
    check_name,
    check_tag,
    is_reference,
    parse_reference,
)


@pytest.mark.parametrize(
    ("text", "name", "at"),
    [
        ("openlam/dpa2-small@7", "openlam/dpa2-small", 7),
        ("openlam/dpa2-small", "openlam/dpa2-small", "latest"),
        ("registry:openlam/dpa2-small@production", "openlam/dpa2-small", "production"),
        ("water", "water", "latest"),
    ],
)
def test_references(text: str, name: str, at: int | str) -> None:
    assert parse_reference(text) == Reference(name, at)


@pytest.mark.parametrize(
    "text",
    ["", "@7", "a@", "a@0", "a@-1", "A/b", "a//b", "../a@1", "/a", "a/b/c/d/e", "a@1@2", "a b@1",
     "x" * 41, "a@Latest"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"can't be a|no such version"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openlam/x@7", True),
        ("openlam/x@latest", True),
        ("registry:openlam/x", True),
        ("openlam/x", False),
        ("models/x.pt", False),
        ("/data/me@home/x", False),
        ("./x@7", False),
        ("s3://bucket/x@7", False),
    ],
)
def test_a_path_is_told_from_a_reference(text: str, expected: bool) -> None:
    assert is_reference(text) is expected


def test_a_number_is_no_tag() -> None:
    assert check_tag("production") == "production"
    with pytest.raises(InputError, match="not be a number"):
        check_tag("7")
    with pytest.raises(InputError, match="such as openlam/dpa2-small"):
        check_name("-x")
