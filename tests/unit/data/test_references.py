import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references, fit_references


def test_known_energies_come_back_from_large_totals() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 30, size=(50, 3))
    truth = np.array([-13.6, -1030.1, -2040.7])
    fit = fit_references(counts, counts @ truth, ["H", "C", "O"])
    np.testing.assert_allclose(fit.energies, truth, rtol=1e-10)
    assert (fit.rank, fit.underdetermined) == (3, ())


def test_one_composition_fixes_only_the_sum() -> None:
    counts = np.tile([2, 1], (5, 1))
    fit = fit_references(counts, np.full(5, -30.0), ["H", "O"])
    assert fit.rank == 1
    assert fit.underdetermined == ("H", "O")
    np.testing.assert_allclose(counts @ fit.energies, -30.0)
    np.testing.assert_allclose(fit.energies, -10.0)


def test_an_element_that_is_bound_to_another_is_named() -> None:
    counts = np.array([[1, 1, 0], [2, 2, 0], [1, 1, 3], [2, 2, 1]])
    fit = fit_references(counts, counts @ np.array([-1.0, -2.0, -7.0]), ["H", "C", "O"])
    assert fit.underdetermined == ("H", "C")
    np.testing.assert_allclose(fit.energies[2], -7.0)


def test_an_absent_element_gets_zero() -> None:
    fit = fit_references(np.array([[1, 0], [3, 0]]), np.array([-2.0, -6.0]), ["H", "He"])
    np.testing.assert_allclose(fit.energies, [-2.0, 0.0])
    assert fit.underdetermined == ("He",)


def test_baseline_predicts_the_mean(make_system, write_dataset) -> None:
    system = make_system(20)
    baseline = Baseline(dataset_references(Dataset.open(write_dataset(system))))
    np.testing.assert_allclose(baseline.energies(system), system.energies.mean())
    assert not baseline.forces(system).any()
    assert baseline.virials(system).shape == (20, 3, 3)
