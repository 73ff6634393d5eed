"""Paths in the settings of labellers."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]
"""A path that stays valid in the folders of child processes."""
