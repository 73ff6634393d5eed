"""Data of the breadth measurements: links to the pack's sets, and pressures as a property.

``python benchmarks/breadth/make_data.py PACK`` makes ``benchmarks/breadth/data/`` from the folder
``open`` of the pack lamdata-open. The property is a real label of the DFT calculations: the
pressure of each frame of mlearn_pbe, tr(virial)/3V, in GPa.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.writer import DatasetWriter

HERE = Path(__file__).parent
_GPA = 160.21766208  # eV/Å³
_SETS = (
    "pretrain/mlearn_pbe", "pretrain/nbmotaw_pbe", "pretrain/water_pbe0ts", "pretrain/oc20_rpbe",
    "pretrain/tio2_pbe", "pretrain/mol3bpa_wb97x", "pretrain/ethmeth_pbe", "pretrain/mapbi3_scan",
    "unlabeled/crystals_equil", "downstream/lips_pbe", "downstream/combustion_mn15",
)  # fmt: skip


def main() -> None:
    pack, data = Path(sys.argv[1]).resolve(), HERE / "data"
    data.mkdir(exist_ok=True)
    for name in _SETS:
        link = data / Path(name).name
        if not link.exists():
            link.symlink_to(pack / name)
    _write_known(pack / "unlabeled/crystals_equil", data / "crystals_test")
    for part in ("train", "test"):
        source = Dataset.open(pack / "pretrain/mlearn_pbe" / part)
        with DatasetWriter(data / f"pressure_{part}", source.type_map) as writer:
            for system in source.systems():
                if system.virials is None:
                    continue
                volumes = np.abs(np.linalg.det(system.cells))
                pressures = np.trace(system.virials, axis1=1, axis2=2) / 3 / volumes * _GPA
                others = {"pressure": pressures[:, None]}
                writer.add(replace(system, energies=None, forces=None, virials=None, others=others))


def _write_known(source: Path, target: Path) -> None:
    """Write the test frames whose elements the training frames have too (all but Np)."""
    known = Dataset.open(source / "train").elements
    dataset = Dataset.open(source / "test")
    with DatasetWriter(target, known) as writer:
        for system in dataset.systems():
            inside = np.isin(np.array(system.type_map)[system.types], known).all(axis=1)
            writer.add(system.take(inside))


if __name__ == "__main__":
    main()
