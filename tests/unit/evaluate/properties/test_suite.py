"""Property tests as a user lists them."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from pydantic import ValidationError

from lamflow.errors import InputError
from lamflow.evaluate.properties.suite import (
    PROPERTIES,
    UNITS,
    Crystal,
    MdSettings,
    PropertyTest,
    run_tests,
)

COPPER = Crystal(element="Cu", structure="fcc", a=3.6)


class Nonsense(Calculator):
    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, *arguments, **names) -> None:
        super().calculate(*arguments, **names)
        zero = np.zeros((len(self.atoms), 3))
        self.results = {"energy": np.nan, "forces": zero, "stress": np.zeros(6)}


def test_copper_passes_and_fails() -> None:
    """Limits around EMT's known values: a₀³/4 = 11.565 Å³, B 134.5, C₁₁ 172.6 GPa."""
    tests = [
        PropertyTest(property="volume", reference=11.565, tolerance=0.02),
        PropertyTest(property="bulk modulus", reference=134.5, tolerance=2.0),
        PropertyTest(property="C11", reference=100.0, tolerance=2.0),
        PropertyTest(property="energy drift", high=0.01),
        PropertyTest(property="survival", low=0.02),
        PropertyTest(property="cohesive energy", low=4.0),
        PropertyTest(property="vacancy energy"),
    ]
    found, curves = run_tests("cu-fcc", COPPER, tests, EMT(), MdSettings(steps=20))
    assert [one.passed for one in found] == [True, True, False, True, True, False, True]
    assert found[2].value == pytest.approx(172.6, abs=1.0)
    assert (found[0].system, found[0].unit) == ("cu-fcc", "Å³/atom")
    assert [(one.system, one.name) for one in curves] == [
        ("cu-fcc", "equation of state"), ("cu-fcc", "NVE total energy"),
    ]  # fmt: skip


def test_dynamics_of_a_crystal_from_a_file() -> None:
    """The nearest neighbours of copper are a/√2 = 2.55 Å apart; nothing diffuses at 300 K."""
    cell = bulk("Cu", "fcc", a=3.6, cubic=True)
    tests = [PropertyTest(property=name) for name in ("RDF peak", "diffusion", "speed")]
    found, curves = run_tests("cu", cell, tests, EMT(), MdSettings(steps=60, timestep_fs=2.0))
    assert found[0].value == pytest.approx(2.55, abs=0.1)
    assert abs(found[1].value) < 1.0
    assert found[2].value > 0
    assert [one.name for one in curves] == ["RDF", "NVE total energy", "MSD"]


def test_a_molecule_has_dynamics_but_no_crystal_properties() -> None:
    """EMT knows oxygen molecules."""
    oxygen = Atoms("O2", positions=[[0, 0, 0], [0, 0, 1.2]])
    found, _ = run_tests("o2", oxygen, [PropertyTest(property="survival", low=0.004)], EMT(),
                         MdSettings(steps=5))  # fmt: skip
    assert found[0].passed
    with pytest.raises(InputError, match="a molecule has no elastic constants"):
        run_tests("o2", oxygen, [PropertyTest(property="C11")], EMT())


def test_a_vacancy_of_a_compound_is_refused() -> None:
    rock = bulk("CuAu", "rocksalt", a=5.0, cubic=True)
    with pytest.raises(InputError, match="a compound's depends on chemical potentials"):
        run_tests("x", rock, [PropertyTest(property="vacancy energy")], EMT())


def test_what_can_not_be_computed_has_failed() -> None:
    tests = [PropertyTest(property=name, low=0.001) for name in ("volume", "survival")]
    found, _ = run_tests("cu", COPPER, tests, Nonsense(), MdSettings(steps=2))
    assert [one.passed for one in found] == [False, False]
    assert found[0].value is None
    assert found[0].reason


def test_each_property_has_a_unit() -> None:
    assert set(UNITS) == set(PROPERTIES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": 1.0}, "belong together"),
        ({"low": 1.0, "property": "colour"}, "property"),
    ],
)
def test_limits_that_make_no_sense(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PropertyTest.model_validate({"property": "volume"} | changes)


def test_a_crystal_must_exist() -> None:
    nobody = Crystal(element="Xx", structure="fcc", a=4.0)
    with pytest.raises(InputError, match="no fcc crystal can be built"):
        run_tests("xx", nobody, [PropertyTest(property="volume")], EMT())
    cubic = Crystal(element="Cu", structure="sc", a=2.4)
    with pytest.raises(InputError, match="fcc, bcc and diamond have some"):
        run_tests("cu-sc", cubic, [PropertyTest(property="surface energy 111")], EMT())
