"""A configuration as reports show it: the same wherever the files lie."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lamflow.files import sha256_json

_NO_RESULT_DEPENDS_ON = {"run", "resources"}


def portable(config: BaseModel) -> dict[str, Any]:
    """Return the configuration with all defaults, as plain data.

    Limits and resources are left out, and local paths count from the folder that holds them all: a
    step's key is made of its parameters, and a checkout elsewhere must give the same keys.
    """
    return _relative(
        config.model_dump(mode="json", exclude=_NO_RESULT_DEPENDS_ON, exclude_none=True)
    )


def config_sha256(config: Mapping[str, Any]) -> str:
    """Return the hash of a configuration, given as in ``config.json``, wherever its files lie."""
    decisive = {key: value for key, value in config.items() if key not in _NO_RESULT_DEPENDS_ON}
    return sha256_json(_relative(decisive))


def _relative(plain: dict[str, Any]) -> dict[str, Any]:
    folders = [Path(text).parent for text in _texts(plain) if _is_local(text)]
    if not folders:
        return plain
    folder = Path(os.path.commonpath(folders))
    shown: dict[str, Any] = _changed(plain, lambda text: _below(text, folder))
    return shown


def _is_local(text: str) -> bool:
    """Whether a text is one of the paths that the loader has made absolute."""
    return text.startswith("/") and "\n" not in text and os.path.exists(text)  # noqa: PTH110


def _below(text: str, folder: Path) -> str:
    return Path(text).relative_to(folder).as_posix() if _is_local(text) else text


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _changed(node: Any, change: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, dict):
        return {key: _changed(value, change) for key, value in node.items()}
    if isinstance(node, list):
        return [_changed(value, change) for value in node]
    return node
