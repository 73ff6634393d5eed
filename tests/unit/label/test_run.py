import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from ase.calculators.emt import EMT

from lamflow.children import Item, Job, StoppedError, run
from lamflow.errors import InputError
from lamflow.label.atoms import to_atoms
from lamflow.label.run import LabelSettings, label_systems

from .conftest import copper


def label(systems, tmp_path, fake, deeds=None, **settings):
    return label_systems(
        systems, "fake", {**fake, "deeds": deeds or {}}, tmp_path / "cache",
        LabelSettings(**settings),
    )  # fmt: skip


def sleepers(fake):
    """Processes that the fake labeller started."""
    mark = f"of {fake['notes']}"
    return [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]


def test_labels_are_those_of_the_engine_and_frames_stay_bit_for_bit(tmp_path):
    system = copper(4, 3)
    result = label_systems([system], "emt", {}, tmp_path / "cache")
    (labelled,) = result.labelled
    assert labelled.coords.tobytes() == system.coords.tobytes()
    assert labelled.cells.tobytes() == system.cells.tobytes()
    assert labelled.origins.tolist() == [100, 101, 102]
    for frame in range(3):
        atoms = to_atoms(system, frame)
        atoms.calc = EMT()
        assert labelled.energies[frame] == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(labelled.forces[frame], atoms.get_forces(), atol=1e-12)
        virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        np.testing.assert_allclose(labelled.virials[frame], virial, atol=1e-12)
    assert (result.computed, result.cached, result.quarantine) == (3, 0, ())


def test_molecules_have_no_virial(tmp_path):
    molecule = replace(copper(3, 2), cells=None)
    (labelled,) = label_systems([molecule], "emt", {}, tmp_path / "cache").labelled
    assert labelled.virials is None
    assert labelled.labels == ("energy", "force")


def test_nothing_is_computed_twice(tmp_path, fake, begun):
    twice = copper(2).take([0, 0])
    first = label([twice, copper(3)], tmp_path, fake)
    second = label([copper(3), copper(2)], tmp_path, fake)
    assert len(begun()) == 2
    assert (first.computed, first.cached) == (2, 0)
    assert (second.computed, second.cached) == (0, 2)
    np.testing.assert_array_equal(first.labelled[0].energies, [second.labelled[1].energies[0]] * 2)


def test_a_label_that_cannot_be_read_is_computed_again(tmp_path, fake):
    label([copper(2)], tmp_path, fake)
    (file,) = (tmp_path / "cache").rglob("*.json")
    file.write_text('{"energy_eV": 1', encoding="utf-8")
    assert label([copper(2)], tmp_path, fake, {2: "error"}).reasons == {"error": 1}
    file.write_text('{"energy_eV": 1', encoding="utf-8")
    assert label([copper(2)], tmp_path, fake).computed == 1


def test_every_failure_ends_in_quarantine_with_its_reason(tmp_path, fake, begun):
    deeds = {2: "unconverged", 3: "error", 4: "die", 5: "push", 6: "nan", 7: "refused"}
    systems = [copper(n) for n in range(1, 9)]
    result = label(systems, tmp_path, fake, deeds, processes=2)
    assert [system.natoms for system in result.labelled] == [1, 8]
    assert [system.natoms for system in result.quarantine] == [2, 3, 4, 5, 6, 7]
    assert all(system.labels == () for system in result.quarantine)
    found = {rejected.system: rejected.failure for rejected in result.rejected}
    assert found["cu2"].kind == "unconverged"
    assert found["cu2"].message == "accuracy 0.3 after 5 cycles"
    assert found["cu2"].log_tail == "line of the engine\nat 2 atoms"
    assert found["cu3"].kind == "error"
    assert found["cu3"].message == "in the engine"
    assert found["cu4"].kind == "crashed"
    assert found["cu4"].message == "killed by SIGKILL"
    assert found["cu5"].kind == "implausible"
    assert "sum to" in found["cu5"].message
    assert found["cu6"].message == "forces not finite"
    assert found["cu7"].kind == "refused"
    assert result.reasons == {"unconverged": 1, "error": 1, "crashed": 1, "implausible": 2,
                              "refused": 1}  # fmt: skip
    assert begun().count("2 unconverged") == 1
    assert begun().count("2 unconverged gentle") == 1
    assert begun().count("4 die") == 2
    assert begun().count("5 push") == 1


