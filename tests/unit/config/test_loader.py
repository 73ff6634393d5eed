"""Reading configs: types of YAML values, places, overrides, environment variables."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel
from wrong_configs import BASE, write_data

from lamflow.config import kinds
from lamflow.config.checks import load_checked_config
from lamflow.config.fields import model_at
from lamflow.config.loader import LoadedConfig, load_config
from lamflow.config.pretrain import PretrainConfig
from lamflow.errors import InputError


def load(folder: Path, text: str = BASE, *overrides: str) -> LoadedConfig:
    path = folder / "pretrain.yaml"
    path.write_text(text)
    return load_config(path, overrides)


def config(folder: Path, text: str = BASE, *overrides: str) -> PretrainConfig:
    loaded = load(folder, text, *overrides).config
    assert isinstance(loaded, PretrainConfig)
    return loaded


def test_the_canonical_file_loads_with_absolute_paths_and_defaults(tmp_path: Path) -> None:
    got = config(tmp_path)
    assert [spec.name for spec in got.datasets] == ["water", "tio2"]
    assert got.datasets[1].test == str(tmp_path / "data" / "tio2_test")
    assert got.model.preset == "dpa1-tiny"
    assert (got.train.steps, got.train.batch, got.train.committee) == (20, "auto:32", 1)


def test_its_data_pass_the_checks(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = tmp_path / "pretrain.yaml"
    path.write_text(BASE)
    assert load_checked_config(path) == load_config(path)


def test_a_config_survives_json(tmp_path: Path) -> None:
    got = config(tmp_path, BASE + "resources: {gpu: {gpu: 1, memory: 32, node_selector: {a: b}}}\n")
    assert PretrainConfig.model_validate_json(got.model_dump_json()) == got


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 1e-3), ("1.5E+2", 150.0), (".5", 0.5), ("2", 2.0), ("0.001", 1e-3)],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, written: str, value: float) -> None:
    got = config(tmp_path, BASE.replace("steps: 20", f"steps: 20, learning_rate: {written}"))
    assert got.train.learning_rate == value


def test_off_and_no_are_text_not_truth(tmp_path: Path) -> None:
    got = config(tmp_path, BASE.replace("name: mini", "name: no") + "clean: {finite: off}\n")
    assert (got.name, got.clean.finite) == ("no", "off")


def test_anchors_may_be_used(tmp_path: Path) -> None:
    text = BASE.replace("weight: 1.0}", "weight: &w 3.0}").replace("weight: 1.0,", "weight: *w,")
    assert [spec.weight for spec in config(tmp_path, text).datasets] == [3.0, 3.0]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert config(tmp_path, "\ufeff" + BASE).name == "mini"


def test_places_name_file_and_line(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.where(("datasets", 1, "weight")) == f"{loaded.path}:6"
    assert loaded.where(("train", "not", "there")) == f"{loaded.path}:8"


def test_model_may_be_a_mapping_that_overrides_a_preset(tmp_path: Path) -> None:
    text = BASE.replace("dpa1-tiny", "{preset: dpa1-tiny, descriptor: {rcut: 4.0}}")
    assert config(tmp_path, text).model.overrides == {"descriptor": {"rcut": 4.0}}


def test_the_content_of_a_deepmd_file_becomes_part_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"learning_rate": {"start_lr": 1e-3}}')
    got = config(tmp_path, BASE.replace("steps: 20", "steps: 20, deepmd: input.json"))
    assert got.train.deepmd == {"learning_rate": {"start_lr": 1e-3}}


def test_s3_addresses_are_kept(tmp_path: Path) -> None:
    got = config(tmp_path, BASE.replace("path: data/water", "path: s3://bucket/sets/water/"))
    assert got.datasets[0].path == "s3://bucket/sets/water"


def test_environment_variables_are_replaced_in_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMFLOW_TEST_BUCKET", "mine")
    text = BASE.replace("path: data/water", 'path: "s3://${env:LAMFLOW_TEST_BUCKET}/water"')
    assert config(tmp_path, text).datasets[0].path == "s3://mine/water"


def test_an_environment_variable_can_not_smuggle_a_path_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMFLOW_TEST_PATH", "../..")
    with pytest.raises(InputError, match="leaves the folder"):
        config(tmp_path, BASE.replace("path: data/water", 'path: "${env:LAMFLOW_TEST_PATH}/x"'))


def test_the_path_of_the_file_itself_may_climb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there/x.yaml").write_text(BASE)
    monkeypatch.chdir(tmp_path / "here")
    got = load_config(Path("../there/x.yaml")).config
    assert got.datasets[0].path == str(tmp_path / "there/data/water")


def test_overrides_set_values_by_key_index_and_name(tmp_path: Path) -> None:
    got = config(
        tmp_path,
        BASE,
        "train.steps=7",
        "datasets.0.weight=2",
        "datasets.tio2.weight=0.5",
        "split.test=0.2",
        "model={preset: dpa1-tiny, descriptor: {rcut: 4.5}}",
    )
    assert (got.train.steps, got.split.test) == (7, 0.2)
    assert [spec.weight for spec in got.datasets] == [2.0, 0.5]
    assert got.model.overrides == {"descriptor": {"rcut": 4.5}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=3", "--set: train.stepz: unknown key; did you mean 'steps'?"),
        ("train.steps", "--set: 'train.steps' is not of the form key=value; for example "
         "--set train.steps=500"),
        ("train.steps=x", "--set: train.steps: the text 'x' is given, a whole number is wanted; "
         "for example steps: 2000"),
        ("datasets.zro.weight=1", "--set: datasets.zro.weight: 'datasets' has no entry 'zro'; use "
         "0 to 1 or a name (water, tio2)"),
        ("model.descriptor.rcut=4", "--set: model.descriptor.rcut: 'model' is a plain value in "
         "the file, it has no 'descriptor' to set"),
        ("name=[a", "--set: name: not readable as YAML: expected ',' or ']', but got "
         "'<stream end>'; check brackets, quotes and indentation"),
        ("kind=lern", "--set: kind: unknown kind 'lern'; did you mean 'learn'?"),
    ],
)  # fmt: skip
def test_problems_of_an_override_name_it(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        config(tmp_path, BASE, override)
    assert str(caught.value) == message


def test_a_kind_to_come_is_not_taken_for_a_typo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "_LATER", ("anneal",))
    told = f"kind 'anneal' is not in this version of lamflow; it has {', '.join(kinds.names())}"
    with pytest.raises(InputError, match=told):
        config(tmp_path, BASE, "kind=anneal")


def test_a_missing_file_names_the_one_that_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "pretrain.yaml").write_text(BASE)
    with pytest.raises(InputError, match=r"no such file or folder; did you mean 'pretrain.yaml'"):
        load_config(tmp_path / "pretrian.yaml")


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        load_config(tmp_path)


def _keys(data: object, loc: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(data, dict):
        return [k for key, value in data.items() for k in [(*loc, key), *_keys(value, (*loc, key))]]
    if isinstance(data, list):
        return [k for index, value in enumerate(data) for k in _keys(value, (*loc, index))]
    return []


KEYS = _keys(yaml.safe_load(BASE))
LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def typos(draw: st.DrawFn) -> tuple[tuple[str | int, ...], str]:
    """A key of the canonical file and the same with one letter changed, left out or put in."""
    loc = draw(st.sampled_from(KEYS))
    key = str(loc[-1])
    at = draw(st.integers(0, len(key) - 1))
    letter = draw(st.sampled_from(LETTERS))
    edits = [
        key[:at] + key[at + 1 :],
        key[:at] + letter + key[at:],
        key[:at] + letter + key[at + 1 :],
    ]
    return loc, draw(st.sampled_from(edits))


@given(typos())
def test_any_typo_of_a_key_is_reported_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, typo: tuple[tuple[str | int, ...], str]
) -> None:
    loc, wrong = typo
    parent: type[BaseModel] | None = model_at(PretrainConfig, loc[:-1])
    assert parent is not None
    assume(wrong and wrong not in parent.model_fields)
    # ~, and n alone are no text in YAML
    assume(wrong not in ("null", "true", "false"))
    lines = BASE.splitlines()
    place = load(tmp_path_factory.getbasetemp()).where(loc)
    number = int(place.rpartition(":")[2])
    key = str(loc[-1])
    start = lines[number - 1].index(f"{key}:")
    lines[number - 1] = lines[number - 1][:start] + wrong + lines[number - 1][start + len(key) :]
    with pytest.raises(InputError) as caught:
        load(tmp_path_factory.getbasetemp(), "\n".join(lines) + "\n")
    where = {(problem.where, problem.key.rpartition(".")[2]) for problem in caught.value.problems}
    assert (place, wrong) in where or (f"{place.rpartition(':')[0]}:1", "kind") in where


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("input.json", "{", r"input.json: not JSON: Expecting property name"),
        ("input.json", "[]", r"holds no mapping of DeePMD-kit keys"),
        ("input.yaml", "a: [", r"input.yaml:1: not readable as YAML"),
    ],
)
def test_an_unreadable_deepmd_file_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        config(tmp_path, BASE.replace("steps: 20", f"steps: 20, deepmd: {name}"))


@given(
    st.integers(0, len(BASE)),
    st.integers(0, 8),
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            [b"*a", b"&a ", b"!!set ", b"\t", b"[", b"? ", b"1e999", b"---\n", b"<<: "]
        ),
    ),
)
def test_whatever_is_in_the_file_the_answer_is_a_config_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, gone: int, added: bytes
) -> None:
    content = BASE.encode()
    path = tmp_path_factory.getbasetemp() / "pretrain.yaml"
    path.write_bytes(content[:at] + added + content[at + gone :])
    with suppress(InputError):
        load_config(path)
