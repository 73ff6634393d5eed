"""The child process: labels the frames of one job file, one after the other.

``python -m lamflow.label.child FOLDER`` reads ``FOLDER/job.json``. Each frame ends in a file of
its own as soon as it is done, so that a crash costs no more than one frame.
"""

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from lamflow.errors import InputError
from lamflow.files import read_json, write_json
from lamflow.label import registry
from lamflow.label.protocol import ImplausibleError, Labeller, UnconvergedError
from lamflow.label.read import label_atoms

JOB = "job.json"
FAILURE = "failure.json"
_WATCH_SECONDS = 1.0
_KINDS = ((UnconvergedError, "unconverged"), (ImplausibleError, "implausible"),
          (InputError, "refused"))  # fmt: skip


def main(folder: Path) -> None:
    """Label the frames of ``folder/job.json``."""
    job = read_json(folder / JOB)
    _die_with(job["parent"])
    labeller = registry.build(job["labeller"], job["settings"])
    for frame in job["frames"]:
        _label(labeller, frame, job)


def _label(labeller: Labeller, frame: dict[str, Any], job: dict[str, Any]) -> None:
    from ase import Atoms

    folder = Path(frame["folder"])
    atoms = Atoms(frame["symbols"], frame["positions"], cell=frame["cell"],
                  pbc=frame["cell"] is not None)  # fmt: skip
    started = time.monotonic()
    try:
        label = label_atoms(
            labeller, atoms, folder, gentle=job["gentle"],
            largest_net_force_eV_per_A=job["largest_net_force_eV_per_A"],
        )  # fmt: skip
    except Exception as error:  # any engine's error ends one frame, not the others
        traceback.print_exc()
        kind = next((name for kind, name in _KINDS if isinstance(error, kind)), "error")
        message = str(error) or type(error).__name__
        write_json(folder / FAILURE, {"kind": kind, "message": message})
        return
    result = {
        "energy_eV": label.energy,
        "forces_eV_per_A": label.forces.tolist(),
        "virial_eV": None if label.virial is None else label.virial.tolist(),
        "evidence": label.evidence,
        "seconds": round(time.monotonic() - started, 3),
        "identity": frame["identity"],
    }
    write_json(Path(frame["result"]), result)


def _die_with(parent: int) -> None:
    """End this process's group when `parent` is gone, were it killed with no chance to tell us."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
