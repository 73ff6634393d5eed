"""Numbers, times and nested values as a reader wants them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

DASH = "–"


def finite(value: Any) -> float | None:
    """Return `value` as a float, or None where it is missing, not a number or infinite."""
    if value is None or isinstance(value, str | bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def error(value: Any) -> str:
    """Format an error in meV with one decimal as the OpenLAM reports do, more below 1 meV."""
    number = finite(value)
    if number is None:
        return DASH
    if number != 0 and abs(number) < 1:
        return f"{number:.2g}"
    return f"{number:,.1f}".replace(",", "\u202f")


def count(value: Any) -> str:
    """Format a whole number with thin spaces between thousands."""
    number = finite(value)
    return DASH if number is None else f"{number:,.0f}".replace(",", "\u202f")


def duration(seconds: float | None) -> str:
    """Format a time in s, such as ``1 min 05 s``."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(unix_time: float | None) -> str:
    """Format a Unix time in s as UTC."""
    if unix_time is None:
        return DASH
    return datetime.fromtimestamp(unix_time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def plain(value: Any) -> str:
    """Write a value of a card in one line."""
    if value is None or value == "" or (isinstance(value, Sequence | Mapping) and not value):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(item) for item in value)
    return str(value)


def flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted key, one line) for every leaf of nested mappings."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and item:
            yield from flatten(item, f"{name}.")
        else:
            yield name, plain(item)
