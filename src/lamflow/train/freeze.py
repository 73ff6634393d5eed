"""Freeze several heads of one checkpoint in one process, as loading DeePMD-kit takes seconds.

``python -m lamflow.train.freeze CHECKPOINT FOLDER [HEAD ...]`` writes ``FOLDER/HEAD.pth``; without
a head the checkpoint has only one model, and ``FOLDER/model.pth`` is written.

DPA-4 has no TorchScript form, and its export (``.pt2``) compiles C++ for minutes a head. Its heads
become ``FOLDER/HEAD.pt``: the head's weights alone, which ASE and ``dp test`` read.
"""

import sys
from pathlib import Path
from typing import Any

from lamflow.train.protocol import SINGLE_HEAD


def freeze_heads(checkpoint: Path, folder: Path, heads: list[str]) -> None:
    """Write a model that only predicts per head, each whole or not at all."""
    from deepmd.pt.entrypoints.freeze_pt2 import is_sezm_checkpoint

    folder.mkdir(parents=True, exist_ok=True)
    scripted = not is_sezm_checkpoint(str(checkpoint))
    write, suffix = (_script, "pth") if scripted else (_weights_alone, "pt")
    chosen: list[str | None] = [*heads] or [None]
    for head in chosen:
        name = head or SINGLE_HEAD
        part = folder / f".{name}.part.{suffix}"
        write(checkpoint, part, head)
        part.replace(folder / f"{name}.{suffix}")


def _script(checkpoint: Path, target: Path, head: str | None) -> None:
    from deepmd.pt.entrypoints.main import freeze

    freeze(model=str(checkpoint), output=str(target), head=head)


def _weights_alone(checkpoint: Path, target: Path, head: str | None) -> None:
    import torch

    state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
    extra = state["_extra_state"]
    params = extra["model_params"]
    prefix = f"model.{head}." if head else "model.Default."
    weights = {
        "model.Default." + key.removeprefix(prefix): value
        for key, value in state.items()
        if key.startswith(prefix)
    }
    extra = {**extra, "model_params": params["model_dict"][head] if head else params}
    torch.save({"model": {**weights, "_extra_state": extra}}, target)


def main() -> None:
    """Freeze what the arguments name."""
    checkpoint, folder, *heads = sys.argv[1:]
    freeze_heads(Path(checkpoint), Path(folder), heads)


if __name__ == "__main__":
    main()
