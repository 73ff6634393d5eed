"""What a wheel holds is what the tree holds."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_is_listed() -> None:
    source = ROOT / "src"
    found = {
        ".".join(file.parent.relative_to(source).parts)
        for file in source.rglob("__init__.py")
        if "__pycache__" not in file.parts
    }
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == found | {"lamflow.ops", "lamflow.workflows"}


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {file.parent for file in (ROOT / "src/lamflow").rglob("*.py")}
    assert [f for f in folders if not (f / "__init__.py").exists()] == []


def test_demo_data_is_small_and_has_cards() -> None:
    files = [file for file in (ROOT / "workflows/data").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 3_000_000
    for folder in ("mol3bpa", "nbmotaw", "tio2", "tio2_test"):
        card = (ROOT / "workflows/data" / folder / "card.json").read_text()
        assert '"licence"' in card
        assert '"source"' in card
