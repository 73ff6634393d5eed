"""Broken input of every kind, beside a good system: named with a reason, and nothing is changed.

Each case spoils a copy of a good system, or puts a bad file beside it. Cleaning must set the bad
one aside (or refuse it, where it is alone), keep what is good, and leave the input as it was.
"""

import gzip
import io
import json
import os
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamflow.data.checks.settings import CheckSettings
from lamflow.data.curate import curate_dataset
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError
from lamflow.files import sha256_tree

Spoil = Callable[[Path], object]
FRAMES = 4


def water(seed: int) -> System:
    """Four frames of a water molecule in a box, labelled."""
    rng = np.random.default_rng(seed)
    base = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]) + 4.0
    forces = rng.normal(size=(FRAMES, 3, 3))
    return System(
        name="water", type_map=("H", "O"), types=np.tile([1, 0, 0], (FRAMES, 1)),
        coords=base + rng.normal(scale=0.05, size=(FRAMES, 3, 3)),
        cells=np.tile(np.eye(3) * 8.0, (FRAMES, 1, 1)), energies=rng.normal(-470, 0.1, FRAMES),
        forces=forces - forces.mean(axis=1, keepdims=True), virials=None,
        origins=np.arange(FRAMES),
    )  # fmt: skip


def save(array: object) -> Spoil:
    return lambda path: np.save(path, np.asarray(array))


def change(index: object, value: float) -> Spoil:
    def spoil(path: Path) -> None:
        array = np.load(path)
        array[index] = value
        np.save(path, array)

    return spoil


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}] * FRAMES, dtype=object), allow_pickle=True)


def evil(path: Path) -> None:
    """A pickle that would make a file if it were loaded."""

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(path.parent / "owned"),)

    path.write_bytes(pickle.dumps(Evil()))


