"""Print the versions of all that lamflow needs, as installed here: images/constraints.txt."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

HEAD = """\
# Versions of everything in the images: what the tests of this release ran with.
# Made anew by: python images/pin.py > images/constraints.txt"""
EXTRAS = {"dft", "lammps"}  # what the images install


def requirements(name: str, extras: set[str]) -> Iterator[Requirement]:
    """Requirements of an installed distribution with these extras; none if it is not there."""
    try:
        texts = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def walk(name: str, extras: set[str], found: dict[str, set[str]]) -> None:
    """Collect `name` and all below it, with the extras that were asked for."""
    known = found.get(name)
    if known is not None and extras <= known:
        return
    found[name] = (known or set()) | extras
    for requirement in requirements(name, found[name]):
        walk(requirement.name.lower().replace("_", "-"), requirement.extras, found)


def main() -> None:
    """Print one line for each distribution."""
    found: dict[str, set[str]] = {}
    walk("lamflow", EXTRAS, found)
    print(HEAD)
    for name in sorted(set(found) - {"lamflow"}):
        try:
            print(f"{name}=={distribution(name).version.partition('+')[0]}")
        except PackageNotFoundError:
            continue  # for another platform


if __name__ == "__main__":
    main()
