"""The version of a model that an update goes on from."""

from dataclasses import dataclass
from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.registry.local_copy import cached
from lamflow.registry.registry import Registry
from lamflow.registry.release import ModelContent
from lamflow.update.earlier import EarlierData, missing_data
from lamflow.update.plan import Plan


@dataclass(frozen=True)
class Base:
    """The version to go on from.

    Attributes
    ----------
    folder
        Its files; the empty path if they were not fetched.
    content
        What is registered of it.
    data
        Finds the data of its heads.
    """

    folder: Path
    content: ModelContent
    data: EarlierData


def find_base(registry: Registry, plan: Plan, *, fetch: bool = True) -> Base | None:
    """Return the plan's base, its files fetched and checked; None for a first version.

    Raises
    ------
    InputError
        Training data or test sets of the base are not in the registry, so that it can neither
        rehearse nor be compared.
    """
    if plan.base is None:
        return None
    release = registry.release("model", plan.base)
    if not isinstance(release.content, ModelContent):
        raise TypeError(f"{release} is no model")
    if missing := missing_data(registry, release.content):
        what = (
            f"can't be updated: the registry lacks {', '.join(missing)}; publish them with the "
            "run that made it: lamflow models push RUN --data"
        )
        raise InputError(Problem(plan.base, "", what))
    folder = cached(registry, release) if fetch else Path()
    return Base(folder, release.content, EarlierData(registry))
