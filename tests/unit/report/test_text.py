import pytest

from lamflow.report import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(36.46, "36.5"), (0.123, "0.12"), (0, "0.0"), (1486.7, "1\u202f486.7"), (None, "–"),
     (float("nan"), "–"), (float("inf"), "–"), ("5", "–")],
)  # fmt: skip
def test_error(value, shown):
    assert text.error(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (12.4, "12 s"), (65, "1 min 05 s"), (3900, "1 h 05 min"), (None, "–")],
)
def test_duration(seconds, shown):
    assert text.duration(seconds) == shown


def test_moment_is_utc():
    assert text.moment(0.0) == "1970-01-01 00:00:00 UTC"
    assert text.moment(None) == "–"


def test_flatten_makes_dotted_keys():
    card = {"a": {"b": 1.0, "c": {"d": [1, 2]}}, "e": True, "f": None}
    assert dict(text.flatten(card)) == {"a.b": "1", "a.c.d": "1, 2", "e": "yes", "f": "–"}
