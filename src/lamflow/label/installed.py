"""Tell whether an engine is installed, and what to type if it is not."""

from importlib.metadata import PackageNotFoundError, version

from lamflow.errors import InputError, Problem


def package_version(package: str, engine: str, hint: str) -> str:
    """Return the version of a Python package.

    Parameters
    ----------
    package
        Its name in the package index.
    engine
        The labeller that needs it.
    hint
        What to do if it is missing.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise InputError(
            Problem("", f"label.{engine}", f"{package} is not installed; {hint}")
        ) from error
