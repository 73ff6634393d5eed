"""The first frames: random changes of the structures."""

from collections.abc import Mapping
from pathlib import Path

from lamflow.data.frames import System
from lamflow.errors import RunError
from lamflow.explore.run import Walk, explore_all
from lamflow.learn.frames import read_structures
from lamflow.progress import Progress, silent
from lamflow.select.diversity import share_out


def perturbed(
    structures: Mapping[str, Path],
    count: int,
    rattle_A: float,  # noqa: N803
    strain: float,
    seed: int,
    scratch: Path,
    *,
    progress: Progress = silent,
) -> list[System]:
    """Draw `count` frames around the structures, shared out evenly.

    Parameters
    ----------
    structures
        Files of starting frames by name.
    count
        Number of frames.
    rattle_A
        Standard deviation of each coordinate's move, Å.
    strain
        Largest component of a crystal's strain.
    seed
        Of all randomness.
    scratch
        For frames while it runs.

    Raises
    ------
    RunError
        Frames could not be drawn.
    """
    starts = read_structures(structures)
    shares = share_out(dict.fromkeys(starts, count), count)
    walks = [
        Walk(
            name, start, "perturb",
            {"frames": shares[name], "rattle_A": rattle_A, "strain": strain}, seed + number,
        )
        for number, (name, start) in enumerate(starts.items())
        if shares[name]
    ]  # fmt: skip
    result = explore_all(walks, scratch / "start", progress=progress)
    if result.failed:
        name, why = next(iter(result.failed.items()))
        raise RunError(f"structure {name} could not be perturbed: {why.message}")
    return [trajectory.frames for trajectory in result.trajectories.values()]
