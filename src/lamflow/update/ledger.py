"""What updates have decided, one record each, written before it is done.

    updates/MODEL/@endings/7.json    what the seventh update decided
    updates/MODEL/@endings/7.done    … and that all of it was done

A record is created only if there is none of its number, and only on top of what the update started
from: of two updates that end at once one gets the number, and the other finds that it was
overtaken. Whoever comes after one that died between record and deed does the rest.
"""

from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.errors import RunError
from lamflow.registry.inbox import Outcome, conclude, outcome_of, set_alone
from lamflow.registry.names import LATEST, parse_reference
from lamflow.registry.registry import Registry
from lamflow.registry.release import Sha256
from lamflow.store.protocol import CorruptError, ExistsError, Store

_ENDINGS = "@endings"


class Ending(StrictModel):
    """What one update decided."""

    id: str
    """Name of the update."""
    base: str | None
    """Version that it went on from."""
    candidate: str | None = None
    """Version that came of it, released or not."""
    release: str | None = None
    """Version that becomes latest; null: it stays as it is."""
    worse: tuple[str, ...] = ()
    """What the gate found worse."""
    outcomes: tuple[Outcome, ...] = ()
    """What becomes of the datasets."""
    alone: dict[str, Sha256] = Field(default={})
    """Datasets to try again, each alone: they spoilt an update together."""
    report: str | None = None
    """Key of the update's report."""
    finished: str = ""
    """When it ended, UTC, by its own clock; nothing is ordered by it."""


def updates_key(model: str, *parts: str) -> str:
    """Return a key of what belongs to the updates of a model."""
    return "/".join(("updates", model, *parts))


def endings(store: Store, model: str) -> list[Ending]:
    """Return what all updates of a model decided, in order."""
    return [_read(store, model, number) for number in _numbers(store, model)]


def last_ending(store: Store, model: str) -> Ending | None:
    """Return the last record if not all of it is done yet."""
    numbers = _numbers(store, model)
    if not numbers or store.stat(_key(model, numbers[-1], "done")) is not None:
        return None
    return _read(store, model, numbers[-1])


def settle(registry: Registry, model: str) -> None:
    """Do what the last record says, if it is not done."""
    ending = last_ending(registry.store, model)
    if ending is not None:
        _do(registry, model, ending, _numbers(registry.store, model)[-1])


def close(registry: Registry, model: str, ending: Ending) -> None:
    """Record how an update ended, then do it: outcomes, tag.

    It can be repeated after any failure.

    Raises
    ------
    RunError
        Another update came first; nothing is written.
    """
    settle(registry, model)
    store = registry.store
    numbers = _numbers(store, model)
    if numbers and _read(store, model, numbers[-1]).id == ending.id:
        return  # written at an earlier attempt, and done by now
    _check_not_overtaken(registry, model, ending)
    number = (numbers[-1] if numbers else 0) + 1
    try:
        store.create(_key(model, number, "json"), ending.model_dump_json(indent=1).encode())
    except ExistsError:
        raise _overtaken(model) from None
    _do(registry, model, ending, number)


def _check_not_overtaken(registry: Registry, model: str, ending: Ending) -> None:
    now = registry.tags("model", model).get(LATEST)
    then = None if ending.base is None else parse_reference(ending.base).at
    if now != then:
        raise _overtaken(model)
    for outcome in ending.outcomes:
        if outcome_of(registry.store, outcome.name, outcome.sha256) not in (None, outcome):
            raise _overtaken(model)


def _overtaken(model: str) -> RunError:
    return RunError(f"another update of {model} came first; submit again to start from its result")


def _do(registry: Registry, model: str, ending: Ending, number: int) -> None:
    if ending.release is not None:
        version = parse_reference(ending.release).at
        if not isinstance(version, int):
            raise CorruptError(f"{_key(model, number, 'json')}: {ending.release} is no version")
        registry.move_tag("model", model, LATEST, version, only_forward=True)
    for name, sha256 in ending.alone.items():
        set_alone(registry.store, name, sha256)
    for outcome in ending.outcomes:
        conclude(registry.store, outcome)
    registry.store.write(_key(model, number, "done"), b"")


def _numbers(store: Store, model: str) -> list[int]:
    keys = (entry.key for entry in store.list(f"{updates_key(model, _ENDINGS)}/"))
    stems = (key.rpartition("/")[2].removesuffix(".json") for key in keys if key.endswith(".json"))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _key(model: str, number: int, ending: str) -> str:
    return updates_key(model, _ENDINGS, f"{number}.{ending}")


def _read(store: Store, model: str, number: int) -> Ending:
    key = _key(model, number, "json")
    try:
        return Ending.model_validate_json(store.read(key)[0])
    except ValueError as error:
        raise CorruptError(f"{store.url}/{key} is no record of an update: {error}") from error
