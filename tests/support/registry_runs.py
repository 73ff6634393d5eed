"""Folders of finished runs, as the local engine leaves them; the model's weights are words."""

from collections.abc import Mapping
from pathlib import Path

from lamflow.data.card import dataset_sha256, read_card
from lamflow.files import sha256_json, write_json, write_text
from lamflow.train.model_card import HeadCard, ModelCard, write_model_card


def write_run(
    folder: Path, data: Mapping[str, Path], *, force_rmse: float = 80.0, weights: str = "weights"
) -> Path:
    """Write a run that cleaned, divided and learnt each of `data` by head, with its metrics.

    `force_rmse` (meV/Å) is that of every head.
    """
    heads = {name: _head(folder, name, path) for name, path in data.items()}
    card = ModelCard(
        name=folder.name, type_map=("H", "O"), heads=heads,
        model={"descriptor": {"type": "dpa1", "rcut": 5.0}, "fitting_net": {"neuron": [64]}},
        cutoff=5.0, seed=1, steps=200, seconds=7200.0, device="cuda: test",
        versions={"lamflow": "0.1.0", "deepmd-kit": "3.2.0"},
    )  # fmt: skip
    model = folder / "result/model"
    write_text(model / "model.pt", weights)
    write_model_card(model, card)
    metrics = {name: _errors(force_rmse) | {"baseline": _errors(400.0)} for name in heads}
    write_json(folder / "result/metrics.json", {"heads": metrics, "weighted": {}})
    write_text(folder / "config.yaml", "kind: pretrain\n")
    return folder


def _errors(force_rmse: float) -> dict[str, float | int | None]:
    return {
        "frames": 10,
        "energy_rmse_meV_per_atom": force_rmse / 10,
        "force_rmse_meV_per_A": force_rmse,
        "virial_rmse_meV_per_atom": None,
    }


def _head(folder: Path, name: str, path: Path) -> HeadCard:
    """Write the cards of the steps between a dataset and the head that it teaches."""
    raw = dataset_sha256(path)
    licence = read_card(path).licence if (path / "card.json").exists() else "CC0-1.0"
    common = {
        "frames": 3, "atoms_min": 3, "atoms_max": 3, "elements": ["H", "O"],
        "type_map": ["H", "O"], "labels": ["energy"], "periodic": False, "licence": licence,
        "source": "somewhere",
    }  # fmt: skip
    clean, train = sha256_json([raw, "clean"]), sha256_json([raw, "train"])
    write_json(
        folder / f"steps/clean-{name}-1/outputs/dataset/card.json",
        {**common, "name": name, "sha256": clean, "parents": {name: raw}},
    )
    write_json(
        folder / f"steps/split-{name}-1/outputs/parts/train/card.json",
        {**common, "name": f"{name}-train", "sha256": train, "parents": {name: clean}},
    )
    return HeadCard(
        dataset=name, sha256=train, frames=3, weight=1.0, elements=("H", "O"), dft="PBE",
        licence=licence, source="somewhere",
    )  # fmt: skip
