"""How many labels fine-tuning saves: force error against number of labels on downstream sets.

    LAMDATA=/path/to/lamdata-open lamflow submit benchmarks/recipes/finetune-base.yaml
    python benchmarks/finetune.py run combustion --pack PACK --model MODEL --out labels.jsonl
    python benchmarks/finetune.py table --out labels.jsonl --picture docs/images/finetune.svg

Each training is one line of the file, written when it is done; what is there is not done again.
All trainings of a set have the same network, number of steps and test frames; those of a seed and
number of labels have the same labels, drawn at random, smaller draws being parts of larger ones.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.data.writer import DatasetWriter
from lamflow.evaluate.errors import head_errors
from lamflow.evaluate.old_heads import zero_shot_table
from lamflow.learn.frames import take_frames
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.finetuning import finetune_model
from lamflow.train.given import open_model
from lamflow.train.protocol import TrainSettings
from lamflow.train.replay import replay_subset

LABELS = (10, 30, 100, 300)
METHODS = ("zero-shot", "from scratch", "fine-tuned", "fine-tuned, replay")
REPLAYED = 200  # frames of each old head
REPLAY_WEIGHT = 0.5  # of each old head, as `kind: finetune` has it
RATES = {"from scratch": 5e-3, "fine-tuned": 2e-3, "fine-tuned, replay": 2e-3}  # kinds' defaults


@dataclass(frozen=True)
class Case:
    """A downstream set, the old heads that are replayed for it, and training steps."""

    folder: str
    replay: dict[str, str]
    steps: int


CASES = {
    "combustion": Case(
        "combustion_mn15", {"ethmeth": "ethmeth_pbe", "mol3bpa": "mol3bpa_wb97x"}, 1000
    ),
    "lips": Case("lips_pbe", {"mlearn": "mlearn_pbe"}, 400),
}


@dataclass(frozen=True)
class Line:
    """One measurement."""

    case: str
    method: str
    labels: int
    seed: int
    force: float
    energy: float
    steps: int


def run(arguments: argparse.Namespace) -> None:
    """Do what is missing, the cheapest numbers of labels first."""
    case = CASES[arguments.case]
    source = arguments.pack / "open/downstream" / case.folder
    done = {(line.case, line.method, line.labels, line.seed) for line in read(arguments.out)}
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        base = Path(folder)
        bench = _Bench(arguments, case, source, base)
        for seed in arguments.seeds:
            for count in LABELS:
                if count > Dataset.open(source / "train").nframes:
                    continue
                for method in METHODS:
                    if (arguments.case, method, count, seed) not in done:
                        line = bench.measure(method, count, seed)
                        with arguments.out.open("a") as file:
                            file.write(json.dumps(asdict(line)) + "\n")
                        print(line, flush=True)


class _Bench:
    """What all measurements of a set share."""

    def __init__(self, arguments: argparse.Namespace, case: Case, source: Path, base: Path) -> None:
        self.name, self.case, self.base = arguments.case, case, base
        self.source, self.test = source / "train", source / "test"
        self.pack, self.model = arguments.pack, open_model(arguments.model)
        self.table: dict[str, Any] | None = None

    def measure(self, method: str, count: int, seed: int) -> Line:
        """Train and test once."""
        labels = self._labels(count, seed)
        errors = self._errors(method, labels, seed)
        return Line(
            self.name, method, count, seed, errors["force_rmse_meV_per_A"],
            errors["energy_rmse_meV_per_atom"], 0 if method == "zero-shot" else self.case.steps,
        )  # fmt: skip

    def _errors(self, method: str, labels: Path, seed: int) -> dict[str, Any]:
        if self.table is None:  # forces, and so the best head, do not depend on the labels
            self.table = zero_shot_table(self.model, labels / "train", self.test)
        table = self.table
        if method == "zero-shot":
            return dict(table["heads"][table["best"]])
        folder = self.base / f"model-{method.replace(' ', '-').replace(',', '')}"
        work = self.base / "work"
        for place in (folder, work):
            shutil.rmtree(place, ignore_errors=True)
        settings = TrainSettings(
            self.case.steps, "auto:32", RATES[method], seed=seed, save_every=10_000, threads=1
        )
        if method == "from scratch":
            job = make_job({"new": labels}, {"new": 1.0}, self.model.card.model, settings)
            export_model(job, DeepmdTrainer().train(job, work), folder, "scratch")
        else:
            replay = self._replay(labels, seed) if "replay" in method else {}
            weights = {"new": 1.0} | dict.fromkeys(replay, REPLAY_WEIGHT)
            finetune_model(
                self.model, {"new": labels}, replay, {"new": table["best"]}, weights, folder, work,
                name="tuned", freeze_descriptor=False, settings=settings,
            )  # fmt: skip
        predictor = open_model(folder).predictor("new")
        baseline = Baseline(dataset_references(Dataset.open(labels / "train")))
        return head_errors(predictor, Dataset.open(self.test).systems(200), baseline)

    def _labels(self, count: int, seed: int) -> Path:
        """Draw frames; no validation frames: they would be labels too."""
        folder = self.base / f"labels-{seed}-{count}"
        if folder.exists():
            return folder
        dataset = Dataset.open(self.source)
        order = np.random.default_rng(seed).permutation(dataset.nframes)[:count]
        with DatasetWriter(folder / "train", dataset.type_map) as writer:
            for system in take_frames(dataset.systems(500), order):
                writer.add(system)
        write_card(folder / "train", make_card(folder / "train", self.case.folder))
        return folder

    def _replay(self, labels: Path, seed: int) -> dict[str, Path]:
        elements = read_card(labels / "train").elements
        found = {}
        for head, name in self.case.replay.items():
            found[head] = self.base / f"replay-{head}-{seed}"
            if not found[head].exists():
                replay_subset(
                    self._carded(name), found[head] / "train", elements, REPLAYED,
                    np.random.default_rng(seed),
                )  # fmt: skip
        return found

    def _carded(self, name: str) -> Path:
        """A copy of a set of the pack with the card that replay asks for."""
        folder = self.base / name
        if not folder.exists():
            shutil.copytree(self.pack / "open/pretrain" / name / "train", folder)
            write_card(folder, make_card(folder, name))
        return folder


def read(path: Path) -> Iterator[Line]:
    """Read the measurements so far."""
    if path.exists():
        for text in path.read_text().splitlines():
            yield Line(**json.loads(text))


def table(arguments: argparse.Namespace) -> None:
    """Print the table and draw the picture: mean over seeds, with their spread."""
    lines = list(read(arguments.out))
    found = {
        case: {
            method: {
                count: [one.force for one in lines
                        if (one.case, one.method, one.labels) == (case, method, count)]
                for count in LABELS
            }
            for method in METHODS
        }
        for case in CASES
    }  # fmt: skip
    for case, methods in found.items():
        print(f"\n| {case}: labels | " + " | ".join(METHODS) + " |")
        print("|---" * (len(METHODS) + 1) + "|")
        for count in LABELS:
            cells = [_cell(methods[method][count]) for method in METHODS]
            if any(cells):
                print(f"| {count} | " + " | ".join(cells) + " |")
    if arguments.picture:
        draw(found, arguments.picture)


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ± {stdev(values):.0f}" if len(values) > 1 else ""
    return f"{mean(values):.0f}{spread} ({len(values)})"


def draw(found: dict[str, dict[str, dict[int, list[float]]]], path: Path) -> None:
    """Draw error against labels, both logarithmic, a panel for each set."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(8, 3.4), layout="constrained")
    for panel, (case, methods) in zip(axes, found.items(), strict=True):
        for method, by_count in methods.items():
            shown = {count: values for count, values in by_count.items() if values}
            if shown:
                means = [mean(values) for values in shown.values()]
                spread = [stdev(v) if len(v) > 1 else 0 for v in shown.values()]
                panel.errorbar(list(shown), means, spread, marker="o", capsize=3, label=method)
        panel.set(xscale="log", yscale="log", title=case, xlabel="labels")
        panel.set_xticks(LABELS, [str(count) for count in LABELS])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.yaxis.set_major_formatter("{x:.0f}")
        panel.yaxis.set_minor_formatter("{x:.0f}")
    axes[0].set_ylabel("force RMSE (meV/Å)")
    axes[0].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run or show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("case", nargs="?", choices=list(CASES))
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    (run if arguments.action == "run" else table)(arguments)


if __name__ == "__main__":
    main()
