from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from lamflow.errors import InputError
from lamflow.explore.run import ExploreSettings, Walk, explore_all
from lamflow.label.atoms import from_atoms

COPPER = from_atoms(bulk("Cu", cubic=True), ("H", "Cu"))
MD = {"steps": 20, "temperature_K": 300.0}


def walks(count, **settings):
    return [Walk(f"w{i}", COPPER, "md", {**MD, **settings}, seed=i) for i in range(count)]


def coords(result):
    return {name: t.frames.coords.tobytes() for name, t in result.trajectories.items()}


def test_grouping_does_not_change_the_trajectories(tmp_path):
    one = explore_all(walks(3), tmp_path / "a", model="emt")
    two = explore_all(walks(3), tmp_path / "b", model="emt",
                      settings=ExploreSettings(processes=2, group=1))  # fmt: skip
    assert list(one.trajectories) == ["w0", "w1", "w2"]
    assert coords(one) == coords(two)
    assert len(set(coords(one).values())) == 3
    trajectory = one.trajectories["w1"]
    assert trajectory.frames.name == "w1"
    assert trajectory.steps.tolist() == [0, 10, 20]
    assert trajectory.frames.cells is not None


def test_what_is_done_is_not_done_again(tmp_path):
    first = explore_all(walks(1), tmp_path, model="emt")
    seen = []
    second = explore_all(walks(2), tmp_path, model="emt",
                         progress=lambda done, total, _: seen.append((done, total)))  # fmt: skip
    assert (first.reused, second.reused) == (0, 1)
    assert coords(second)["w0"] == coords(first)["w0"]
    assert seen == [(2, 2)]


def test_another_setting_or_seed_is_another_trajectory(tmp_path):
    explore_all(walks(1), tmp_path, model="emt")
    assert explore_all(walks(1, timestep_fs=2.0), tmp_path, model="emt").reused == 0
    assert explore_all([replace(walks(1)[0], seed=9)], tmp_path, model="emt").reused == 0


def test_a_walk_that_fails_leaves_the_others(tmp_path):
    lost = Walk("lost", COPPER, "perturb", {"frames": 1, "vacancies": 4}, seed=1)
    result = explore_all([lost, *walks(1)], tmp_path, model="emt")
    assert list(result.trajectories) == ["w0"]
    assert result.failed["lost"].kind == "refused"
    assert "would leave no atom" in result.failed["lost"].message


def test_a_guard_comes_back_with_its_frames(tmp_path):
    hot = walks(1, guards={"highest_temperature_K": 310.0}, steps=200, temperature_K=150.0,
                end_temperature_K=2000.0)  # fmt: skip
    trajectory = explore_all(hot, tmp_path, model="emt").trajectories["w0"]
    assert trajectory.stop is not None
    assert trajectory.stop.guard == "temperature"
    assert isinstance(trajectory.stop.atoms, tuple)
    assert trajectory.frames.nframes > 0


def test_perturbation_needs_no_model(tmp_path):
    walk = Walk("p", replace(COPPER, cells=None), "perturb", {"frames": 3}, seed=1)
    trajectory = explore_all([walk], tmp_path).trajectories["p"]
    assert trajectory.frames.nframes == 3
    assert trajectory.frames.cells is None
    assert np.isnan(trajectory.energies).all()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {}, "md needs a model"),
        ({"explorer": "mdd"}, {"model": "emt"}, "unknown explorer 'mdd'; did you mean 'md'"),
        ({"settings": {"steps": 5}}, {"model": "emt"}, "explore.md.temperature_K: Field required"),
        ({"start": replace(COPPER, type_map=("H", "Si"))}, {"model": "emt"}, "does not know Si"),
    ],
)
def test_what_can_not_work_is_refused_before_anything_runs(tmp_path, change, options, message):
    with pytest.raises(InputError, match=message):
        explore_all([replace(walks(1)[0], **change)], tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_names_must_differ(tmp_path):
    with pytest.raises(InputError, match="two walks are named w0"):
        explore_all(walks(1) * 2, tmp_path, model="emt")
