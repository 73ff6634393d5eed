"""How a long computation tells how far it is."""

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Called with what is done, of how much in all, and numbers worth showing."""

    def __call__(self, done: float, total: float, values: Mapping[str, float | str]) -> None:
        """Tell that `done` of `total` units are done."""


def silent(done: float, total: float, values: Mapping[str, float | str]) -> None:
    """Tell nobody."""
