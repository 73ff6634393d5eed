"""Each wrong config gives its exact messages, in both ways of loading, and writes nothing."""

from pathlib import Path

import pytest
from wrong_configs import DATA, FORM, WRONG_CONFIGS, WrongConfig

from lamflow.config.checks import load_checked_config
from lamflow.config.loader import load_config
from lamflow.errors import InputError


def _names(cases: list[WrongConfig]) -> list[str]:
    return [case.name.replace(" ", "-") for case in cases]


@pytest.mark.parametrize("case", WRONG_CONFIGS, ids=_names(WRONG_CONFIGS))
def test_each_problem_is_told_once_with_place_key_and_next_step(
    case: WrongConfig, tmp_path: Path
) -> None:
    path = case.write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        load_checked_config(path)
    assert str(caught.value).splitlines() == case.messages(path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", FORM, ids=_names(FORM))
def test_the_form_is_checked_without_data(case: WrongConfig, tmp_path: Path) -> None:
    content = case.content
    path = tmp_path / "pretrain.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert str(caught.value).splitlines() == case.messages(path)


def test_names_are_unique() -> None:
    assert len(set(_names(WRONG_CONFIGS))) == len(FORM) + len(DATA)
