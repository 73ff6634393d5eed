"""Wrong configs and what is to be said about each; also run through the command (tests of the CLI).

In `expected`, ``{file}`` is the YAML file's path as given and ``{folder}`` its absolute folder,
``{parent}`` the folder above.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lamflow.config import kinds

_KINDS = ", ".join(kinds.names())
BASE = """\
kind: pretrain
name: mini
seed: 1
datasets:
  - {name: water, path: data/water, weight: 1.0}
  - {name: tio2, path: data/tio2, weight: 1.0, test: data/tio2_test}
model: dpa1-tiny
train: {steps: 20, batch: "auto:32"}
"""


@dataclass(frozen=True)
class WrongConfig:
    """A config, files beside it, and the exact messages, one a line, in order."""

    name: str
    content: str | bytes
    expected: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the config and the data that its like names into `folder`; return its path."""
        write_data(folder)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        path = folder / "pretrain.yaml"
        content = self.content
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def messages(self, path: Path) -> list[str]:
        """Return the messages expected for the config at `path`."""
        folder = path.absolute().parent
        places = {"{file}": path, "{folder}": folder, "{parent}": folder.parent}
        texts = list(self.expected)
        for mark, place in places.items():
            texts = [text.replace(mark, str(place)) for text in texts]
        return texts


def write_system(
    folder: Path, symbols: list[str], frames: int = 3, energy: float | None = -10.0
) -> None:
    """Write a small deepmd/npy system of separate atoms; `energy` None leaves labels out."""
    rng = np.random.default_rng(7)
    atoms = len(symbols)
    kinds = sorted(set(symbols))
    data = folder / "set.000"
    data.mkdir(parents=True)
    (folder / "type_map.raw").write_text("\n".join(kinds) + "\n")
    (folder / "type.raw").write_text("\n".join(str(kinds.index(s)) for s in symbols) + "\n")
    (folder / "nopbc").write_text("")
    grid = np.arange(atoms)[:, None] * np.array([1.0, 0.3, 0.1])
    coords = grid[None] + rng.normal(scale=0.05, size=(frames, atoms, 3))
    np.save(data / "coord.npy", coords.reshape(frames, 3 * atoms))
    if energy is not None:
        np.save(data / "energy.npy", np.full(frames, energy))
        np.save(data / "force.npy", rng.normal(size=(frames, 3 * atoms)))


def write_data(folder: Path) -> None:
    """Write the datasets that the configs here name, below ``folder/data``."""
    data = folder / "data"
    write_system(data / "water", ["O", "H", "H"])
    write_system(data / "tio2", ["Ti", "O", "O"])
    write_system(data / "tio2_test", ["Ti", "O", "O"])
    write_system(data / "nan", ["O", "H", "H"], energy=float("nan"))
    write_system(data / "unlabelled", ["O", "H", "H"], energy=None)
    write_system(data / "zero", ["O", "H", "H"], frames=0)
    write_system(data / "unobtainium", ["O", "Uo", "Uo"])
    (data / "empty").mkdir()
    write_system(data / "nacl", ["Na", "Cl"])
    write_system(data / "gap", ["O", "H", "H"], energy=None)
    np.save(data / "gap/set.000/gap.npy", np.ones((3, 1)))
    write_system(data / "spin", ["Ti", "O", "O"])
    np.save(data / "spin/set.000/spin.npy", np.ones((3, 9)))


def _edit(*changes: tuple[str, str]) -> str:
    text = BASE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def _case(name: str, old: str, new: str, *expected: str) -> WrongConfig:
    return WrongConfig(name, _edit((old, new)), expected)


_WATER = "path: data/water"
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n"
    for old, new in zip("abcdef", "bcdefg", strict=True)
)

