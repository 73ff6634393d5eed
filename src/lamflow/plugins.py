"""Find implementations by name: lamflow's own, and those that other packages offer.

A package offers one as an entry point that names a class. The class is made with its settings,
whose type it has as `settings_type`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError

from lamflow.errors import InputError, Problem

Plugin = TypeVar("Plugin")


@dataclass(frozen=True)
class Plugins(Generic[Plugin]):
    """All implementations of one kind.

    Attributes
    ----------
    kind
        What one is called in messages, such as ``labeller``.
    group
        The entry points' group.
    key
        Where its settings stand in a config, such as ``label``.
    built_in
        Name to ``module:Class`` of lamflow's own; other packages can't replace these.
    """

    kind: str
    group: str
    key: str
    built_in: Mapping[str, str]

    def _known(self) -> dict[str, EntryPoint]:
        found = {name: EntryPoint(name, at, self.group) for name, at in self.built_in.items()}
        for point in entry_points(group=self.group):
            found.setdefault(point.name, point)
        return found

    def names(self) -> tuple[str, ...]:
        """All names, sorted; whether what they need is installed is not asked."""
        return tuple(sorted(self._known()))

    def load(self, name: str) -> type[Plugin]:
        """Return the class of this name.

        Raises
        ------
        InputError
            If there is none.
        """
        known = self._known()
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self.names())}"
            raise InputError(Problem("", self.key, f"unknown {self.kind} {name!r}; {hint}"))
        return cast(type[Plugin], known[name].load())

    def build(self, name: str, settings: Mapping[str, Any]) -> Plugin:
        """Make one with settings as they stand in a config.

        Raises
        ------
        InputError
            If there is none of this name, or for each setting that is wrong.
        """
        plugin: Any = self.load(name)
        try:
            values = plugin.settings_type.model_validate(dict(settings))
        except ValidationError as error:
            raise InputError(
                *(
                    Problem("", ".".join([self.key, name, *map(str, wrong["loc"])]), wrong["msg"])
                    for wrong in error.errors()
                )
            ) from error
        return cast(Plugin, plugin(values))
