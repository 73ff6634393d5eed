"""One at a time, and the dead lose it."""

import threading
from pathlib import Path

import pytest

from lamflow.registry.lease import Lease, LeaseLostError
from lamflow.store.local import LocalStore
from lamflow.store.protocol import CorruptError, Store

KEY = "leases/update"


class Time:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path)


@pytest.fixture
def clock() -> Time:
    return Time()


def test_two_can_not_hold_it(store: Store, clock: Time) -> None:
    one, two = (Lease(store, KEY, name, 60, clock) for name in ("one", "two"))
    assert one.holder is None
    assert one.acquire()
    assert not two.acquire()
    assert two.holder == "one"
    one.release()
    assert two.holder is None
    assert two.acquire()
    assert not one.acquire()


def test_an_expired_lease_is_taken_over(store: Store, clock: Time) -> None:
    one, two = (Lease(store, KEY, name, 60, clock) for name in ("one", "two"))
    assert one.acquire()
    clock.seconds += 59
    assert not two.acquire()
    clock.seconds += 1
    assert two.acquire()
    with pytest.raises(LeaseLostError, match="went to two"):
        one.renew()
    one.release()
    assert two.holder == "two"


def test_a_renewed_lease_stays(store: Store, clock: Time) -> None:
    one, two = (Lease(store, KEY, name, 60, clock) for name in ("one", "two"))
    assert one.acquire()
    for _ in range(3):
        clock.seconds += 50
        one.renew()
    assert not two.acquire()


def test_steps_of_one_run_share_it(store: Store, clock: Time) -> None:
    assert Lease(store, KEY, "run-1", 60, clock).acquire()
    assert Lease(store, KEY, "run-1", 60, clock).acquire()


def test_nobody_holds_what_was_never_taken(store: Store, clock: Time) -> None:
    lease = Lease(store, KEY, "one", 60, clock)
    lease.release()
    with pytest.raises(LeaseLostError, match="went to nobody"):
        lease.renew()


@pytest.mark.parametrize("state", ["free", "expired"])
def test_of_many_at_once_one_gets_it(store: Store, clock: Time, state: str) -> None:
    if state == "expired":
        Lease(store, KEY, "dead", 1, clock).acquire()
        clock.seconds += 10
    won: list[str] = []
    start = threading.Barrier(8)

    def ask(name: str) -> None:
        lease = Lease(store, KEY, name, 60, clock)
        start.wait()
        if lease.acquire():
            won.append(name)

    threads = [threading.Thread(target=ask, args=(f"run-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert Lease(store, KEY, "x", 60, clock).holder == won[0]


def test_it_is_kept_during_a_block_and_given_back(store: Store) -> None:
    other = Lease(store, KEY, "two", 0.3)
    with Lease(store, KEY, "one", 0.3).held() as mine:
        assert mine
        threading.Event().wait(0.7)
        assert not other.acquire()
        with other.held() as got:
            assert not got
    assert other.acquire()


def test_what_is_no_lease_is_told(store: Store) -> None:
    store.write(KEY, b"[]")
    with pytest.raises(CorruptError, match="is no lease"):
        Lease(store, KEY, "one", 60).acquire()
