"""Freeze several heads of one checkpoint in one process, as loading DeePMD-kit takes seconds.

``python -m lamflow.train.freeze CHECKPOINT FOLDER [HEAD ...]`` writes ``FOLDER/HEAD.pth``; without
a head the checkpoint has only one model, and ``FOLDER/model.pth`` is written.
"""

import sys
from pathlib import Path

from lamflow.train.protocol import SINGLE_HEAD


def freeze_heads(checkpoint: Path, folder: Path, heads: list[str]) -> None:
    """Write a TorchScript model per head, each whole or not at all."""
    from deepmd.pt.entrypoints.main import freeze

    folder.mkdir(parents=True, exist_ok=True)
    chosen: list[str | None] = [*heads] or [None]
    for head in chosen:
        name = head or SINGLE_HEAD
        part = folder / f".{name}.part.pth"
        freeze(model=str(checkpoint), output=str(part), head=head)
        part.replace(folder / f"{name}.pth")


def main() -> None:
    """Freeze what the arguments name."""
    checkpoint, folder, *heads = sys.argv[1:]
    freeze_heads(Path(checkpoint), Path(folder), heads)


if __name__ == "__main__":
    main()
