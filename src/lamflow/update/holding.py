"""Keeping the lease of an update while one of its steps works."""

from collections.abc import Iterator
from contextlib import contextmanager

from lamflow.registry.lease import LeaseLostError
from lamflow.store.protocol import Store
from lamflow.update.plan import Plan, lease_of


@contextmanager
def holding(store: Store, model: str, plan: Plan, seconds: float) -> Iterator[None]:
    """Renew the lease of `plan` during a block; it stays with the update afterwards.

    Raises
    ------
    LeaseLostError
        It expired between two steps and another update has it.
    """
    with lease_of(store, model, plan.owner, seconds).held(give_back=False) as ours:
        if not ours:
            raise LeaseLostError(f"another update of {model} took over; this one ends here")
        yield