def bomb(path: Path) -> None:
    """An archive of a few hundred kB that unpacks to 400 MB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("coord.npy", "w") as file,
    ):
        for _ in range(400):
            file.write(b"\0" * 2**20)


def gzipped_bomb(path: Path) -> None:
    with gzip.open(path, "wb") as file:
        for _ in range(400):
            file.write(b"1" * 2**20)


def tarred(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("../../set.000/coord.npy")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"1234"))


def laughs(path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a0 "ha">{entities}]><m>&a9;</m>')


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link_to_itself(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path)


def text(content: str) -> Spoil:
    return lambda path: path.write_text(content)


def raw(content: bytes) -> Spoil:
    return lambda path: path.write_bytes(content)


HUGE = (
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, "
    b"'shape': (1000000000000, 9), }" + b" " * 40 + b"\n"
)
NESTED = b"\x93NUMPY\x01\x00v\x00" + b"(" * 117 + b"\n"

SYSTEMS: dict[str, tuple[str, Spoil]] = {
    "truncated coordinates": ("set.000/coord.npy", cut),
    "truncated energies": ("set.000/energy.npy", cut),
    "truncated header": ("set.000/force.npy", raw(b"\x93NUMPY\x01\x00v")),
    "empty file": ("set.000/coord.npy", raw(b"")),
    "only zeros": ("set.000/box.npy", raw(b"\0" * 4096)),
    "huge shape": ("set.000/coord.npy", raw(HUGE)),
    "nested header": ("set.000/coord.npy", raw(NESTED)),
    "object array": ("set.000/energy.npy", pickled),
    "pickle": ("set.000/energy.npy", evil),
    "pickle as types": ("type.raw", evil),
    "zip bomb": ("set.000/coord.npy", bomb),
    "gzip bomb": ("set.000/coord.npy", gzipped_bomb),
    "tar": ("set.000/coord.npy", tarred),
    "text": ("set.000/force.npy", text("1 2 3\n")),
    "strings": ("set.000/energy.npy", save(["a"] * FRAMES)),
    "complex": ("set.000/energy.npy", save([1j] * FRAMES)),
    "booleans": ("set.000/energy.npy", save([True] * FRAMES)),
    "dates": ("set.000/energy.npy", save(np.zeros(FRAMES, dtype="M8[s]"))),
    "records": ("set.000/energy.npy", save(np.zeros(FRAMES, dtype=[("e", "<f8")]))),
    "scalar": ("set.000/energy.npy", save(1.0)),
    "fewer frames": ("set.000/energy.npy", save(np.zeros(FRAMES - 1))),
    "more frames": ("set.000/energy.npy", save(np.zeros(FRAMES + 1))),
    "fewer atoms": ("set.000/force.npy", save(np.zeros((FRAMES, 6)))),
    "more atoms": ("set.000/coord.npy", save(np.zeros((FRAMES, 12)))),
    "no frames": ("set.000/coord.npy", save(np.zeros((0, 9)))),
    "small box": ("set.000/box.npy", save(np.zeros((FRAMES, 3)))),
    "no box": ("set.000/box.npy", os.unlink),
    "no coordinates": ("set.000/coord.npy", os.unlink),
    "fractional types": ("set.000/real_atom_types.npy", save(np.full((FRAMES, 3), 0.5))),
    "type out of range": ("set.000/real_atom_types.npy", save(np.full((FRAMES, 3), 7))),
    "negative type": ("set.000/real_atom_types.npy", save(np.full((FRAMES, 3), -1))),
    "endless type": ("type.raw", text("9" * 400 + " 0 0\n")),
    "words as types": ("type.raw", text("H H O\n")),
    "binary types": ("type.raw", raw(b"\xff\xfe\x00")),
    "empty types": ("type.raw", text("")),
    "types are a folder": ("type.raw", folder),
    "unknown element": ("type_map.raw", text("H Xx\n")),
    "repeated element": ("type_map.raw", text("H H\n")),
    "binary type map": ("type_map.raw", raw(b"\xff\xfe\x00")),
    "no type map": ("type_map.raw", os.unlink),
    "type map is a folder": ("type_map.raw", folder),
    "array is a folder": ("set.000/coord.npy", folder),
    "array is a pipe": ("set.000/coord.npy", pipe),
    "types are a pipe": ("type.raw", pipe),
    "type map is a pipe": ("type_map.raw", pipe),
    "array is a link to itself": ("set.000/coord.npy", link_to_itself),
    "array is a broken link": ("set.000/energy.npy", lambda path: (path.unlink(),
                               path.symlink_to("nowhere"), (path.parent / "force.npy").unlink())),
}  # fmt: skip
"""A file of a system folder, and what happens to it."""

FRAMES_WRONG: dict[str, tuple[str, Spoil]] = {
    "NaN coordinate": ("set.000/coord.npy", change((1, 2), np.nan)),
    "infinite coordinate": ("set.000/coord.npy", change((1, 2), np.inf)),
    "NaN energy": ("set.000/energy.npy", change(1, np.nan)),
    "infinite force": ("set.000/force.npy", change((1, 0), -np.inf)),
    "NaN cell": ("set.000/box.npy", change((1, 0), np.nan)),
    "zero cell": ("set.000/box.npy", change(1, 0.0)),
    "flat cell": ("set.000/box.npy", change((1, slice(6, 9)), 0.0)),
    "huge coordinate": ("set.000/coord.npy", change((1, 2), 1e300)),
    "huge energy": ("set.000/energy.npy", change(1, 1e300)),
    "atoms in one place": ("set.000/coord.npy", change(1, 1.0)),
}
"""The same, for faults of frame 1 alone."""

FILES: dict[str, tuple[str, Spoil]] = {
    "empty extxyz": ("a.extxyz", text("")),
    "cut extxyz": ("a.extxyz", text("3\n\nH 0 0 0\nH 0 0")),
    "wrong count": ("a.extxyz", text("900000000000\n\nH 0 0 0\n")),
    "words in a lattice": ("a.extxyz", text('1\nLattice="a b c" pbc="T T T"\nH 0 0 0\n')),
    "short lattice": ("a.extxyz", text('1\nLattice="1 0 0 0 1 0 0 0"\nH 0 0 0\n')),
    "energy in words": ("a.extxyz", text("1\nenergy=low\nH 0 0 0\n")),
    "null bytes": ("a.extxyz", raw(b"1\n\0\0\0\nH 0 0 0\n" + b"\0" * 100)),
    "no atoms": ("a.extxyz", text("0\n\n")),
    "broken trajectory": ("a.traj", raw(b"- of UlmASE-Trajectory" + b"\0" * 50)),
    "pickle as trajectory": ("a.traj", evil),
    "broken database": ("a.db", raw(b"SQLite format 3\0" + b"\1" * 200)),
    "another database": ("a.db", lambda path: sqlite3.connect(path).execute("create table x (y)")),
    "broken hdf5": ("a.hdf5", raw(b"\x89HDF\r\n\x1a\n" + b"\0" * 64)),
    "text as hdf5": ("a.h5", text("no")),
    "broken OUTCAR": ("OUTCAR", text("vasp.6\n POSITION\n")),
    "broken vasprun": ("vasprun.xml", text("<modeling><calculation>")),
    "XML bomb": ("vasprun.xml", laughs),
    "broken CIF": ("a.cif", text("data_x\nloop_\n_atom_site_label\n")),
    "broken POSCAR": ("POSCAR", text("x\n1.0\n1 0 0\n0 1 0\n")),
    "broken XSF": ("a.xsf", text("CRYSTAL\nPRIMVEC\n1 0")),
    "broken ABACUS log": ("running_scf.log", text("nothing")),
    "broken JSON": ("id_prop.json", text("{")),
    "deep JSON": ("id_prop.json", text("[" * 100_000)),
    "JSON of another kind": ("id_prop.json", text(json.dumps([{"atoms": 3}]))),
}  # fmt: skip
"""A file that is bad as a whole."""

ARCHIVES: dict[str, tuple[str, Spoil]] = {
    "zip": ("data.zip", bomb),
    "gzip": ("data.xyz.gz", gzipped_bomb),
    "tar": ("data.tar.gz", tarred),
    "npz": ("data.npz", bomb),
    "pickle": ("data.pkl", evil),
}
"""Packed data, given as the dataset."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dataset in a folder of a strange name, with a good system and one to be spoiled."""
    root = tmp_path / "Ünïcode 数据 \n‘x’"
    for number, name in enumerate(("good", "bad")):
        with DatasetWriter(tmp_path / name) as writer:
            writer.add(water(number))
        (system,) = (p for p in (tmp_path / name).iterdir() if p.is_dir())
        root.mkdir(exist_ok=True)
        system.rename(root / name)
    return root