FORM = [
    # unreadable files
    WrongConfig(
        "empty file",
        "",
        ("{file}: the file is empty; `lamflow init pretrain` writes one to start from",),
    ),
    WrongConfig(
        "only a comment",
        "# later\n",
        ("{file}: the file is empty; `lamflow init pretrain` writes one to start from",),
    ),
    WrongConfig(
        "a list at the top",
        "- kind: pretrain\n",
        ("{file}:1: a list is given, a mapping is wanted; the first line is for example "
         "kind: pretrain",),
    ),
    WrongConfig(
        "not UTF-8",
        BASE.encode().replace(b"mini", b"m\xefni"),
        ("{file}:2: byte 0xef is not UTF-8; save the file as UTF-8",),
    ),
    _case(
        "tab", "  - {name: water", "\t- {name: water",
        "{file}:5: the line is indented with a tab; YAML wants spaces",
    ),
    _case(
        "open bracket", "test: data/tio2_test}", "test: data/tio2_test",
        "{file}:7: not readable as YAML: expected ',' or '}', but got ':' (while parsing a flow "
        "mapping that starts at line 6); check brackets, quotes and indentation",
    ),
    _case(
        "key twice", "seed: 1\n", "seed: 1\nname: other\n",
        "{file}:4: name: given twice; the first is at {file}:2",
    ),
    _case(
        "key twice in a dataset", "weight: 1.0}", "weight: 1.0, weight: 2.0}",
        "{file}:5: datasets.0.weight: given twice; the first is at {file}:5",
    ),
    _case(
        "key that is no text", "seed: 1\n", "seed: 1\n3: x\n",
        "{file}:4: 3 is no text, and keys are text; quote it",
    ),
    _case(
        "python tag", "seed: 1\n", "seed: !!python/object/apply:os.getcwd []\n",
        "{file}:3: seed: the tag tag:yaml.org,2002:python/object/apply:os.getcwd is not allowed; "
        "write a plain value",
    ),
    _case(
        "tag of one's own", "seed: 1\n", "seed: !seed 1\n",
        "{file}:3: seed: the tag !seed is not allowed; write a plain value",
    ),
    WrongConfig(
        "alias bomb", BASE + _BOMB, ("{file}: holds more than 20000 values (aliases counted)",)
    ),
    WrongConfig(
        "alias of itself", BASE + "x: &x [*x]\n", ("{file}: is nested deeper than 40 levels",)
    ),
    WrongConfig(
        "nested without end", "x: " + "[" * 5000, ("{file}: is nested deeper than 40 levels",)
    ),
    WrongConfig(
        "two documents", BASE + "---\n" + BASE,
        ("{file}:9: not readable as YAML: but found another document (expected a single document "
         "in the stream that starts at line 1); check brackets, quotes and indentation",),
    ),
    WrongConfig(
        "too large", "#" * (1 << 20) + BASE, ("{file}: is larger than 1 MiB; is it a config?",)
    ),
    # kind
    _case(
        "no kind", "kind: pretrain\n", "",
        f"{{file}}:1: kind: is missing; for example kind: pretrain (there are {_KINDS})",
    ),
    _case(
        "kind misspelt", "kind: pretrain", "kind: pretrian",
        "{file}:1: kind: unknown kind 'pretrian'; did you mean 'pretrain'?",
    ),
    _case("kind is a number", "kind: pretrain", "kind: 3",
          f"{{file}}:1: kind: must be text, one of {_KINDS}"),
    # keys
    _case("typo at the top", "seed:", "sed:",
          "{file}:3: sed: unknown key; did you mean 'seed'?"),
    _case("typo of a key that must be", "name: mini", "nmae: mini",
          "{file}:2: nmae: unknown key; did you mean 'name'?"),
    _case("typo in train", "batch:", "batchsize:",
          "{file}:8: train.batchsize: unknown key; did you mean 'batch'?"),
    _case("typo in a dataset", "weight: 1.0, test", "wieght: 1.0, test",
          "{file}:6: datasets.1.wieght: unknown key; did you mean 'weight'?"),
    _case("no space after a colon", "steps: 20", "steps:20",
          "{file}:8: train.steps:20: unknown key; a space is missing after 'steps:'"),
    _case("key in the wrong section", "seed: 1\n", "seed: 1\nsteps: 5\n",
          "{file}:4: steps: unknown key here; 'steps' belongs under 'train:'"),
    _case("top-level key in a section", "{steps: 20,", "{steps: 20, seed: 3,",
          "{file}:8: train.seed: unknown key here; 'seed' belongs at the top level"),
    _case("strange key", "seed: 1\n", "seed: 1\nquux: 5\n",
          "{file}:4: quux: unknown key; the keys here are clean, datasets, kind, model, name, "
          "resources, run, seed, split, train"),
    _case("no name", "name: mini\n", "", "{file}:1: name: is missing; for example name: my-model"),
    _case("no steps", "steps: 20, ", "",
          "{file}:8: train.steps: is missing; for example steps: 2000"),
    # types and ranges
    _case("text for a number", "steps: 20", 'steps: "20"',
          "{file}:8: train.steps: the text '20' is given, a whole number is wanted; for example "
          "steps: 2000"),
    _case("part of a step", "steps: 20", "steps: 20.5",
          "{file}:8: train.steps: 20.5 is given, a whole number is wanted; for example "
          "steps: 2000"),
    _case("truth for a number", "steps: 20", "steps: true",
          "{file}:8: train.steps: true is given, a whole number is wanted; for example "
          "steps: 2000"),
    _case("no value", "seed: 1", "seed:",
          "{file}:3: seed: nothing is given, a whole number is wanted"),
    _case("no steps at all", "steps: 20", "steps: 0",
          "{file}:8: train.steps: 0 is given, it must be above 0"),
    _case("seed below 0", "seed: 1", "seed: -1",
          "{file}:3: seed: -1 is given, it must be at least 0"),
    _case("seed too large", "seed: 1", "seed: 2147483648",
          "{file}:3: seed: 2147483648 is given, it must be below 2147483648"),
    _case("learning rate NaN", "steps: 20", "steps: 20, learning_rate: .nan",
          "{file}:8: train.learning_rate: nan is given, a finite number is wanted"),
    _case("endless cutoff", "model: dpa1-tiny",
          "model: {preset: dpa1-tiny, descriptor: {rcut: .inf}}",
          "{file}:7: model.descriptor.rcut: inf is given, a finite number is wanted"),
    _case("number with 5000 digits", "seed: 1", "seed: " + "1" * 5000,
          "{file}:3: seed: '" + "1" * 40 + "…' can't be read as int"),
    _case("batch", '"auto:32"', '"auto:x"',
          "{file}:8: train.batch: 'auto:x' is no batch size; give frames per step as a whole "
          "number above 0, or \"auto:N\" for as many frames as make at least N atoms, such as "
          'batch: "auto:32"'),
    _case("batch 0", '"auto:32"', "0",
          "{file}:8: train.batch: 0 is no batch size; give frames per step as a whole number "
          "above 0, or \"auto:N\" for as many frames as make at least N atoms, such as "
          'batch: "auto:32"'),
    _case("train is a number", '{steps: 20, batch: "auto:32"}', "20",
          "{file}:8: train: 20 is given, a mapping (key: value) is wanted; for example "
          "train: {steps: 2000}"),
    _case("a decision", "seed: 1\n", "seed: 1\nclean: {finite: rejct}\n",
          "{file}:4: clean.finite: the text 'rejct' is given, it must be one of reject, warn, "
          "off; did you mean 'reject'?"),
    _case("nothing left to train on", "seed: 1\n", "seed: 1\nsplit: {validation: 0.5, test: 0.5}\n",
          "{file}:4: split: validation and test together leave no frame for training; lower them"),
    _case("time limit below 0", "seed: 1\n", "seed: 1\nrun: {timeout: -5}\n",
          "{file}:4: run.timeout: -5 is given, it must be above 0"),
    # names
    _case("name with spaces", "name: mini", "name: My Model",
          "{file}:2: name: 'My Model' can't be a name: use lower case letters, digits, '-' and "
          "'_', with a letter or digit first and last"),
    _case("name that is a path", "name: mini", "name: ../mini",
          "{file}:2: name: '../mini' can't be a name: use lower case letters, digits, '-' and "
          "'_', with a letter or digit first and last"),
    _case("long name", "name: mini", "name: " + "x" * 41,
          "{file}:2: name: has 41 characters, at most 40 are possible; shorten it"),
    _case("name that is a number", "name: mini", "name: 2024",
          "{file}:2: name: 2024 is given, text is wanted; for example name: my-model"),
    _case("two datasets of one name", "name: tio2", "name: water",
          "{file}:6: datasets.1.name: 'water' is taken by another dataset; each needs a name of "
          "its own"),
    WrongConfig(
        "names that are one in Kubernetes",
        _edit(("name: water", "name: set_1"), ("name: tio2", "name: set-1")),
        ("{file}:6: datasets.1.name: 'set-1' is taken by another dataset; each needs a name of "
         "its own ('-' and '_' count as the same: 'set_1')",),
    ),
    # datasets
    _case("no datasets",
          "\n  - {name: water, path: data/water, weight: 1.0}\n"
          "  - {name: tio2, path: data/tio2, weight: 1.0, test: data/tio2_test}\n", " []\n",
          "{file}:4: datasets: is empty; list at least one"),
    _case("datasets as a mapping",
          "\n  - {name: water, path: data/water, weight: 1.0}\n"
          "  - {name: tio2, path: data/tio2, weight: 1.0, test: data/tio2_test}\n",
          " {water: data/water}\n",
          "{file}:4: datasets: a mapping is given, a list is wanted; for example datasets: "
          "[{name: water, path: data/water}]"),
    WrongConfig(
        "all weights 0", BASE.replace("weight: 1.0", "weight: 0"),
        ("{file}:4: datasets: all weights are 0, nothing would be trained; raise at least one",),
    ),
    _case("weight below 0", "weight: 1.0", "weight: -1.0",
          "{file}:5: datasets.0.weight: -1.0 is given, it must be at least 0"),
    _case("test set is the training set", "test: data/tio2_test", "test: data/../data/tio2",
          "{file}:6: datasets.1.test: the test set is the training data itself; give a set of its "
          "own, or leave 'test' out to hold out a part"),
    _case("test set within the training set", "test: data/tio2_test", "test: data/tio2/set.000",
          "{file}:6: datasets.1.test: the test set overlaps the training data; give a set of its "
          "own, or leave 'test' out to hold out a part"),
    _case("one path twice", "path: data/tio2,", "path: data/water,",
          "{file}:6: datasets.1.path: is also the path of dataset 'water'; leave one of them out"),
    _case("path climbs out", _WATER, "path: ../water",
          "{file}:5: datasets.0.path: '../water' leaves the folder of the config file, and "
          "relative paths stay inside it; write the absolute path {parent}/water if that is what "
          "you mean"),
    _case("no path", _WATER, 'path: ""',
          "{file}:5: datasets.0.path: is empty; give a path or s3://bucket/prefix"),
    _case("unknown scheme", _WATER, "path: http://host/water",
          "{file}:5: datasets.0.path: 'http://host/water' is neither a path nor "
          "s3://bucket/prefix"),
    _case("bad bucket", _WATER, "path: s3://My_Bucket/water",
          "{file}:5: datasets.0.path: 's3://My_Bucket/water' is no S3 address; write "
          "s3://bucket/prefix"),
    _case("whole bucket", _WATER, "path: s3://bucket/",
          "{file}:5: datasets.0.path: 's3://bucket/' is no S3 address; write s3://bucket/prefix"),
    _case("keys in an address", _WATER, "path: s3://key:secret@bucket/water",
          "{file}:5: datasets.0.path: s3://…@bucket/water: is no S3 address; write "
          "s3://bucket/prefix"),
    _case("S3 path that climbs", _WATER, "path: s3://bucket/a/../b",
          "{file}:5: datasets.0.path: 'a/../b': can't be a key of a store: it has an empty part, "
          "'.' or '..'"),
    _case("home of nobody", _WATER, "path: ~nobody-here/water",
          "{file}:5: datasets.0.path: '~nobody-here/water' names the home of a user that is not "
          "known"),
    _case("empty type_map", _WATER, "path: data/water, type_map: []",
          "{file}:5: datasets.0.type_map: is empty; list at least one"),
    _case("dataset that is nothing", "  - {name: water, path: data/water, weight: 1.0}", "  -",
          "{file}:5: datasets.0: nothing is given, a mapping (key: value) is wanted"),
    _case("alias of nothing", "seed: 1", "seed: *one",
          "{file}:3: not readable as YAML: found undefined alias 'one'; check brackets, quotes "
          "and indentation"),
    _case("batch with a line's end", '"auto:32"', '"auto:32\\n"',
          "{file}:8: train.batch: 'auto:32\\n' is no batch size; give frames per step as a whole "
          "number above 0, or \"auto:N\" for as many frames as make at least N atoms, such as "
          'batch: "auto:32"'),
    _case("variable without quotes", _WATER, "path: ${env:HOME}/water",
          "{file}:5: not readable as YAML: put quotes around \"${env:NAME}\""),
    _case("variable that is not set", _WATER, 'path: "${env:LAMFLOW_NO_SUCH}/water"',
          "{file}:5: datasets.0.path: environment variable 'LAMFLOW_NO_SUCH' is not set; export "
          "it before the command"),
    _case("variable where none is read", "name: mini", 'name: "${env:HOME}"',
          "{file}:2: name: '${env:HOME}' can't be a name: use lower case letters, digits, '-' and "
          "'_', with a letter or digit first and last"),
    _case("variable in free text", "model: dpa1-tiny",
          'model: {preset: dpa1-tiny, fitting_net: {activation_function: "${env:HOME}"}}',
          "{file}:7: model.fitting_net.activation_function: environment variables are replaced in "
          "paths of datasets only; write the value"),
    _case("unknown task", _WATER, "path: data/water, task: denois",
          "{file}:5: datasets.0.task: 'denois' is given, it must be one of energy, denoise, "
          "property, dipole, dos, spin; did you mean 'denoise'?"),
    _case("task without its label", _WATER, "path: data/water, task: property",
          "{file}:5: datasets.0.task.label: is missing; for example label: band_gap"),
    _case("misspelt setting of a task", _WATER,
          "path: data/water, task: {kind: denoise, sigma: 0.1}",
          "{file}:5: datasets.0.task.sigma: unknown key; did you mean 'sigma_A'?"),
    _case("unknown element", _WATER, "path: data/water, type_map: [H, Oo]",
          "{file}:5: datasets.0.type_map.1: 'Oo' is no chemical symbol"),
    _case("element in lower case", _WATER, "path: data/water, type_map: [h, O]",
          "{file}:5: datasets.0.type_map.0: 'h' is no chemical symbol; did you mean 'H'?"),
    _case("element twice", "model: dpa1-tiny",
          "model: {preset: dpa1-tiny, type_map: [H, O, Ti, H]}",
          "{file}:7: model.type_map.3: 'H' is listed twice; types are numbered by this list"),
    _case("DeePMD-kit file that is not there", "steps: 20", "steps: 20, deepmd: input.json",
          "{file}:8: train.deepmd: {folder}/input.json: no such file or folder in {folder}"),
    WrongConfig(
        "several at once",
        _edit(("seed: 1", "seed: -1"), (_WATER, "pth: data/water"), ("steps: 20", "steps: 0"),
              ("name: tio2", "name: TiO2")),
        (
            "{file}:3: seed: -1 is given, it must be at least 0",
            "{file}:5: datasets.0.pth: unknown key; did you mean 'path'?",
            "{file}:6: datasets.1.name: 'TiO2' can't be a name: use lower case letters, digits, "
            "'-' and '_', with a letter or digit first and last",
            "{file}:8: train.steps: 0 is given, it must be above 0",
        ),
    ),
]  # fmt: skip
"""Seen without looking at data."""

