"""Which state of lamflow's repository this is."""

import subprocess
from pathlib import Path

import lamflow

_ROOT = Path(lamflow.__file__).parents[2]
_GIT_S = 10


def repository_version() -> str:
    """Return tag, commit and whether it was changed, or the version where there is no checkout."""
    if not (_ROOT / ".git").exists():
        return f"v{lamflow.__version__}"
    command = ["git", "-C", str(_ROOT), "describe", "--tags", "--always", "--dirty"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_S, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, or not our repository's user
        return f"v{lamflow.__version__}"
    return told.stdout.strip()
