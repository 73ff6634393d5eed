import pytest

from lamflow.config.learn_steps import Converged
from lamflow.learn.state import Iteration, LoopState, meets


def iteration(number: int, accurate: int, failed: int = 0, rmse: float | None = 50.0) -> Iteration:
    return Iteration(
        iteration=number, asked=10,
        selection={"accurate": accurate, "candidate": 100 - accurate - failed, "failed": failed},
        errors={"force_rmse_meV_per_A": rmse},
    )  # fmt: skip


def run(goal: Converged, *iterations: Iteration) -> LoopState:
    state = LoopState()
    for one in iterations:
        state = state.after(one, goal, no_labels_left=False)
    return state


def test_converges_after_enough_good_iterations_in_a_row() -> None:
    goal = Converged(accurate=0.9, iterations=2)
    state = run(goal, iteration(0, 0), iteration(1, 95), iteration(2, 50), iteration(3, 95))
    assert (state.stop, state.streak, state.spent) == ("", 1, 40)
    after = state.after(iteration(4, 90), goal, no_labels_left=False)
    assert after.stop.startswith("converged")
    assert after.last.iteration == 4


def test_an_error_that_is_too_large_is_not_converged() -> None:
    goal = Converged(accurate=0.9, force_rmse=40, iterations=1)
    assert not meets(iteration(1, 95), goal)
    assert meets(iteration(1, 95, rmse=39.0), goal)
    assert not meets(iteration(1, 95, rmse=None), goal)


def test_the_start_and_an_empty_exploration_are_never_converged() -> None:
    goal = Converged(accurate=0.0, iterations=1)
    assert not meets(iteration(0, 100), goal)
    assert Iteration(iteration=1).accurate == 0.0


def test_says_that_labels_are_spent() -> None:
    state = LoopState().after(iteration(1, 10), Converged(), no_labels_left=True)
    assert state.stop == "the budget of labels is spent"


def test_state_is_plain_json() -> None:
    state = run(Converged(), iteration(0, 0), iteration(1, 95))
    assert LoopState.model_validate_json(state.model_dump_json()) == state


@pytest.mark.parametrize(("accurate", "failed"), [(30, 20), (0, 100)])
def test_accurate_fraction_is_of_all_frames(accurate: int, failed: int) -> None:
    assert iteration(1, accurate, failed).accurate == accurate / 100


def test_a_stage_that_has_converged_gives_way_to_the_next() -> None:
    goal = Converged(accurate=0.9, iterations=2)
    state = LoopState()
    told = []
    for number, accurate in enumerate((95, 95, 50, 95, 95), start=1):
        state = state.after(iteration(number, accurate), goal, no_labels_left=False, stages=2)
        told.append((state.stage, state.streak, bool(state.stop)))
    assert told == [(1, 1, False), (2, 0, False), (2, 0, False), (2, 1, False), (2, 2, True)]
