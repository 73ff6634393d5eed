"""The most that a loop may cost, told before it is started."""

from dataclasses import dataclass

from lamflow.config.learn import LearnConfig


@dataclass(frozen=True)
class Most:
    """Upper limits; a loop that converges, or finds nothing to label, costs less.

    Attributes
    ----------
    labels
        Frames given to the labeller.
    label_hours
        Labelling time if every frame took its whole `label.walltime`, by all workers together.
    trainings, training_steps
        Trainings of members (and of the comparison from scratch), and their steps in all.
    trajectories
        Explorations.
    exploration_steps
        Steps of all explorations that have a number of steps; each asks the model for forces once.
    """

    labels: int
    label_hours: float
    trainings: int
    training_steps: int
    trajectories: int
    exploration_steps: int

    def sentence(self, engine: str) -> str:
        """Say it in words."""
        return (
            f"at most: {self.labels:,} labels by {engine} (never more than "
            f"{self.label_hours:,.1f} hours of it), {self.trainings:,} trainings of "
            f"{self.training_steps:,} steps together, {self.trajectories:,} trajectories of "
            f"{self.exploration_steps:,} steps together"
        )


def most(config: LearnConfig, frames: dict[str, int]) -> Most:
    """Add up what a loop may cost.

    Of several stages the dearest is counted in every iteration.

    Parameters
    ----------
    config
        The loop.
    frames
        Starting frames of each structure, by name.
    """
    rounds = config.budget.iterations
    labels = config.allowance(rounds)
    by_stage: dict[int, tuple[int, int]] = {}
    for spec in config.explore:
        names = spec.structures or tuple(frames)
        walks = spec.runs * sum(frames[name] for name in names)
        steps = walks * int(spec.settings.get("steps", 0))
        before = by_stage.get(spec.stage, (0, 0))
        by_stage[spec.stage] = (before[0] + walks, before[1] + steps)
    trainings = config.train.committee * (rounds + 1) + int(config.compare_scratch)
    return Most(
        labels=labels,
        label_hours=labels * 2 * config.label.walltime / 60,  # a frame is tried twice at most
        trainings=trainings,
        training_steps=trainings * config.train.steps,
        trajectories=rounds * max(walks for walks, _ in by_stage.values()),
        exploration_steps=rounds * max(steps for _, steps in by_stage.values()),
    )
