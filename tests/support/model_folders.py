"""A folder that looks like a model's, for tests in which nothing loads it."""

from pathlib import Path

from lamflow.train.model_card import HeadCard, ModelCard, write_model_card


def write_model_folder(folder: Path, *heads: str, type_map: tuple[str, ...] = ("H", "O")) -> Path:
    """Write a card and a file that stands for the checkpoint."""
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(b"no checkpoint")
    head = HeadCard(
        dataset="water", sha256="0", frames=1, weight=1.0, elements=type_map, dft="PBE",
        licence="CC0-1.0", source="",
    )  # fmt: skip
    card = ModelCard(
        name="big", type_map=type_map, heads=dict.fromkeys(heads, head), model={}, cutoff=None,
        seed=1, steps=1, seconds=0.0, device="cpu", versions={},
    )  # fmt: skip
    write_model_card(folder, card)
    return folder
