"""Finding the checkpoint to go on from, past those that a crash has torn."""

import re
import zipfile
from pathlib import Path

from lamflow.train.deepmd_input import CHECKPOINT

_NAME = re.compile(rf"{re.escape(CHECKPOINT)}-(\d+)\.pt")


def last_complete(folder: Path, *, remove_torn: bool = True) -> tuple[int, Path] | None:
    """Give step and path of the newest whole checkpoint in `folder`; torn ones are removed.

    DeePMD-kit writes checkpoints in place, so one that was being written when the power or the
    process went is cut short. PyTorch's files are ZIP archives with a checksum for each part.
    """
    found = [
        (int(match[1]), path)
        for path in folder.glob(f"{CHECKPOINT}-*.pt")
        if (match := _NAME.fullmatch(path.name))
    ]
    for step, path in sorted(found, reverse=True):
        if is_whole(path):
            return step, path
        if remove_torn:
            path.unlink()
    return None


def is_whole(path: Path) -> bool:
    """Whether a PyTorch file has all of its parts, unharmed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
