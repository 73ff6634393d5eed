"""Trajectories as files: arrays in ``.npz``, nothing that runs when it is read."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from lamflow.data.frames import System
from lamflow.explore.protocol import Stop, Trajectory


def write_trajectory(path: Path, trajectory: Trajectory) -> None:
    """Write a trajectory, whole or not at all."""
    frames = trajectory.frames
    arrays: dict[str, Any] = {
        "types": frames.types,
        "coords": frames.coords,
        "steps": frames.origins,
        "energies": trajectory.energies,
        "temperatures": trajectory.temperatures,
    }
    if frames.cells is not None:
        arrays["cells"] = frames.cells
    stop = None if trajectory.stop is None else asdict(trajectory.stop)
    about = json.dumps({"type_map": frames.type_map, "stop": stop})
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        np.savez(file, about=np.array(about), **arrays)
    Path(file.name).replace(path)


def read_trajectory(path: Path, name: str) -> Trajectory:
    """Read a trajectory; its frames get `name`."""
    with np.load(path, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        frames = System(
            name=name,
            type_map=tuple(about["type_map"]),
            types=arrays["types"],
            coords=arrays["coords"],
            cells=arrays.get("cells"),
            energies=None,
            forces=None,
            virials=None,
            origins=arrays["steps"],
        )
        stop = about["stop"]
        if stop is not None:
            stop = replace(Stop(**stop), atoms=tuple(stop["atoms"]))
        return Trajectory(frames, arrays["energies"], arrays["temperatures"], stop)
