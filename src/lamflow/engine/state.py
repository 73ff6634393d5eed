"""State of a step on disk: small JSON files that are whole at any moment.

Only the standard library is imported here: the supervisor of each step starts with it.
"""

import json
import os
from pathlib import Path
from typing import Any

from lamflow.files import write_json

STATE = "state.json"
PENDING, RUNNING, SUCCEEDED, FAILED, STOPPED, INTERRUPTED = (
    "pending", "running", "succeeded", "failed", "stopped", "interrupted",
)  # fmt: skip


def read_state(folder: Path) -> dict[str, Any]:
    """Read the state of a step; a step that was never started is pending."""
    try:
        return dict(json.loads((folder / STATE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {"phase": PENDING}


def write_state(folder: Path, **changes: Any) -> None:
    """Change some keys of a step's state."""
    write_json(folder / STATE, {**read_state(folder), **changes})


def is_done(folder: Path) -> bool:
    """Tell whether the step has succeeded and its outputs are there."""
    return read_state(folder)["phase"] == SUCCEEDED and (folder / "outputs").is_dir()


def is_alive(pid: int | None) -> bool:
    """Tell whether a process exists (and is not a zombie of somebody else's)."""
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
