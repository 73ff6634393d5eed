import json
import os
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from lamflow.data.dataset import Dataset
from lamflow.errors import InputError
from lamflow.files import sha256_tree


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A deepmd/npy system of two H2O-like frames in two sets."""
    folder = tmp_path / "water"
    for index in range(2):
        part = folder / f"set.00{index}"
        part.mkdir(parents=True)
        np.save(part / "coord.npy", np.arange(9.0).reshape(1, 9) + index)
        np.save(part / "box.npy", np.eye(3).reshape(1, 9) * 5)
        np.save(part / "energy.npy", np.array([-10.0 - index], dtype=np.float32))
        np.save(part / "force.npy", np.ones((1, 9), dtype=np.float32))
    (folder / "type.raw").write_text("1\n0\n0\n")
    (folder / "type_map.raw").write_text("H\nO\n")
    return folder


def test_reads_deepmd_npy(plain: Path) -> None:
    dataset = Dataset.open(plain)
    assert (dataset.fmt, dataset.nframes) == ("deepmd/npy", 2)
    assert dataset.labels == ("energy", "force")
    assert dataset.elements == ("H", "O")
    first, second = dataset.systems()
    assert first.name == "."
    assert first.types.tolist() == [[1, 0, 0]]
    assert second.origins.tolist() == [1]
    assert second.coords[0, 0].tolist() == [1.0, 2.0, 3.0]
    assert second.energies is not None
    assert second.energies.dtype == np.float64


def test_type_map_orders_the_elements(plain: Path) -> None:
    system = next(Dataset.open(plain, type_map=["O", "C", "H"]).systems())
    assert system.type_map == ("O", "C", "H")
    assert system.types.tolist() == [[0, 2, 2]]


def test_type_map_names_the_elements_of_a_folder_that_names_none(plain: Path) -> None:
    (plain / "type_map.raw").unlink()
    with pytest.raises(InputError, match=r"type_map.raw: file is missing.*give type_map"):
        Dataset.open(plain)
    assert Dataset.open(plain, type_map=["Li", "F"]).elements == ("Li", "F")


def test_type_map_that_lacks_an_element_is_refused(plain: Path) -> None:
    with pytest.raises(InputError, match="type_map: lacks O"):
        Dataset.open(plain, type_map=["H"])


def test_chunks_stream_in_order(write_dataset, make_system) -> None:
    dataset = Dataset.open(write_dataset(make_system(7)))
    sizes = [system.nframes for system in dataset.systems(chunk=3)]
    origins = np.concatenate([system.origins for system in dataset.systems(chunk=3)])
    assert sizes == [3, 3, 1]
    assert origins.tolist() == list(range(7))


def test_finds_systems_below_and_survives_a_loop(plain: Path) -> None:
    (plain.parent / "loop").symlink_to(plain.parent, target_is_directory=True)
    dataset = Dataset.open(plain.parent)
    assert [source.name for source in dataset.sources] == ["water"]


def test_reads_extxyz_with_stress(tmp_path: Path) -> None:
    atoms = ase.Atoms("HO", positions=[[0, 0, 0], [0, 0, 1]], cell=[2, 3, 4], pbc=True)
    stress = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) / 24
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=np.eye(2, 3), stress=stress)
    molecule = ase.Atoms("HOH", positions=np.eye(3))
    molecule.info["energy"] = -5.0
    ase.io.write(tmp_path / "a.extxyz", [atoms, molecule, atoms], format="extxyz")
    dataset = Dataset.open(tmp_path)
    assert dataset.fmt == "extxyz"
    periodic, lone = sorted(dataset.systems(), key=lambda system: system.natoms)
    assert periodic.origins.tolist() == [0, 2]
    assert periodic.virials is not None
    # Virial = −V·stress with V = 24; ASE's order is xx yy zz yz xz xy.
    np.testing.assert_allclose(periodic.virials[0], -np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3]]))
    assert lone.labels == ("energy",)
    assert not lone.periodic


def test_reads_a_format_of_dpdata(tmp_path: Path, make_system, write_dataset) -> None:
    import dpdata

    folder = write_dataset(make_system(3))
    systems = dpdata.MultiSystems().load_systems_from_file(str(folder), fmt="deepmd/npy/mixed")
    systems.to("deepmd/hdf5", str(tmp_path / "a.hdf5"))
    dataset = Dataset.open(tmp_path / "a.hdf5")
    assert (dataset.fmt, dataset.nframes) == ("deepmd/hdf5", 3)
    written = np.concatenate([system.energies for system in Dataset.open(folder).systems()])
    np.testing.assert_allclose(next(dataset.systems()).energies, written)


def test_opening_changes_nothing(plain: Path) -> None:
    before = sha256_tree(plain)
    list(Dataset.open(plain).systems())
    assert sha256_tree(plain) == before


def test_non_ascii_paths(plain: Path) -> None:
    moved = plain.rename(plain.parent / "Wässer 水")
    assert Dataset.open(moved).nframes == 2


def test_tolerant_keeps_faults_apart(plain: Path) -> None:
    bad = plain.parent / "bad"
    (bad / "set.000").mkdir(parents=True)
    (bad / "type.raw").write_text("0\n")
    dataset = Dataset.open(plain.parent, tolerant=True)
    assert dataset.nframes == 2
    assert list(dataset.faults) == ["bad"]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def _pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def _archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, coord=np.zeros(9))


MALFORMED = {
    "truncated": ("set.000/coord.npy", _truncate, "not a readable .npy file"),
    "empty": ("set.000/coord.npy", lambda path: path.write_bytes(b""), "not a readable .npy"),
    "pickled": ("set.000/energy.npy", _pickled, "not a readable .npy file .*Python objects"),
    "archive": ("set.000/coord.npy", _archive, "not a readable .npy file"),
    "text": ("set.000/force.npy", lambda path: path.write_text("1 2 3"), "not a readable .npy"),
    "strings": ("set.000/energy.npy", lambda path: np.save(path, np.array(["a"])), "numbers are"),
    "complex": ("set.000/energy.npy", lambda path: np.save(path, np.array([1j])), "numbers are"),
    "booleans": ("set.000/energy.npy", lambda path: np.save(path, np.array([True])), "numbers"),
    "scalar": ("set.000/energy.npy", lambda path: np.save(path, np.array(1.0)), "does not fit"),
    "fewer frames": ("set.000/energy.npy", lambda path: np.save(path, np.zeros(0)), "does not fit"),
    "fewer atoms": ("set.000/force.npy", lambda path: np.save(path, np.zeros((1, 6))), "3 atoms"),
    "huge header": (
        "set.000/coord.npy",
        lambda path: path.write_bytes(
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, "
            b"'shape': (1000000000000, 9), }" + b" " * 40 + b"\n"
        ),
        "not a readable .npy file",
    ),
    "label in one set only": ("set.001/energy.npy", os.unlink, "file is missing"),
    "no box": ("set.000/box.npy", os.unlink, "box.npy is missing.*nopbc"),
    "no coordinates": ("set.000/coord.npy", os.unlink, "coord.npy: file is missing"),
    "no types": ("type.raw", os.unlink, "type.raw: file is missing"),
    "empty types": ("type.raw", lambda path: path.write_text(""), "no atoms"),
    "words as types": ("type.raw", lambda path: path.write_text("H H O"), "integers are expected"),
    "type out of range": ("type.raw", lambda path: path.write_text("0 1 2"), "from 0 to 2"),
    "negative type": ("type.raw", lambda path: path.write_text("0 1 -1"), "from -1 to 1"),
    "unknown element": ("type_map.raw", lambda path: path.write_text("H Xx"), "element: Xx"),
    "repeated element": ("type_map.raw", lambda path: path.write_text("H H"), "repeated"),
    "binary type map": ("type_map.raw", lambda path: path.write_bytes(b"\xff\xfe"), "text file"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_refused(case: str, plain: Path) -> None:
    name, spoil, message = MALFORMED[case]
    spoil(plain / name)
    with pytest.raises(InputError, match=message) as caught:
        Dataset.open(plain)
    assert str(plain) in str(caught.value)


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        Dataset.open(tmp_path / "nowhere")


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data that lamflow knows"):
        Dataset.open(tmp_path)


def test_zero_frames(plain: Path) -> None:
    for path in plain.glob("set.*/*.npy"):
        np.save(path, np.load(path)[:0])
    with pytest.raises(InputError, match="0 frames"):
        Dataset.open(plain)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file is empty"),
        ("3\n\nH 0 0 0\nH 0 0", "ASE cannot read it near frame 0"),
        ("1\nenergy=low\nH 0 0 0\n", "labels are not usable"),
        ('1\npbc="T T F"\nH 0 0 0\n', "a lattice vector is missing"),
        ("0\n\n", "has no atoms"),
        ("1\n\nQq 0 0 0\n", "ASE cannot read it"),
    ],
)
def test_malformed_extxyz(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.extxyz").write_text(text)
    with pytest.raises(InputError, match=message):
        Dataset.open(tmp_path / "a.extxyz")


def test_unknown_format_suggests_one(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("x")
    with pytest.raises(InputError, match="did you mean 'vasp/outcar'"):
        Dataset.open(tmp_path / "a.dat", fmt="vasp/outcarr")


def test_reads_id_prop_json(tmp_path: Path) -> None:
    atoms = {"lattice_mat": np.diag([2.0, 3.0, 4.0]).tolist(), "coords": [[0.5, 0, 0]],
             "elements": ["Ni"], "cartesian": False}  # fmt: skip
    entry = {"jid": "1", "atoms": atoms, "total_energy": -5.5, "forces": [[0, 0, 0.1]],
             "stresses": [1, 2, 3, 4, 5, 6]}  # fmt: skip
    (tmp_path / "id_prop.json").write_text(json.dumps([entry, entry]))
    dataset = Dataset.open(tmp_path)
    (system,) = dataset.systems()
    assert (dataset.fmt, dataset.nframes) == ("jarvis/id_prop", 2)
    assert system.coords[0].tolist() == [[1.0, 0, 0]]
    assert system.virials is not None
    # VASP's order xx yy zz xy yz zx, kbar · Å³ to eV.
    expected = np.array([[1, 4, 6], [4, 2, 5], [6, 5, 3]]) * 24 / 1602.1766
    np.testing.assert_allclose(system.virials[0], expected)


@pytest.mark.parametrize("text", ["[]", "{", '[{"atoms": {}}]'])
def test_malformed_id_prop_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "id_prop.json").write_text(text)
    with pytest.raises(InputError, match=r"id_prop.json"):
        Dataset.open(tmp_path)
