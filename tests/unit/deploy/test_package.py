from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read

from lamflow.deploy.package import (
    DeploymentCard,
    masses,
    read_deployment_card,
    write_package,
    write_structure,
)
from lamflow.errors import InputError


def card(*type_map: str) -> DeploymentCard:
    return DeploymentCard(
        name="fast", type_map=type_map, masses=masses(type_map), cutoff=5.0, compressed=True,
        parent="big", parent_sha256="0" * 64, head="model",
        table={"stride": 0.01, "extrapolate": 5.0, "closest_A": 1.5},
        agreement={"frames": 7, "energy_meV_per_atom": 0.01, "force_meV_per_A": 0.2,
                   "virial_meV_per_atom": None},
        model={}, versions={"lamflow": "0", "deepmd-kit": "3.2.0"},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.pth").write_bytes(b"weights")
    write_package(tmp_path, card("H", "Cu"), bulk("Cu", cubic=True))
    return tmp_path


def test_masses_are_those_of_the_elements() -> None:
    assert masses(["H", "O", "W"]) == pytest.approx({"H": 1.008, "O": 15.999, "W": 183.84})


def test_lammps_input_names_all_types_in_order(folder: Path) -> None:
    text = (folder / "in.lammps").read_text()
    assert "pair_coeff * * H Cu\n" in text
    assert "mass 1 1.008" in text
    assert "mass 2 63.546" in text
    assert "boundary p p p" in text


def test_structure_keeps_the_types_of_the_model(folder: Path) -> None:
    assert "2 atom types" in (folder / "structure.data").read_text()
    atoms = read(folder / "structure.data", format="lammps-data")
    assert list(atoms.symbols) == ["Cu"] * 4
    assert atoms.get_volume() == pytest.approx(bulk("Cu", cubic=True).get_volume())


def test_a_molecule_gets_a_box_that_grows_and_short_steps(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(b"weights")
    write_package(tmp_path, card("H"), Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]))
    text = (tmp_path / "in.lammps").read_text()
    assert "boundary s s s" in text
    assert "timestep 0.0005" in text
    assert "atoms.pbc = False" in (tmp_path / "run_ase.py").read_text()


def test_scripts_are_python_and_the_readme_tells_the_difference(folder: Path) -> None:
    compile((folder / "run_ase.py").read_text(), "run_ase.py", "exec")
    text = (folder / "README.md").read_text()
    assert "0.2 meV/Å" in text
    assert "1 = H, 2 = Cu" in text


def test_every_file_is_in_the_card_and_compared_with_it(folder: Path) -> None:
    known = read_deployment_card(folder)
    assert set(known.files) == {
        "model.pth", "in.lammps", "run_ase.py", "structure.data", "README.md",
    }  # fmt: skip
    (folder / "model.pth").write_bytes(b"other weights")
    with pytest.raises(InputError, match=r"model.pth: differs from its card \(sha256\)"):
        read_deployment_card(folder)


def test_another_card_is_no_deployments(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"name": "x"}')
    with pytest.raises(InputError, match="is no deployment's card"):
        read_deployment_card(tmp_path)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"."):
        write_structure(tmp_path / "a.data", bulk("Cu"), ["H"])
    assert not (tmp_path / "a.data").exists()
