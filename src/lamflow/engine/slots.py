"""Cores and GPUs of this machine as slots that steps of one run hold while they work."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock


@contextlib.contextmanager
def hold_slots(folder: Path, cores: int, gpus: int) -> Iterator[dict[str, str]]:
    """Wait until `cores` cores (0: all) and `gpus` GPUs are free; hold them within the block.

    Yields the environment that keeps numerical libraries within the share. Steps queue at a
    door: who waits for many slots is not overtaken for ever by those who want few. Locks end
    with the process that holds them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    have = count_cores()
    wanted = min(cores or have, have)
    visible = list_gpus()
    with contextlib.ExitStack() as held:
        with FileLock(folder / "door"):
            _take(held, folder, "core", [str(n) for n in range(have)], wanted)
            devices = _take(held, folder, "gpu", visible, min(gpus, len(visible)))
        limits = {"OMP_NUM_THREADS": str(wanted), "MKL_NUM_THREADS": str(wanted)}
        yield limits | ({"CUDA_VISIBLE_DEVICES": ",".join(devices)} if devices else {})


def _take(
    held: contextlib.ExitStack, folder: Path, kind: str, names: list[str], wanted: int
) -> list[str]:
    taken: list[str] = []
    while len(taken) < wanted:
        for name in names:
            if name in taken:
                continue
            lock = FileLock(folder / f"{kind}-{name}", blocking=False)
            with contextlib.suppress(TimeoutError):
                held.enter_context(lock)
                taken.append(name)
            if len(taken) == wanted:
                return taken
        # All the rest are held by others: sleep on one of them instead of spinning.
        rest = [name for name in names if name not in taken]
        held.enter_context(FileLock(folder / f"{kind}-{rest[0]}", poll_interval=0.05))
        taken.append(rest[0])
    return taken


def count_cores() -> int:
    """Cores that this process may use, limited by ``LAMFLOW_CORES``."""
    have = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(int(os.environ.get("LAMFLOW_CORES", have)), have))


def list_gpus() -> list[str]:
    """NVIDIA GPUs that this process may use, without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [device for device in visible.split(",") if device not in ("", "-1")]
    found = [path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")]
    return sorted((name for name in found if name.isdigit()), key=int)
