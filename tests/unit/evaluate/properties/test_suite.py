"""Property tests as a user lists them."""

import numpy as np
import pytest
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
        PropertyTest(crystal=COPPER, property="volume", reference=11.565, tolerance=0.02),
        PropertyTest(crystal=COPPER, property="bulk modulus", reference=134.5, tolerance=2.0),
        PropertyTest(crystal=COPPER, property="C11", reference=100.0, tolerance=2.0),
        PropertyTest(crystal=COPPER, property="energy drift", high=0.01),
        PropertyTest(crystal=COPPER, property="survival", low=0.04),
        PropertyTest(crystal=COPPER, property="cohesive energy", low=4.0),
    ]
    found = run_tests(tests, EMT(), MdSettings(steps=20))
    assert [one.passed for one in found] == [True, True, False, True, True, False]
    assert found[2].value == pytest.approx(172.6, abs=1.0)
    assert (found[0].system, found[0].unit) == ("Cu fcc", "Å³/atom")


def test_what_can_not_be_computed_has_failed() -> None:
    tests = [
        PropertyTest(crystal=COPPER, property=name, low=0.001) for name in ("volume", "survival")
    ]
    found = run_tests(tests, Nonsense(), MdSettings(steps=2))
    assert [one.passed for one in found] == [False, False]
    assert found[0].value is None
    assert found[0].reason


def test_each_property_has_a_unit() -> None:
    assert set(UNITS) == set(PROPERTIES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give a reference with a tolerance, or low or high"),
        ({"reference": 1.0}, "belong together"),
        ({"low": 1.0, "property": "colour"}, "property"),
    ],
)
def test_a_test_needs_limits(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PropertyTest.model_validate({"crystal": COPPER, "property": "volume"} | changes)


def test_a_crystal_must_exist() -> None:
    test = PropertyTest(
        crystal=Crystal(element="Xx", structure="fcc", a=4.0), property="volume", low=0.0
    )
    with pytest.raises(InputError, match="no fcc crystal can be built"):
        run_tests([test], EMT())
    cubic = PropertyTest(
        crystal=Crystal(element="Cu", structure="sc", a=2.4),
        property="surface energy 111", low=0.0,
    )  # fmt: skip
    with pytest.raises(InputError, match="fcc, bcc and diamond have some"):
        run_tests([cubic], EMT())
