"""Whether a contributed dataset can be used: checksum, licence, format, labels; then its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.data.card import CARD, dataset_sha256, inherit_card, read_card, write_card
from lamflow.data.checks.settings import CheckSettings
from lamflow.data.curate import Curation, curate_dataset
from lamflow.data.dataset import Dataset
from lamflow.data.split import split_dataset
from lamflow.errors import InputError, Problem, TransientError, UnreachableError
from lamflow.files import write_text
from lamflow.progress import Progress, silent
from lamflow.registry.inbox import fetch, find
from lamflow.store.protocol import CorruptError, Store
from lamflow.update.plan import Wanted

CLEANED = "cleaned"
"""Folder beside the parts that has the cleaned dataset's card."""
_NOTHING = "nothing.txt"
_NOT_THE_DATA = (TransientError, UnreachableError, OSError, MemoryError)


class Verdict(StrictModel):
    """What was found out about one dataset."""

    name: str | None = None
    """Name in the inbox; null: there was none for this slot."""
    sha256: str = ""
    """Hash over its files."""
    good: bool = False
    """Whether it may be trained on."""
    reason: str = ""
    """Why not, in words."""
    frames_in: int = 0
    """Frames that could be read."""
    frames_good: int = 0
    """Frames that are kept or repaired."""
    by_code: dict[str, int] = Field(default={})
    """Frames per fault code."""
    faults: tuple[str, ...] = ()
    """What is wrong with whole systems."""
    elements: tuple[str, ...] = ()
    """Elements."""
    labels: tuple[str, ...] = ()
    """Kinds of label."""
    dft: str = ""
    """Method of the labels."""
    licence: str = ""
    """Licence of the data."""


@dataclass(frozen=True)
class Rules:
    """What is asked of a dataset.

    Attributes
    ----------
    licences
        Licences that are accepted; empty: any, but there must be one.
    largest_loss
        Largest fraction of its frames that cleaning may set aside.
    checks
        Decisions of the cleaning.
    fractions
        Fraction of the good frames for each part.
    seed
        Of cleaning and splitting.
    """

    licences: Sequence[str]
    largest_loss: float
    checks: CheckSettings
    fractions: Mapping[str, float]
    seed: int


def vet(
    store: Store,
    wanted: Wanted,
    rules: Rules,
    parts: Path,
    quarantine: Path,
    scratch: Path,
    progress: Progress = silent,
) -> Verdict:
    """Fetch a dataset from the inbox, check and clean it, and divide what is left.

    Whatever is wrong with the data becomes a verdict; only what is wrong with the machine or the
    store is raised.

    Parameters
    ----------
    store, wanted, rules
        Where, which, and what is asked of it.
    parts
        Gets ``train/``, ``validation/``, ``test/``, and the card of the cleaned dataset.
    quarantine
        Gets what cleaning set aside (see `lamflow.data.curate`).
    scratch
        For the files as they were sent.
    """
    found = Verdict(name=wanted.name, sha256=wanted.sha256)
    try:
        raw = fetch_raw(store, wanted, scratch, progress)
        found = _described(raw, found, rules)
        found = _cleaned(raw, found, rules, parts, quarantine, scratch, progress)
    except _NOT_THE_DATA:
        raise
    except (InputError, CorruptError) as error:
        reason = "; ".join(str(error).replace(f"{scratch}/", "").splitlines())
    except Exception as error:  # strangers' data may break a reader in ways nobody has seen
        reason = f"{type(error).__name__} while it was read: {error}"
    else:
        return found
    for folder in (parts, quarantine):
        if not folder.exists():
            leave_empty(folder, "nothing came of this dataset")
    return found.model_copy(update={"good": False, "reason": reason})


def leave_empty(folder: Path, why: str) -> None:
    """Make a folder that says why it has nothing else: an object store knows no empty ones."""
    write_text(folder / _NOTHING, f"{why}\n")


def fetch_raw(store: Store, wanted: Wanted, scratch: Path, progress: Progress = silent) -> Path:
    """Fetch the files of a dataset as they were sent; what was fetched before is used.

    Raises
    ------
    CorruptError
        A file is not what the manifest says, or they are other files than those wanted.
    """
    raw = scratch / wanted.sha256[:12] / wanted.name
    if raw.exists():
        return raw
    item = find(store, wanted.name)
    if item.manifest is None or item.manifest.sha256 != wanted.sha256:
        raise CorruptError(f"{wanted.name}: the files in the inbox were changed meanwhile")
    raw.parent.mkdir(parents=True, exist_ok=True)
    return fetch(store, item, raw, progress)


def _described(raw: Path, found: Verdict, rules: Rules) -> Verdict:
    """Check licence and format."""
    licence = dft = ""
    if (raw / CARD).is_file():
        card = read_card(raw)
        licence, dft = card.licence, card.dft
        if card.sha256 != dataset_sha256(raw):
            raise InputError(Problem(CARD, "sha256", "is the card of other data (sha256 differs)"))
    if not licence:
        raise InputError(Problem(CARD, "licence", "no licence is given"))
    if rules.licences and licence not in rules.licences:
        accepted = ", ".join(rules.licences)
        raise InputError(
            Problem(CARD, "licence", f"{licence} is not among those taken: {accepted}")
        )
    dataset = Dataset.open(raw, tolerant=True)
    if "energy" not in dataset.labels:
        raise InputError(Problem(found.name or "", "", "the frames have no energies"))
    return found.model_copy(
        update={"licence": licence, "dft": dft, "elements": dataset.elements,
                "labels": dataset.labels}
    )  # fmt: skip


def _cleaned(
    raw: Path,
    found: Verdict,
    rules: Rules,
    parts: Path,
    quarantine: Path,
    scratch: Path,
    progress: Progress,
) -> Verdict:
    clean = scratch / "clean"
    name = str(found.name)
    done = curate_dataset(
        raw, clean, quarantine, rules.checks, rules.seed, name=name, progress=progress
    )
    found = found.model_copy(update=_counts(done))
    lost = done.quarantined / max(done.frames_in, 1)
    if lost > rules.largest_loss:
        what = (
            f"{done.quarantined} of {done.frames_in} frames are faulty "
            f"({_sentence(found)}), and more than {rules.largest_loss:.0%} are not taken"
        )
        raise InputError(Problem(name, "", what))
    card = inherit_card(clean, raw)
    split_dataset(clean, parts, rules.fractions, rules.seed, progress=progress)
    (parts / CLEANED).mkdir()
    write_card(parts / CLEANED, card)
    return found.model_copy(update={"good": True})


def _counts(done: Curation) -> dict[str, object]:
    faults = tuple(f"{fault.system or 'all'}: {fault.what}" for fault in done.faults)
    unreadable = tuple(f"{system}: {what}" for system, what in done.unreadable.items())
    return {
        "frames_in": done.frames_in,
        "frames_good": done.kept + done.repaired,
        "by_code": done.by_code,
        "faults": (*faults, *unreadable),
    }


def _sentence(found: Verdict) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(found.by_code.items()))
