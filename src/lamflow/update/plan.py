"""What an update works on: which datasets of the inbox, on top of which version of the model."""

import secrets

from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.errors import RunError
from lamflow.registry.inbox import is_alone, scan
from lamflow.registry.lease import Lease
from lamflow.registry.names import LATEST, Reference
from lamflow.registry.registry import Registry
from lamflow.registry.release import Sha256
from lamflow.store.protocol import Store
from lamflow.update.ledger import Ending, last_ending, settle, updates_key

_ID_BYTES = 6


class Wanted(StrictModel):
    """One dataset of the inbox."""

    name: str
    """Name in the inbox."""
    sha256: Sha256
    """Hash over its files."""


class Work(StrictModel):
    """What there is to do."""

    base: str | None
    """Version of the model to go on from, name@version; null: there is none yet."""
    datasets: tuple[Wanted, ...] = ()
    """New datasets that are taken on now."""
    waiting: tuple[str, ...] = ()
    """New datasets that wait for the next update."""
    incomplete: dict[str, str] = Field(default={})
    """Uploads that are not complete, and why."""


class Plan(Work):
    """What one update does, fixed by its first step."""

    id: str
    """Name of the update."""
    owner: str
    """Who holds the lease."""


def survey(registry: Registry, model: str, most: int) -> Work:
    """Look at the inbox and the model; nothing is written.

    Parameters
    ----------
    registry
        Where both are.
    model
        Name of the model.
    most
        Datasets of one update. One that spoilt an update together with others is taken alone.
    """
    pending = last_ending(registry.store, model)
    done = set() if pending is None else {(o.name, o.sha256) for o in pending.outcomes}
    alone = set() if pending is None else set(pending.alone)
    new: list[Wanted] = []
    single: list[Wanted] = []
    incomplete = {}
    for item in scan(registry.store):
        if item.manifest is None:
            incomplete[item.name] = item.fault or "the upload goes on, or was cut off"
            continue
        wanted = Wanted(name=item.name, sha256=item.manifest.sha256)
        if not item.is_new or (wanted.name, wanted.sha256) in done:
            continue
        apart = item.name in alone or is_alone(registry.store, wanted.name, wanted.sha256)
        (single if apart else new).append(wanted)
    chosen = new[:most] or single[:1]
    return Work(
        base=_base(registry, model, pending),
        datasets=tuple(chosen),
        waiting=tuple(one.name for one in [*new, *single] if one not in chosen),
        incomplete=incomplete,
    )


def _base(registry: Registry, model: str, pending: Ending | None) -> str | None:
    if pending is not None and pending.release is not None:
        return pending.release
    version = registry.tags("model", model).get(LATEST)
    return None if version is None else str(Reference(model, version))


def lease_of(store: Store, model: str, owner: str, seconds: float) -> Lease:
    """Return the lease that the updates of a model share."""
    return Lease(store, updates_key(model, "@lease.json"), owner, seconds)


def make_plan(
    registry: Registry, model: str, most: int, lease_s: float, owner: str, fixed: Work | None
) -> Plan:
    """Take the lease, finish what an update before left, and fix what is worked on.

    Parameters
    ----------
    registry, model, most
        See `survey`.
    lease_s
        Length of the lease, s.
    owner
        Who takes it; empty: nobody else.
    fixed
        What was found when the run was submitted; None: look now.

    Raises
    ------
    RunError
        Another update holds the lease, or has changed what there is to do since `fixed`.
    """
    name = secrets.token_hex(_ID_BYTES)
    owner = owner or name
    lease = lease_of(registry.store, model, owner, lease_s)
    if not lease.acquire():
        raise RunError(
            f"another update of {model} is at work ({lease.holder}); this one does nothing, the "
            "next one goes on"
        )
    settle(registry, model)
    found = survey(registry, model, most)
    if fixed is not None and (fixed.base, fixed.datasets) != (found.base, found.datasets):
        lease.release()
        raise RunError("inbox or model have changed since this run was submitted; submit it again")
    return Plan(**found.model_dump(), id=name, owner=owner)
