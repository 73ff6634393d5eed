"""The YAML that ``lamflow init`` writes."""

from importlib.resources import files

from lamflow.config import kinds


def template_text(kind: str) -> str:
    """Return a short commented YAML file of a kind.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    kinds.model_of(kind)
    return (files("lamflow.config") / "templates" / f"{kind}.yaml").read_text(encoding="utf-8")
