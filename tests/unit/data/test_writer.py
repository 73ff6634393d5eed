from pathlib import Path

import numpy as np
import pytest

from lamflow.data import writer as writer_module
from lamflow.data.dataset import Dataset
from lamflow.data.writer import DatasetWriter, NpyAppender
from lamflow.errors import InputError


def test_appender_makes_a_plain_npy_file(tmp_path: Path) -> None:
    appender = NpyAppender(tmp_path / "a.npy", (2,), "<f8")
    appender.append(np.ones((3, 2)))
    appender.append(np.zeros((1, 2)))
    appender.close()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), [[1, 1]] * 3 + [[0, 0]])


def test_round_trip(make_system, write_dataset) -> None:
    system = make_system(4)
    read = next(Dataset.open(write_dataset(system)).systems())
    for field in ("types", "coords", "cells", "energies", "forces", "virials"):
        np.testing.assert_array_equal(getattr(read, field), getattr(system, field))


def test_frames_of_one_shape_share_a_folder(make_system, write_dataset) -> None:
    folder = write_dataset(
        make_system(2), make_system(1, periodic=False), make_system(3, natoms=7),
        make_system(2, name="other", virial=False),
    )  # fmt: skip
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert names == ["n005_ef", "n005_ef_nopbc", "n005_efv", "n007_efv"]
    rows = (folder / "frames.tsv").read_text().splitlines()
    assert rows[0] == "system\tindex\torigin_system\torigin_index"
    assert rows[-1] == "n005_ef\t1\tother\t1"


def test_other_labels_are_carried_along(make_system, write_dataset) -> None:
    from dataclasses import replace

    system = make_system(4)
    others = {"gap": np.arange(4.0)[:, None], "spin": np.arange(60.0).reshape(4, 15)}
    folder = write_dataset(replace(system, others=others), system)
    assert (folder / "n005_efv_gap1_spin15").is_dir()
    dataset = Dataset.open(folder)
    assert dataset.others == ("gap", "spin")
    plain, labelled = dataset.systems()
    assert plain.others == {}
    picked = labelled.take([2, 0])
    np.testing.assert_array_equal(picked.others["gap"], [[2.0], [0.0]])
    np.testing.assert_array_equal(picked.others["spin"], others["spin"][[2, 0]])


def test_array_of_another_length_is_no_label(make_system, write_dataset) -> None:
    folder = write_dataset(make_system(4))
    np.save(folder / "n005_efv/set.000/charges.npy", np.ones((3, 5)))
    np.save(folder / "n005_efv/set.000/ids.npy", np.arange(4))
    assert Dataset.open(folder).others == ()


def test_elements_of_different_type_maps_are_merged(make_system, write_dataset) -> None:
    from dataclasses import replace

    one, two = make_system(1), replace(make_system(1), type_map=("Ti", "C"))
    folder = write_dataset(one, two)
    assert (folder / "n005_efv" / "type_map.raw").read_text().split() == ["O", "Ti", "C"]
    symbols = [
        [read.type_map[index] for index in row]
        for read in Dataset.open(folder).systems()
        for row in read.types
    ]
    assert symbols == [["O", "Ti", "O", "Ti", "O"], ["Ti", "C", "Ti", "C", "Ti"]]


def test_large_systems_get_several_sets(make_system, write_dataset, monkeypatch) -> None:
    monkeypatch.setattr(writer_module, "SET_FRAMES", 4)
    folder = write_dataset(make_system(10))
    lengths = [len(np.load(path)) for path in sorted(folder.glob("n005_efv/set.*/energy.npy"))]
    assert lengths == [4, 4, 2]
    assert Dataset.open(folder).nframes == 10


def test_nothing_is_left_of_a_failed_write(tmp_path: Path, make_system) -> None:
    def write() -> None:
        with DatasetWriter(tmp_path / "a") as writer:
            writer.add(make_system(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames to write"), DatasetWriter(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_dpdata_reads_it(make_system, write_dataset) -> None:
    import dpdata

    folder = write_dataset(make_system(2, virial=False), make_system(3, periodic=False))
    systems = dpdata.MultiSystems().load_systems_from_file(str(folder), fmt="deepmd/npy/mixed")
    assert sum(len(one) for one in systems) == 5
