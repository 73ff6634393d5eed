"""The errors that lamflow raises on purpose, and the exit codes that they become.

0 done, 2 the user's input, 3 the run failed, 4 the cluster or store is unreachable.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class LamflowError(Exception):
    """Base of all expected errors; the message ends with what to do next."""

    exit_code = 3


class RunError(LamflowError):
    """A run or a step of it failed."""


class TransientError(LamflowError):
    """Something outside of the input went wrong and may work when tried again."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: the engines retry a step that ends with it


class HelpedError(LamflowError):
    """Not a failure: this process helped another with its work and has no result of its own."""

    exit_code = 0


class UnreachableError(LamflowError):
    """The cluster or the store does not answer, or refuses us."""

    exit_code = 4


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the user's input.

    `where` is ``file:line`` or a path, `key` the dotted key in it (may be empty).
    """

    where: str
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.what) if part)


class InputError(LamflowError):
    """The user's input is wrong; carries every problem that was found."""

    exit_code = 2

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: Sequence[Problem] = tuple(
            p if isinstance(p, Problem) else Problem("", "", p) for p in problems
        )
        super().__init__("\n".join(str(p) for p in self.problems))
