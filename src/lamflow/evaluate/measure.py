"""Compute properties with a model folder, from files to files."""

from collections.abc import Sequence
from pathlib import Path

from lamflow.data.dataset import Dataset
from lamflow.evaluate.properties.result import PropertyValue
from lamflow.evaluate.properties.suite import Crystal, MdSettings, PropertyTest, run_tests
from lamflow.files import write_json
from lamflow.progress import Progress, silent
from lamflow.train.given import open_model

VALUES, CURVES = "properties.json", "curves.json"


def measure_properties(
    model: Path,
    head: str | None,
    system: str,
    start: Crystal | Path,
    tests: Sequence[PropertyTest],
    md: MdSettings,
    folder: Path,
    *,
    progress: Progress = silent,
) -> list[PropertyValue]:
    """Compute the properties of one system and write them, with the curves behind them.

    Parameters
    ----------
    model, head
        Model folder, and which of its heads; None if it has only one.
    system
        Name of the system.
    start
        A crystal, or a file that ASE or dpdata reads, of which the first frame is taken.
    tests, md
        See `lamflow.evaluate.properties.suite`.
    folder
        New folder for `VALUES` and `CURVES`.
    progress
        Told about tests.

    Raises
    ------
    InputError
        No such head or file, a changed model file, or a property that the system does not have.
    """
    from lamflow.label.atoms import to_atoms
    from lamflow.label.model_calculator import ModelCalculator

    calculator = ModelCalculator(open_model(model).predictor(head))
    if isinstance(start, Path):
        frames = next(iter(Dataset.open(start).systems(1)))
        values, curves = run_tests(
            system, to_atoms(frames, 0), tests, calculator, md, progress=progress
        )
    else:
        values, curves = run_tests(system, start, tests, calculator, md, progress=progress)
    folder.mkdir(parents=True)
    write_json(folder / VALUES, [value.model_dump(mode="json") for value in values])
    write_json(folder / CURVES, [curve.model_dump(mode="json") for curve in curves])
    return values
