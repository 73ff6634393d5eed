"""What multi-task training and denoising are worth, at small size; figures in docs/benchmarks.

``python benchmarks/breadth/measure.py single [HEAD ...]``  one training for each energy head of
    pretrain-all.yaml, with as many steps as the head gets there;
``python benchmarks/breadth/measure.py denoise``  a descriptor that was taught by denoising only,
    fine-tuned, against one from scratch, on a few labels of the downstream sets;
``python benchmarks/breadth/measure.py table``  the tables of what has been run.

Needs ``make_data.py`` and, for the table, ``lamflow submit pretrain-all.yaml``. Everything lands in
``lamflow-runs/`` here; what is there is not run again.
"""

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lamflow.config.task import DenoiseTask
from lamflow.data.card import make_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.data.writer import DatasetWriter
from lamflow.evaluate.errors import head_errors
from lamflow.evaluate.other_heads import denoise_errors
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.files import read_json, write_json
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import make_job
from lamflow.train.finetune import FRESH, finetune_job, read_checkpoint
from lamflow.train.protocol import Head, TrainJob, TrainSettings

HERE = Path(__file__).resolve().parent
RUNS = HERE / "lamflow-runs"
PRESET = "dpa1-tiny"
# Denoise: steps of the teaching, then labels, steps and seeds of the tuning.
_TAUGHT, _TUNED = 1500, 400
_LABELS, _SEEDS, _TESTED = (100, 20), (1, 2, 3), 100
_DOWNSTREAM = ("combustion_mn15", "lips_pbe")


def single(wanted: list[str]) -> None:
    whole = yaml.safe_load((HERE / "pretrain-all.yaml").read_text())
    heads = {spec["name"]: spec for spec in whole["datasets"] if "task" not in spec}
    shares = sum(spec.get("weight", 1.0) for spec in whole["datasets"])
    steps = round(whole["train"]["steps"] / shares)
    for name in wanted or list(heads):
        train = {**whole["train"], "steps": steps, "report_every": steps // 10}
        train["deepmd"] = {"model": {"data_stat_nbatch": 10}}
        config = {**whole, "name": f"single-{name}", "datasets": [heads[name]], "train": train}
        file = HERE / f"single-{name}.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        subprocess.run(
            [sys.executable, "-m", "lamflow", "submit", str(file), "--json"], cwd=HERE, check=True
        )
        file.unlink()


def denoise() -> None:
    folder = RUNS / "denoise"
    model = presets.load(PRESET)
    task = DenoiseTask()
    data = {"crystals": RUNS / "denoise-data"}
    if not data["crystals"].exists():
        _copy(HERE / "data/crystals_equil/train", data["crystals"] / "train", None)
    settings = TrainSettings(
        _TAUGHT, threads=1, report_every=150, deepmd={"model": {"data_stat_nbatch": 10}}
    )
    job = make_job(data, {"crystals": 1.0}, model, settings, tasks={"crystals": task})
    taught = DeepmdTrainer().train(job, folder / "taught")
    test = Dataset.open(HERE / "data/crystals_test")
    train = Dataset.open(data["crystals"])
    errors = denoise_errors(taught.frozen["crystals"], train.systems(), test.systems(), task, 1)
    write_json(folder / "denoise.json", errors)
    print(errors, flush=True)
    for labels, name, seed in product(_LABELS, _DOWNSTREAM, _SEEDS):
        _compare(folder, taught.checkpoint, name, labels, seed)


def _compare(folder: Path, checkpoint: Path, name: str, labels: int, seed: int) -> None:
    place = folder / f"{name}-{labels}-{seed}"
    if (place / "errors.json").exists():
        return
    few = place / "few"
    _copy(HERE / f"data/{name}/train", few, np.random.default_rng(seed), labels)
    elements = Dataset.open(few).elements
    settings = TrainSettings(_TUNED, threads=1, seed=seed, report_every=100)
    heads = [Head("new", few)]
    found = read_checkpoint(checkpoint)
    jobs = {
        "scratch": TrainJob(heads, presets.load(PRESET), found.type_map, settings),
        "denoised": finetune_job(found, heads, {"new": FRESH}, elements, settings),
    }
    test = _some(HERE / f"data/{name}/test", place / "test", seed)
    baseline = Baseline(dataset_references(Dataset.open(few)))
    errors: dict[str, Any] = {}
    for kind, job in jobs.items():
        run = DeepmdTrainer().train(job, place / kind)
        errors[kind] = head_errors(DeepmdPredictor(run.frozen["new"]), test.systems(), baseline)
    write_json(place / "errors.json", errors)
    print(place.name, {k: round(e["force_rmse_meV_per_A"], 1) for k, e in errors.items()},
          flush=True)  # fmt: skip


def _some(source: Path, target: Path, seed: int) -> Dataset:
    return _copy(source, target, np.random.default_rng(seed), _TESTED)


def _copy(source: Path, target: Path, rng: Any, count: int | None = None) -> Dataset:
    """Copy `count` random frames, or all."""
    dataset = Dataset.open(source)
    chosen = np.ones(dataset.nframes, dtype=bool)
    if count is not None and count < dataset.nframes:
        chosen = np.isin(np.arange(dataset.nframes), rng.permutation(dataset.nframes)[:count])
    first = 0
    with DatasetWriter(target, dataset.type_map) as writer:
        for system in dataset.systems():
            writer.add(replace(system.take(chosen[first : first + system.nframes]), virials=None))
            first += system.nframes
    write_card(target, make_card(target, target.name))
    return Dataset.open(target)


def table() -> None:
    metrics = read_json(RUNS / "pretrain-all/result/metrics.json")
    keys = ("energy_rmse_meV_per_atom", "force_rmse_meV_per_A", "virial_rmse_meV_per_atom")
    rows: dict[str, list[float]] = {"multi": [], "single": [], "base": []}
    for name, head in metrics["heads"].items():
        if "task" in head:
            print(name, {key: value for key, value in head.items() if key != "committee"})
            continue
        alone_file = RUNS / f"single-{name}/result/metrics.json"
        alone = read_json(alone_file)["heads"][name] if alone_file.exists() else {}
        cells = []
        for key in keys:
            figures = (head.get(key), alone.get(key), head["baseline"].get(key))
            cells.append(" / ".join("–" if one is None else f"{one:.0f}" for one in figures))
        print(f"| {name} | {head['frames']} | " + " | ".join(cells) + " |")
        if alone:
            for kind, one in (("multi", head), ("single", alone), ("base", head["baseline"])):
                rows[kind].append(one[keys[1]])
    print("mean force RMSE of heads with both:", {k: round(np.mean(v)) for k, v in rows.items()})
    for place in sorted((RUNS / "denoise").glob("*/errors.json")):
        errors = read_json(place)
        print(place.parent.name, {
            kind: [round(one["energy_rmse_meV_per_atom"], 1), round(one["force_rmse_meV_per_A"], 1)]
            for kind, one in {**errors, "base": errors["scratch"]["baseline"]}.items()
        })  # fmt: skip


if __name__ == "__main__":
    what, rest = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if what == "single":
        single(rest)
    elif what in ("denoise", "table"):
        {"denoise": denoise, "table": table}[what]()
    else:
        sys.exit(__doc__)