def test_softer_mixing_rescues_an_unconverged_frame(tmp_path, fake, begun):
    result = label([copper(2)], tmp_path, fake, {2: "needs gentle"})
    assert begun() == ["2 needs gentle", "2 needs gentle gentle"]
    assert result.labelled[0].nframes == 1


def test_a_crash_costs_one_more_try_and_no_other_frame(tmp_path, fake, begun):
    result = label([copper(2), copper(3), copper(4)], tmp_path, fake, {3: "die once"})
    assert result.rejected == ()
    assert begun() == ["2", "3 die once", "4", "3 die once"]


def test_a_failed_frame_is_tried_again_by_the_next_call(tmp_path, fake):
    assert label([copper(2)], tmp_path, fake, {2: "error"}).rejected
    assert label([copper(2)], tmp_path, fake).rejected == ()


@pytest.mark.slow
def test_walltime_kills_the_frame_and_what_it_started(tmp_path, fake):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    result = label([copper(2), copper(3)], tmp_path, fake, {2: "sleep"}, walltime_s=15)
    (rejected,) = result.rejected
    assert (rejected.failure.kind, rejected.failure.message) == ("walltime", "not done after 15 s")
    assert result.labelled[0].natoms == 3
    assert not sleepers(fake)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_stop_kills_the_child(tmp_path, fake):
    stop = threading.Event()
    system = copper(2)
    data = {"symbols": ["Cu"] * 2, "positions": system.coords[0].tolist(), "cell": None}
    common = {"labeller": "fake", "settings": {**fake, "deeds": {2: "sleep"}}, "gentle": False,
              "largest_net_force_eV_per_A": 0.1}  # fmt: skip
    threading.Timer(2.0, stop.set).start()
    with pytest.raises(StoppedError):
        run(Job("lamflow.label.child", common, 600, 1), [Item(data, tmp_path / "result.json")],
            tmp_path / "work", stop)  # fmt: skip
    assert not sleepers(fake)


@pytest.mark.slow
def test_a_killed_caller_leaves_no_child_and_loses_no_label(tmp_path, fake, begun):
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from label.conftest import copper; from label.test_run import label\n"
        "from pathlib import Path\n"
        "label([copper(2), copper(3)], Path(sys.argv[3]), {'notes': sys.argv[4]}, {3: 'sleep'})"
    )
    unit = str(Path(__file__).parents[1])
    caller = subprocess.Popen([sys.executable, "-c", script, unit, str(tmp_path / "site"),
                               str(tmp_path), fake["notes"]])  # fmt: skip
    while "3 sleep" not in begun():
        assert caller.poll() is None
        time.sleep(0.1)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    deadline = time.monotonic() + 10
    while sleepers(fake):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    result = label([copper(2), copper(3)], tmp_path, fake)
    assert (result.computed, result.cached) == (1, 1)


def test_elements_are_refused_before_anything_runs(tmp_path, fake, begun):
    gold = replace(copper(2), type_map=("H", "Au"))
    with pytest.raises(InputError, match="no gold"):
        label([copper(3), gold], tmp_path, fake)
    assert begun() == []


def test_the_type_map_may_name_elements_that_do_not_occur(tmp_path, fake):
    assert label([replace(copper(2), type_map=("Au", "Cu"))], tmp_path, fake).computed == 1


def test_progress_counts_what_was_there(tmp_path, fake):
    label([copper(2)], tmp_path, fake)
    seen = []
    label_systems([copper(2), copper(3)], "fake", fake, tmp_path / "cache",
                  progress=lambda done, total, values: seen.append((done, total)))  # fmt: skip
    assert seen == [(1, 2), (2, 2)]


def test_no_frames(tmp_path):
    result = label_systems([], "emt", {}, tmp_path / "cache")
    assert (result.labelled, result.computed) == ((), 0)