def cleaned(root: Path):
    """Clean by rules; the input must be as it was, and nothing of it may have been run."""
    before = sha256_tree(root)
    out = root.parent / "out"
    done = curate_dataset(root, out / "good", out / "bad", CheckSettings(model=False), seed=1)
    assert sha256_tree(root) == before
    assert not list(root.rglob("owned"))
    return done


@pytest.mark.parametrize("case", SYSTEMS)
def test_a_broken_system_is_set_aside_with_a_reason(case: str, data: Path) -> None:
    name, spoil = SYSTEMS[case]
    spoil(data / "bad" / name)
    done = cleaned(data)
    assert list(done.unreadable) == ["bad"]
    assert str(data / "bad") in done.unreadable["bad"]
    assert done.flags == {"good": [], "bad": "all"}
    assert (done.frames_in, done.kept) == (FRAMES, FRAMES)


@pytest.mark.parametrize("case", SYSTEMS)
def test_a_broken_system_alone_is_refused(case: str, data: Path) -> None:
    name, spoil = SYSTEMS[case]
    spoil(data / "bad" / name)
    with pytest.raises(InputError, match="bad") as caught:
        Dataset.open(data / "bad")
    assert all(problem.what for problem in caught.value.problems)


@pytest.mark.parametrize("case", FRAMES_WRONG)
def test_a_broken_frame_goes_to_quarantine_with_a_reason(case: str, data: Path) -> None:
    name, spoil = FRAMES_WRONG[case]
    spoil(data / "bad" / name)
    done = cleaned(data)
    assert done.flags["good"] == []
    assert 1 in done.flags["bad"]
    assert done.kept + done.repaired + done.quarantined == done.frames_in == 2 * FRAMES
    assert done.by_code


@pytest.mark.parametrize("case", FILES)
def test_a_broken_file_is_set_aside_with_a_reason(case: str, tmp_path: Path) -> None:
    name, spoil = FILES[case]
    root = tmp_path / "files"
    (root / "b").mkdir(parents=True)
    spoil(root / "b" / name)
    lines = [f"1\nenergy=-{n}.5\nAr 0 0 {n}.0\n" for n in range(1, 4)]
    (root / "good.extxyz").write_text("".join(lines))
    done = cleaned(root)
    assert list(done.unreadable) == [f"b/{name}"]
    assert name in done.unreadable[f"b/{name}"]
    assert done.frames_in == 3


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_is_refused_and_not_unpacked(case: str, tmp_path: Path) -> None:
    import resource

    name, spoil = ARCHIVES[case]
    spoil(tmp_path / name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=name):
        Dataset.open(tmp_path / name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert not (tmp_path / "owned").exists()


def test_loops_of_folders_end(data: Path) -> None:
    (data / "good/loop").symlink_to(data)
    (data / "loop").symlink_to(data)
    (data / "bad/set.001").symlink_to(data / "bad/set.001")
    assert cleaned(data).frames_in == 2 * FRAMES


def test_a_dataset_that_is_a_pipe_or_a_loop_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.xyz")
    (tmp_path / "b.xyz").symlink_to(tmp_path / "b.xyz")
    for name in ("a.xyz", "b.xyz"):
        with pytest.raises(InputError, match=name):
            Dataset.open(tmp_path / name)


def test_there_are_fifty_cases_and_more() -> None:
    assert sum(map(len, (SYSTEMS, FRAMES_WRONG, FILES, ARCHIVES))) >= 80
