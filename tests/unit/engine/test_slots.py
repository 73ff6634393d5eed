"""Cores as slots between processes."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from lamflow.engine.slots import count_cores, hold_slots, list_gpus


def hold(folder: Path, cores: int, seconds: float, log: Path) -> None:
    with hold_slots(folder, cores, 0):
        with log.open("a") as file:
            file.write(f"in {cores}\n")
        time.sleep(seconds)
        with log.open("a") as file:
            file.write(f"out {cores}\n")


def test_one_that_wants_all_cores_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMFLOW_CORES", "2")
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    wanted = (1, 1, 0, 1)
    workers = [context.Process(target=hold, args=(tmp_path, n, 0.3, log)) for n in wanted]
    for worker in workers:
        worker.start()
        time.sleep(0.05)
    for worker in workers:
        worker.join(20)
    lines = log.read_text().splitlines()
    alone = lines.index("in 0")
    assert lines[alone + 1] == "out 0"
    assert len(lines) == 8


def test_threads_are_limited_to_the_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMFLOW_CORES", "1")
    with hold_slots(tmp_path, 0, 0) as environment:
        assert environment["OMP_NUM_THREADS"] == "1"


def test_cores_are_at_most_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMFLOW_CORES", "100000")
    assert count_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("text", "gpus"), [("", []), ("-1", []), ("0,3", ["0", "3"])])
def test_visible_gpus(text: str, gpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
    assert list_gpus() == gpus
