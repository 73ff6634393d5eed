"""DeePMD-kit's command line with a training that a restart does not change.

``python -m lamflow.train.deepmd_main --pt train input.json [--restart CHECKPOINT]``

DeePMD-kit 3.2 (PyTorch) begins its random streams anew at a restart, so that the first frames come
again, and repeats the last step, whose number (not that of the next one) is in the checkpoint. Here
heads, frames and noise of a step follow from the seed and the step's number alone (see
`lamflow.train.draws`), and the step after the checkpoint's is the next one. Data in LMDB, systems
with weights of the user's (``sys_probs``, ``auto_prob``) and ``min_pair_dist`` keep DeePMD-kit's
own order.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from deepmd.main import main
from deepmd.pt.train import training
from deepmd.pt.utils.dataloader import DpLoaderSet, collate_batch
from deepmd.pt.utils.stat import make_stat_input

import lamflow.train.denoise  # noqa: F401  makes its loss known
from lamflow.train.draws import Batch, FrameDraws, HeadDraws, noise_seed


class _Clock:
    """Which step it is, for all that draw."""

    def __init__(self, step: int, seed: int) -> None:
        self.step = step
        self.seed = seed
        self.shown = 0  # batches that this step has looked at


class _Heads:
    """Stands in for DeePMD-kit's random module, of which its trainer uses ``choice`` only."""

    def __init__(self, draws: HeadDraws, clock: _Clock) -> None:
        self._draws = draws
        self._clock = clock

    def choice(self, heads: Any, p: Any = None) -> int:
        """Give the head that the next step trains."""
        return self._draws.head(self._clock.step + 1)


class _Frames:
    """Endless batches of a head; which one is next depends on the clock only."""

    def __init__(self, data: DpLoaderSet, which: Callable[[], Batch]) -> None:
        self._systems = data.systems
        self._which = which

    def __next__(self) -> dict[str, Any]:
        batch = self._which()
        system = self._systems[batch.system]
        with torch.device("cpu"):
            read = collate_batch([system[int(frame)] for frame in batch.frames])
        return {**read, "sid": batch.system}


class ExactTrainer(training.Trainer):  # type: ignore[misc]
    """DeePMD-kit's trainer; what a step does depends on the seed and its number only."""

    def __init__(
        self, config: dict[str, Any], training_data: Any, *rest: Any, validation_data: Any = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(config, training_data, *rest, validation_data=validation_data, **options)
        if self.restart_training:
            self.start_step += 1  # the checkpoint holds the number of its last step
            self.scheduler = self._create_lr_scheduler(
                self.optimizer, self.lr_schedule, self.start_step
            )
        section = config["training"]
        self._clock = _Clock(self.start_step - 1, int(section.get("seed") or 0))
        probabilities = self.model_prob if self.multi_task else [1.0]
        self._heads = HeadDraws(probabilities, self._clock.seed)
        training.dp_random = _Heads(self._heads, self._clock)
        for number, key in enumerate(self.model_keys):
            parts = section["data_dict"][key] if self.multi_task else section
            taught = training_data[key] if self.multi_task else training_data
            tested = validation_data[key] if self.multi_task else validation_data
            if _is_ours(taught, parts["training_data"]):
                self._replace("training_data", key, self._taught(taught, number))
                self._replace("get_sample_func", key, self._sampled(taught, config["model"], key))
            if tested is not None and _is_ours(tested, parts["validation_data"]):
                self._replace("validation_data", key, self._tested(tested, number))

    def _replace(self, name: str, key: str, value: Any) -> None:
        if self.multi_task:
            getattr(self, name)[key] = value
        else:
            setattr(self, name, value)

    def _taught(self, data: DpLoaderSet, number: int) -> _Frames:
        draws, clock = _frame_draws(data, self._clock.seed, number), self._clock

        def which() -> Batch:
            visits = self._heads.visits(number, clock.step)
            return draws.batch(visits * self.world_size + self.rank)

        return _Frames(data, which)

    def _tested(self, data: DpLoaderSet, number: int) -> _Frames:
        draws, clock = _frame_draws(data, self._clock.seed, number), self._clock

        def which() -> Batch:
            clock.shown += 1
            return draws.shown(clock.step, clock.shown)

        return _Frames(data, which)

    def _sampled(
        self, data: DpLoaderSet, model: Mapping[str, Any], key: str
    ) -> Callable[[], list[dict[str, Any]]]:
        """Frames that the elements' energies are fitted to at the end: the same each time."""
        batches = (model["model_dict"][key] if self.multi_task else model).get("data_stat_nbatch")

        @lru_cache
        def sampled() -> list[dict[str, Any]]:
            torch.manual_seed(noise_seed(self._clock.seed, 0))
            samples: list[dict[str, Any]] = make_stat_input(
                data.systems, data.dataloaders, batches or 10
            )
            return samples

        return sampled

    def _next_training_batch(
        self, task_key: str
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        self._clock.step += 1
        self._clock.shown = 0
        torch.manual_seed(noise_seed(self._clock.seed, self._clock.step))
        batch: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
        batch = super()._next_training_batch(task_key)
        return batch


def _is_ours(data: Any, section: Mapping[str, Any]) -> bool:
    weights = section.get("sys_probs") or section.get("auto_prob", "prob_sys_size")
    return (
        isinstance(data, DpLoaderSet)
        and weights == "prob_sys_size"
        and not section.get("min_pair_dist")
    )


def _frame_draws(data: DpLoaderSet, seed: int, head: int) -> FrameDraws:
    frames = [len(system) for system in data.systems]
    return FrameDraws(frames, [int(size) for size in np.array(data.batch_sizes)], seed, head)


def run() -> None:
    """Run DeePMD-kit's command line with this process's arguments."""
    training.Trainer = ExactTrainer
    main()


if __name__ == "__main__":
    run()
