"""Play a small open initiative: six contributions, the scheduled update, the registry's site.

``python scripts/initiative.py FOLDER`` takes slices of the demonstration's DFT sets, sends them to
the inbox of a registry in FOLDER one after the other, and runs ``lamflow submit update.yaml`` after
each. docs/initiative.md tells the story.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter

DATA = Path(__file__).parents[1] / "workflows/data"
MODEL = "open/tiny"
HARTREE = 27.211386  # eV
SOFTER = 0.3


def main() -> int:
    """Prepare the contributions, play, print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="new folder for contributions, registry, site")
    parser.add_argument("--steps", type=int, default=600, help="training steps of each version")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for update.yaml")
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    folder = args.folder.resolve()
    contribute(folder / "contributions")
    write_config(folder / "update.yaml", args.steps)
    for names in (["metal", "oxide"], ["slab"], ["dirty"], ["metal_more"], ["mixed"], []):
        for name in names:
            lamflow(folder, "datasets", "submit", f"contributions/{name}", "--name", name,
                    "--store", "registry")  # fmt: skip
        print(f"\n=== in the inbox: {', '.join(names) or 'nothing new'}", flush=True)
        update(folder, args.set)
    lamflow(folder, "site", "site", "--store", "registry")
    print(f"\nthe site: {folder / 'site/index.html'}")
    return 0


def update(folder: Path, changes: list[str]) -> None:
    """Run one update and print its summary."""
    options = [word for change in changes for word in ("--set", change)]
    line = lamflow(folder, "submit", "update.yaml", "--json", *options).splitlines()[-1]
    card = json.loads((Path(json.loads(line)["result"]) / "card.json").read_text())
    for name, outcome in card["datasets"].items():
        print(f"{name}: {outcome['decision']}: {outcome['reason']}")
    print(f"base {card['base']}, candidate {card['candidate']}, released {card['release']}")


def lamflow(folder: Path, *words: str) -> str:
    """Run the command in `folder`; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "lamflow", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"lamflow {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def write_config(file: Path, steps: int) -> None:
    """Write the update's configuration."""
    config: dict[str, Any] = {
        "kind": "update", "name": "nightly", "seed": 1, "registry": "registry", "model": MODEL,
        "first": "dpa1-tiny", "train": {"steps": steps, "batch": 4},
        "heads": {"start": "best", "replay": 0.5, "join": {"mixed": "oxide"}},
        "split": {"validation": 0.1, "test": 0.2}, "gate": {"tolerance": 0.25},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(config, sort_keys=False))


def contribute(folder: Path) -> None:
    """Write the six contributions, each as a dataset with a card."""
    metal, oxide = "nbmotaw/n016_efv", "tio2/n006_ef"
    _write(folder / "metal", metal, slice(0, 160, 2))
    _write(folder / "oxide", oxide, slice(0, 75))
    _write(folder / "slab", "tio2/n022_ef", slice(0, 75))
    _write(folder / "dirty", "mol3bpa/n027_ef_nopbc", slice(0, 60), _damaged)
    _write(folder / "metal_more", metal, slice(1, 100, 2))
    _write(folder / "mixed", oxide, slice(0, 75), _of_another_method)


def _write(folder: Path, source: str, frames: slice, change: Any = None) -> None:
    dataset = Dataset.open(DATA / source)
    (system,) = dataset.systems()
    chosen = system.take(np.arange(system.nframes)[frames])
    with DatasetWriter(folder, dataset.type_map) as writer:
        writer.add(change(chosen) if change else chosen)
    card = read_card(DATA / source.partition("/")[0])
    write_card(
        folder,
        make_card(folder, folder.name, dft=card.dft, licence=card.licence, source=card.source),
    )


def _damaged(system: System) -> System:
    """Mistakes as they happen: frames without numbers, of the wrong sign, in another unit."""
    assert system.energies is not None  # noqa: S101
    assert system.forces is not None  # noqa: S101
    energies, forces = system.energies.copy(), system.forces.copy()
    forces[:15, 0, 0] = np.nan
    forces[15:30] *= -1
    energies[30:45] /= HARTREE
    return replace(system, energies=energies, forces=forces)


def _of_another_method(system: System) -> System:
    """Labels that are consistent in themselves, of a method that makes all bonds much softer."""
    assert system.energies is not None  # noqa: S101
    assert system.forces is not None  # noqa: S101
    mean = system.energies.mean()
    soft = mean + SOFTER * (system.energies - mean)
    return replace(system, energies=soft, forces=SOFTER * system.forces)


if __name__ == "__main__":
    sys.exit(main())
