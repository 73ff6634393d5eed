"""What is installed and reachable: the facts behind `lamflow doctor`."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PINNED = {"pydflow": "1.8.134", "deepmd-kit": "3.2.0", "torch": "2.11"}
_ENGINES = {
    "gpaw": "pip install 'lamflow[dft]'",
    "pyscf": "pip install pyscf",
    "tblite": "pip install tblite",
}
_PROGRAMS = {
    "pw.x": "Quantum ESPRESSO: apt-get install quantum-espresso",
    "cp2k": "CP2K: apt-get install cp2k",
    "lmp": "LAMMPS: pip install 'deepmd-kit[lmp]'",
    "podman": "containers: apt-get install podman",
    "kubectl": "Kubernetes: see docs/operations.md",
}


@dataclass(frozen=True)
class Check:
    """One fact: its name, whether it is as wished, whether lamflow needs it, and the details."""

    name: str
    ok: bool
    needed: bool
    what: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def examine() -> list[Check]:
    """Look at Python, packages, GPU, DeePMD-kit's ops, DFT engines, S3 and Argo."""
    return [*_python(), *_packages(), _torch(), _operators(), *_engines(), *_cloud()]


def _python() -> Iterator[Check]:
    wanted = sys.version_info >= (3, 11)
    yield Check("python", wanted, True, f"{platform.python_version()} (3.11 or newer)")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Check("disk", free > 2, True, f"{free:.0f} GiB free here")


def _packages() -> Iterator[Check]:
    for name, pin in _PINNED.items():
        try:
            have = version(name)
        except PackageNotFoundError:
            yield Check(name, False, True, f"not installed: pip install '{name}=={pin}'")
        else:
            yield Check(name, have.startswith(pin), True, f"{have} (pinned: {pin})")


def _guarded(name: str, needed: bool, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, needed, look())
    except Exception as error:  # a broken installation may raise anything at import
        return Check(name, False, needed, f"{type(error).__name__}: {error}".partition("\n")[0])


def _torch() -> Check:
    def look() -> str:
        import torch

        if not torch.cuda.is_available():
            return f"none seen; training uses {len(os.sched_getaffinity(0))} CPU cores"
        return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))

    return _guarded("gpu", False, look)


def _operators() -> Check:
    def look() -> str:
        from deepmd.pt.cxx_op import ENABLE_CUSTOMIZED_OP

        if not ENABLE_CUSTOMIZED_OP:
            raise RuntimeError("DeePMD-kit's compiled operators do not load: reinstall deepmd-kit")
        return "compiled operators load"

    return _guarded("deepmd ops", True, look)


def _engines() -> Iterator[Check]:
    for module, hint in _ENGINES.items():
        found = find_spec(module) is not None
        yield Check(module, found, False, version(module) if found else f"not installed: {hint}")
    for program, hint in _PROGRAMS.items():
        path = shutil.which(program)
        yield Check(program, path is not None, False, path or f"not found; {hint}")


def _cloud() -> Iterator[Check]:
    for name, variables in {
        "s3": ("LAMFLOW_S3_ENDPOINT", "AWS_ACCESS_KEY_ID"),
        "argo": ("LAMFLOW_ARGO_SERVER",),
    }.items():
        there = [variable for variable in variables if os.environ.get(variable)]
        what = f"set: {', '.join(there)}" if there else f"not set up ({' or '.join(variables)})"
        yield Check(name, bool(there), False, what)
