import numpy as np
import pytest

from lamflow.train.draws import FrameDraws, HeadDraws, noise_seed


def test_heads_are_drawn_in_proportion():
    draws = HeadDraws([0.7, 0.2, 0.1], seed=3)
    counts = np.bincount([draws.head(step) for step in range(20_000)], minlength=3)
    assert counts / 20_000 == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_visits_count_the_steps_before():
    draws = HeadDraws([0.5, 0.5], seed=3)
    drawn = [draws.head(step) for step in range(9000)]
    for step in (0, 1, 4095, 4096, 8999):
        assert HeadDraws([0.5, 0.5], seed=3).visits(1, step) == sum(drawn[:step])


def test_an_epoch_has_every_frame_once():
    draws = FrameDraws([7, 3], [2, 2], seed=1, head=0)
    assert draws.epoch == 6
    for epoch in range(3):
        batches = [draws.batch(epoch * draws.epoch + i) for i in range(draws.epoch)]
        seen = sorted((batch.system, int(frame)) for batch in batches for frame in batch.frames)
        assert seen == [(0, i) for i in range(7)] + [(1, i) for i in range(3)]


def test_order_depends_on_seed_head_and_epoch_only():
    def order(seed, head, epoch):
        draws = FrameDraws([50], [1], seed, head)
        return [int(draws.batch(epoch * 50 + i).frames[0]) for i in range(50)]

    assert order(1, 0, 0) == order(1, 0, 0)
    others = [order(2, 0, 0), order(1, 1, 0), order(1, 0, 1)]
    assert all(other != order(1, 0, 0) for other in others)


def test_a_batch_can_be_had_without_those_before():
    later = FrameDraws([50], [3], seed=1, head=0).batch(40)
    draws = FrameDraws([50], [3], seed=1, head=0)
    for number in range(40):
        draws.batch(number)
    np.testing.assert_array_equal(draws.batch(40).frames, later.frames)


def test_steps_have_noise_of_their_own():
    assert len({noise_seed(seed, step) for seed in range(5) for step in range(5)}) == 25
