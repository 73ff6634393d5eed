"""The kinds of config and the model of each."""

from importlib import import_module

from pydantic import BaseModel

from lamflow.config.document import suggest
from lamflow.errors import InputError

_KINDS = {
    "clean": "lamflow.config.curate:CleanConfig",
    "compress": "lamflow.config.compress:CompressConfig",
    "coverage": "lamflow.config.coverage:CoverageConfig",
    "distill": "lamflow.config.distill:DistillConfig",
    "evaluate": "lamflow.config.evaluate:EvaluateConfig",
    "finetune": "lamflow.config.finetune:FinetuneConfig",
    "learn": "lamflow.config.learn:LearnConfig",
    "pipeline": "lamflow.config.pipeline:PipelineConfig",
    "pretrain": "lamflow.config.pretrain:PretrainConfig",
    "update": "lamflow.config.update:UpdateConfig",
}
_LATER: tuple[str, ...] = ()


def names() -> list[str]:
    """Return the kinds that this version can run."""
    return sorted(_KINDS)


def model_of(kind: object) -> type[BaseModel]:
    """Return the config model of `kind`.

    Raises
    ------
    InputError
        If the kind is unknown, or is not part of this version.
    """
    if not isinstance(kind, str):
        raise InputError(f"must be text, one of {', '.join(names())}")
    if kind in _KINDS:
        module, name = _KINDS[kind].split(":")
        found: type[BaseModel] = getattr(import_module(module), name)
        return found
    if kind in _LATER:
        raise InputError(
            f"kind '{kind}' is not in this version of lamflow; it has {', '.join(names())}"
        )
    near = suggest(kind, [*names(), *_LATER])
    raise InputError(f"unknown kind '{kind}'{near or '; one of ' + ', '.join(names())}")
