"""A lease: of all that want to do one thing, one may at a time, until its time is over.

It is one object in a store, changed by conditional writes only. Who holds it must renew it before
it expires; who died loses it by doing nothing. Clocks of the machines that share a lease may differ
by a small part of its length, no more.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from lamflow.config.base import StrictModel
from lamflow.errors import TransientError
from lamflow.store.protocol import CorruptError, ExistsError, NotFoundError, Store

Clock = Callable[[], float]
_RENEWALS = 3  # so often within its length: two may fail before it is lost


class LeaseLostError(TransientError):
    """The lease expired and another has it: what it protects must stop."""


class _State(StrictModel):
    """What is in the store."""

    owner: str
    """Who holds it, or held it last."""
    expires: float
    """Unix time, s; 0: given back."""


class Lease:
    """The right to do one thing.

    Parameters
    ----------
    store
        Needs conditional writes.
    key
        Of the object that is the lease.
    owner
        Who asks; whoever asks with the same name shares the lease (the steps of one run).
    seconds
        How long it holds without being renewed.
    now
        Unix time, s.
    """

    def __init__(
        self, store: Store, key: str, owner: str, seconds: float, now: Clock = time.time
    ) -> None:
        if seconds <= 0:
            raise ValueError("a lease must hold for some time")
        self._store = store
        self._key = key
        self._seconds = seconds
        self._now = now
        self.owner = owner

    def acquire(self) -> bool:
        """Take the lease if it is free, expired, or this owner's already; tell whether it is ours.

        Raises
        ------
        UnsupportedError
            The store has no conditional writes.
        """
        mine = self._mine()
        try:
            found = self._read()
            if found is None:
                self._store.create(self._key, mine)
                return True
            state, version = found
            if state.owner != self.owner and state.expires > self._now():
                return False
            self._store.replace(self._key, mine, version)
        except ExistsError:
            return False  # another was faster by a moment
        return True

    def renew(self) -> None:
        """Hold it for its whole length from now on.

        Raises
        ------
        LeaseLostError
            Another took it meanwhile.
        """
        found = self._read()
        if found is None or found[0].owner != self.owner:
            who = "nobody" if found is None else found[0].owner
            raise LeaseLostError(f"the lease {self._key} went to {who}; start again")
        try:
            self._store.replace(self._key, self._mine(), found[1])
        except ExistsError as error:
            state = self._read()
            if state is None or state[0].owner != self.owner:
                raise LeaseLostError(f"the lease {self._key} went to another") from error

    def release(self) -> None:
        """Give it back; nothing happens if another has it."""
        found = self._read()
        if found is None or found[0].owner != self.owner:
            return
        try:
            self._store.replace(self._key, self._state(0.0), found[1])
        except ExistsError:
            return  # expired and taken just now

    @property
    def holder(self) -> str | None:
        """Who holds it now; None if it is free."""
        found = self._read()
        if found is None or found[0].expires <= self._now():
            return None
        return found[0].owner

    def _mine(self) -> bytes:
        return self._state(self._now() + self._seconds)

    def _state(self, expires: float) -> bytes:
        return _State(owner=self.owner, expires=expires).model_dump_json().encode()

    def _read(self) -> tuple[_State, str] | None:
        try:
            content, version = self._store.read(self._key)
        except NotFoundError:
            return None
        try:
            return _State.model_validate(json.loads(content)), version
        except ValueError as error:
            raise CorruptError(f"{self._store.url}/{self._key} is no lease: {error}") from error

    @contextmanager
    def held(self, *, give_back: bool = True) -> Iterator[bool]:
        """Hold the lease during a block, renewed in the background; gives whether we have it.

        The block itself should call `renew` before whatever must not happen twice. Without
        `give_back` it stays with its owner afterwards, for the next step of the same run.
        """
        if not self.acquire():
            yield False
            return
        over = Event()
        keeper = Thread(target=self._keep, args=(over,), daemon=True)
        keeper.start()
        try:
            yield True
        finally:
            over.set()
            keeper.join()
            if give_back:
                self.release()

    def _keep(self, over: Event) -> None:
        while not over.wait(self._seconds / _RENEWALS):
            try:
                self.renew()
            except LeaseLostError:
                return
            except Exception:  # noqa: S112 - the store may be back at the next turn
                continue
