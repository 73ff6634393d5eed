"""Time models over sizes, each in a process of its own on one thread (and the GPU if there is one).

    python benchmarks/speed.py STRUCTURE MODEL.pth [MODEL.pth ...] [--sizes 32 192 1000 4000 32000]

Prints a table: processor time and wall time of a step (energy, forces, virial), peak memory.
Processor time is what counts on a CPU that does other things, too.
"""

import argparse
import tempfile
from pathlib import Path

from lamflow.deploy.speed import time_models

SIZES = (32, 192, 1000, 4000, 32000)
SLOWEST_S = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structure", type=Path, help="crystal that is repeated, any file of ASE")
    parser.add_argument("models", type=Path, nargs="+", help="frozen or compressed models")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of atoms")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    given = parser.parse_args()

    from ase.io import read

    with tempfile.TemporaryDirectory() as scratch:
        found = time_models(
            {str(number): model for number, model in enumerate(given.models)},
            read(given.structure), given.sizes, Path(scratch), slowest_s=SLOWEST_S,
            threads=given.threads,
        )  # fmt: skip
    columns = ("CPU ms", "wall ms", "us/atom")
    heads = " ".join(f"{name:>9}" for name in columns)
    print(f"{'model':40} {'device':6} {'atoms':>7} {heads} {'MB':>7}")
    for number, rows in found.items():
        for row in rows:
            time = row["cpu_ms"] if row["device"] == "cpu" else row["wall_ms"]
            name = str(given.models[int(number)])[-40:]
            print(
                f"{name:40} {row['device']:6} {row['atoms']:7d} {row['cpu_ms']:9.2f} "
                f"{row['wall_ms']:9.2f} {1000 * time / row['atoms']:9.2f} {row['memory_MB']:7.0f}"
            )


if __name__ == "__main__":
    main()
