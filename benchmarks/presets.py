"""Parameters and cost of each preset, for the figures in its YAML file.

``python benchmarks/presets.py [PRESET ...]`` builds each model for three elements and prints its
parameters and the CPU time of one training step (energy, forces, backward) on a frame of 32 atoms,
on one thread, divided by that of ``dpa1-tiny``. CPU time is little affected by other jobs.
"""

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
BASE = "dpa1-tiny"
_ROUNDS = 5


def parameters_and_seconds(name: str) -> tuple[int, float]:
    import torch
    from deepmd.pt.model.model import get_model

    from lamflow.testing.trainer import TYPE_MAP, emt_system
    from lamflow.train import presets
    from lamflow.train.deepmd_input import fit_to_types

    torch.set_num_threads(1)
    section = {**fit_to_types(presets.load(name), TYPE_MAP), "type_map": list(TYPE_MAP)}
    model = get_model(section)
    count = sum(one.numel() for one in model.parameters() if one.requires_grad)
    frame = emt_system(1, seed=1)
    # Four copies along z: 32 atoms.
    coords = torch.cat(
        [torch.tensor(frame.coords) + torch.tensor(frame.cells[:, 2:3]) * i for i in range(4)], 1
    )
    cells = torch.tensor(frame.cells).clone()
    cells[:, 2] *= 4
    types = torch.tensor(frame.types).repeat(1, 4)
    spent = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        says = model(coords.requires_grad_(True), types, cells.reshape(1, 9))
        (says["energy"].sum() + (says["force"] ** 2).sum()).backward()
        spent.append(time.process_time() - began)
    return count, min(spent)


def main() -> None:
    from lamflow.train import presets

    base = parameters_and_seconds(BASE)[1]
    for name in sys.argv[1:] or presets.names():
        count, seconds = parameters_and_seconds(name)
        print(f"{name:<20} parameters {count:>9} relative_cost {seconds / base:7.2g} "
              f"({seconds * 1000:.0f} ms)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
