"""What reports show of a configuration does not tell where the files lie."""

from pathlib import Path

from lamflow.config.base import StrictModel
from lamflow.config.portable import portable


class Place(StrictModel):
    path: str
    test: str | None = None


class Config(StrictModel):
    data: tuple[Place, ...]
    note: str = "/not/there"
    run: int = 7


def config(folder: Path) -> Config:
    for name in ("a", "b/c"):
        (folder / name).mkdir(parents=True)
    remote = Place(path="s3://bucket/a", test=f"{folder}/b/c")
    return Config(data=(Place(path=f"{folder}/a"), remote))


def test_paths_count_from_the_folder_that_holds_them_all(tmp_path: Path) -> None:
    shown = portable(config(tmp_path / "here"))
    assert shown == portable(config(tmp_path / "elsewhere/deep"))
    assert shown["data"] == [{"path": "a"}, {"path": "s3://bucket/a", "test": "b/c"}]
    assert shown["note"] == "/not/there"
    assert "run" not in shown


def test_a_single_path_is_its_name(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    one = Config(data=(Place(path=f"{tmp_path}/set"),))
    assert portable(one)["data"] == [{"path": "set"}]
