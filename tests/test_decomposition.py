"""Kitagawa's decomposition: the two effects and their sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salestrack.stats.decomposition import kitagawa

cells = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 10_000), st.integers(0, 50), st.integers(1, 10_000)),
    min_size=1,
    max_size=6,
)


@given(cells)
def test_the_effects_add_up_to_the_change_and_swap_sign_with_the_times(rows: list[tuple[int, ...]]) -> None:
    n, mean, n0, mean0 = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    mix, within = kitagawa(n, n * mean, n0, n0 * mean0)
    if not n.sum() or not n0.sum():
        assert math.isnan(mix + within)
        return
    change = (n * mean).sum() / n.sum() - (n0 * mean0).sum() / n0.sum()
    assert mix + within == pytest.approx(change, abs=1e-6)
    assert kitagawa(n0, n0 * mean0, n, n * mean) == pytest.approx((-mix, -within), abs=1e-6)


def test_the_same_mix_has_no_mix_effect() -> None:
    assert kitagawa([2, 2], [20.0, 60.0], [4, 4], [20.0, 80.0]) == pytest.approx((0.0, 7.5))


def test_a_segment_of_one_time_only_belongs_to_the_mix() -> None:
    assert kitagawa([1, 1], [10.0, 90.0], [1, 0], [10.0, 0.0]) == pytest.approx((40.0, 0.0))
