# ruff: noqa: S101 - tests assert
"""What every explorer must pass: subclass `ExplorerConformance` in a pytest module.

```python
class TestMyExplorer(ExplorerConformance):
    crystal = bulk("Cu", cubic=True)
    molecule = molecule("H2O")

    def make_explorer(self) -> Explorer:
        return MyExplorer(MySettings(frames=5))
```
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from lamflow.explore.protocol import Explorer, Trajectory

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

_CALLS_BEFORE_NAN = 4


class ExplorerConformance:
    """Reproducible, honest about where it stopped, and gentle with its input.

    Attributes
    ----------
    crystal, molecule
        Small frames to start from; None where the explorer can't treat such.
    random
        Whether another seed gives other frames.
    """

    crystal: ClassVar["Atoms | None"] = None
    molecule: ClassVar["Atoms | None"] = None
    random: ClassVar[bool] = True

    def make_explorer(self) -> Explorer:
        """Make the explorer with settings for a second or so, and at least 3 frames."""
        raise NotImplementedError

    def make_calculator(self) -> "BaseCalculator":
        """Make a calculator for the start; ASE's EMT."""
        from ase.calculators.emt import EMT

        return EMT()

    @pytest.fixture(params=["crystal", "molecule"])
    def start(self, request: pytest.FixtureRequest) -> "Atoms":
        """Give the crystal and the molecule."""
        sample: Atoms | None = getattr(self, request.param)
        if sample is None:
            pytest.skip(f"this explorer is not for a {request.param}")
        return sample.copy()

    def _explore(
        self, start: "Atoms", seed: int = 1, calculator: "BaseCalculator | None" = None
    ) -> Trajectory:
        explorer = self.make_explorer()
        if explorer.needs_calculator:
            calculator = calculator or self.make_calculator()
        return explorer.explore(start, calculator, np.random.default_rng(seed))

    def test_frames_are_whole_and_unlabelled(self, start: "Atoms") -> None:
        """Finite, as periodic as the start, with steps in order."""
        found = self._explore(start)
        frames = found.frames
        assert found.stop is None
        assert frames.nframes >= 3
        assert frames.labels == ()
        assert frames.periodic == start.pbc.any()
        assert np.isfinite(frames.coords).all()
        assert (np.diff(found.steps) > 0).all()
        assert found.energies.shape == found.temperatures.shape == (frames.nframes,)

    def test_the_same_seed_gives_the_same_frames(self, start: "Atoms") -> None:
        """Bit for bit."""
        first, second = self._explore(start), self._explore(start)
        assert_array_equal(first.frames.coords, second.frames.coords)
        assert_array_equal(first.frames.types, second.frames.types)

    def test_another_seed_gives_other_frames(self, start: "Atoms") -> None:
        """Randomness comes from the generator that is passed."""
        if not self.random:
            pytest.skip("nothing is random")
        first, second = self._explore(start), self._explore(start, seed=2)
        assert not np.array_equal(first.frames.coords[-1], second.frames.coords[-1])

    def test_the_global_random_state_is_left_alone(self, start: "Atoms") -> None:
        """Nothing hidden decides or is changed."""
        before = np.random.get_state(legacy=False)["state"]["key"].copy()
        self._explore(start)
        assert_array_equal(before, np.random.get_state(legacy=False)["state"]["key"])

    def test_the_start_is_left_as_it_was(self, start: "Atoms") -> None:
        """No atom is moved, no calculator left behind."""
        before = start.copy()
        self._explore(start)
        assert start == before
        assert start.calc is None

    def test_broken_numbers_stop_it_and_earlier_frames_stay(self, start: "Atoms") -> None:
        """A calculator that gives NaN ends the exploration with a step and an atom."""
        if not self.make_explorer().needs_calculator:
            pytest.skip("needs no calculator")
        found = self._explore(start, calculator=_breaking(self.make_calculator()))
        assert found.stop is not None
        assert found.stop.guard == "not_finite"
        assert f"step {found.stop.step}, atom 0" in found.stop.message
        assert found.frames.nframes >= 1
        assert (found.steps < found.stop.step).all()
        assert np.isfinite(found.frames.coords).all()

    def test_progress_is_told(self, start: "Atoms") -> None:
        """Never more than all."""
        explorer = self.make_explorer()
        told: list[tuple[float, float]] = []
        calculator = self.make_calculator() if explorer.needs_calculator else None
        explorer.explore(
            start, calculator, np.random.default_rng(1),
            lambda done, total, values: told.append((done, total)),
        )  # fmt: skip
        assert told
        assert all(0 <= done <= total for done, total in told)

    def test_unknown_settings_are_refused(self) -> None:
        """A setting with a typing mistake is no default."""
        with pytest.raises(ValidationError, match="no_such_setting"):
            self.make_explorer().settings_type.model_validate({"no_such_setting": 1})


def _breaking(calculator: Any) -> Any:
    """Make a calculator's forces on atom 0 NaN after some calls."""
    whole, calls = calculator.calculate, 0

    def calculate(atoms: Any = None, properties: Sequence[str] = (), *rest: Any) -> None:
        nonlocal calls
        calls += 1
        whole(atoms, properties, *rest)
        if calls > _CALLS_BEFORE_NAN:
            forces = calculator.results["forces"].copy()
            forces[0] = np.nan
            calculator.results["forces"] = forces

    calculator.calculate = calculate
    return calculator