DATA = [
    _case("missing dataset", _WATER, "path: data/watre",
          "{file}:5: datasets.0.path: {folder}/data/watre: no such file or folder; did you mean "
          "'water'?"),
    _case("missing folder above", _WATER, "path: dta/water",
          "{file}:5: datasets.0.path: {folder}/dta/water: no such file or folder; did you mean "
          "'data'?"),
    _case("missing test set", "test: data/tio2_test", "test: data/zzz",
          "{file}:6: datasets.1.test: {folder}/data/zzz: no such file or folder in {folder}/data"),
    _case("empty folder", _WATER, "path: data/empty",
          "{file}:5: datasets.0.path: {folder}/data/empty: no data that lamflow knows at or below "
          "it; name the format with `format`"),
    _case("no frames", _WATER, "path: data/zero",
          "{file}:5: datasets.0.path: {folder}/data/zero: the system has 0 frames"),
    _case("only NaN", _WATER, "path: data/nan",
          "{file}:5: datasets.0.path: {folder}/data/nan: all 3 frames have NaN or infinity in "
          "coordinates or labels"),
    _case("no labels", _WATER, "path: data/unlabelled",
          "{file}:5: datasets.0.path: {folder}/data/unlabelled: the frames have no energies; "
          "training and testing need labelled frames"),
    _case("spin head among others", "path: data/tio2, weight: 1.0, test: data/tio2_test",
          "path: data/spin, task: {kind: spin, elements: [O]}",
          "{file}:6: datasets.1.task: DeepSpin doubles the types (a virtual atom for each moment), "
          "so a spin head can't share its descriptor with other heads; give it a run of its own"),
    _case("label that is not there", _WATER, "path: data/gap, task: {kind: property, label: gaps}",
          "{file}:5: datasets.0.path: {folder}/data/gap: task property is taught by "
          "set.*/gaps.npy of deepmd/npy systems, a row of numbers for each frame, and no system "
          "has it in all sets; it has gap"),
    _case("label of another size", _WATER,
          "path: data/gap, task: {kind: property, label: gap, dimension: 3}",
          "{file}:5: datasets.0.path: {folder}/data/gap: .: gap.npy has 1 numbers for each frame, "
          "task property wants 3"),
    WrongConfig(
        "task that this family has not",
        _edit((_WATER, "path: data/unlabelled, task: denoise"), ("dpa1-tiny", "dpa4-tiny")),
        (
            "{file}:5: datasets.0.task: DPA-4 of DeePMD-kit 3.2 has energy and property heads "
            "only, not denoise; take a preset of another family",
        ),
    ),
    _case("test set of an element that is not taught", "test: data/tio2_test", "test: data/nacl",
          "{file}:6: datasets.1.test: holds Na, Cl, which no training set has: the model would not "
          "know it; leave those frames out, or train on some"),
    _case("element that there is not", _WATER, "path: data/unobtainium",
          "{file}:5: datasets.0.path: {folder}/data/unobtainium/type_map.raw: no such element: Uo"),
    _case("type_map that lacks an element", _WATER, "path: data/water, type_map: [H, C]",
          "{file}:5: datasets.0.type_map: {folder}/data/water: lacks O, which occurs in the data; "
          "add it"),
    _case("unknown format", _WATER, "path: data/water, format: extxzy",
          "{file}:5: datasets.0.format: {folder}/data/water: unknown format 'extxzy'; did you "
          "mean 'extxyz'?"),
    _case("a file of another kind", _WATER, "path: pretrain.yaml",
          "{file}:5: datasets.0.path: {folder}/pretrain.yaml: ASE cannot read it near frame 0 "
          "(UnknownFileTypeError: yaml); name its format with `format`"),
    _case("element that is not in the model", "model: dpa1-tiny",
          "model: {preset: dpa1-tiny, type_map: [H, O]}",
          "{file}:7: model.type_map: lacks Ti, which dataset 'tio2' holds; add it"),
    _case("unknown preset", "model: dpa1-tiny", "model: dpa1-tyni",
          "{file}:7: model: no preset is named 'dpa1-tyni'; did you mean 'dpa1-tiny'?"),
    _case("key that DeePMD-kit does not know", "model: dpa1-tiny",
          "model: {preset: dpa1-tiny, descriptor: {rcutt: 4.0}}",
          "{file}:7: model.descriptor.rcutt: DeePMD-kit refuses the input: "
          "model.model_dict.water.descriptor: undefined key `rcutt` is not allowed in strict "
          "mode. Did you mean: rcut?"),
    _case("DeePMD-kit input of a wrong type", "steps: 20",
          "steps: 20, deepmd: {training: {numb_steps: many}}",
          "{file}:8: train.deepmd.training.numb_steps: DeePMD-kit refuses the input: "
          "training: key `numb_steps` gets wrong value type, requires <int> but str is not an "
          "instance of int"),
    WrongConfig(
        "form and data at once",
        _edit(("seed: 1", "seed: -1"), (_WATER, "path: data/nan"), ("dpa1-tiny", "dpa1-tyni")),
        (
            "{file}:3: seed: -1 is given, it must be at least 0",
            "{file}:5: datasets.0.path: {folder}/data/nan: all 3 frames have NaN or infinity in "
            "coordinates or labels",
            "{file}:7: model: no preset is named 'dpa1-tyni'; did you mean 'dpa1-tiny'?",
        ),
    ),
]  # fmt: skip
"""Seen only when the data are opened."""

WRONG_CONFIGS = [*FORM, *DATA]
