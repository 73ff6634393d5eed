"""`kind: update`: what is wrong in it is told before anything runs."""

from pathlib import Path

import pytest

from lamflow.config.loader import load_config
from lamflow.config.update import UpdateConfig
from lamflow.errors import InputError

BASE = """\
kind: update
name: nightly
registry: registry
model: openlam/tiny
train: {steps: 20}
"""


def load(folder: Path, *changes: str) -> UpdateConfig:
    (folder / "update.yaml").write_text(BASE)
    config = load_config(folder / "update.yaml", changes).config
    assert isinstance(config, UpdateConfig)
    return config


def test_five_lines_are_enough(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.registry == str(tmp_path / "registry")
    assert (config.heads.replay, config.gate.tolerance, config.max_datasets) == (0.5, 0.05, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model=Open/Tiny", "model: .*can't be a name"),
        ("model=a/b/c", "a/b/c has more than 2 parts"),
        ("registry=../elsewhere", "registry: .*leaves the folder of the config file"),
        ("registry=gs://bucket/x", "registry: .*neither a path nor s3"),
        ("heads.replay=1", "heads.replay"),
        ("heads.start=worst", "heads.start"),
        ("gate.tolerance=-0.1", "gate.tolerance"),
        ("split.test=0", "split.test is 0, and the gate needs frames"),
        ("train.committee=2", "an update trains one model"),
        ("max_datasets=0", "max_datasets"),
        ("max_datasets=50", "max_datasets"),
        ("lease=0", "lease"),
        ("coverage.confidense=0.9", "did you mean 'confidence'"),
        ("accept.licence=[MIT]", "did you mean 'licences'"),
        ("first={presett: x}", "did you mean 'preset'"),
    ],
)
def test_wrong_configs(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, change)
    assert [file.name for file in tmp_path.iterdir()] == ["update.yaml"]
