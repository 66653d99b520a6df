"""Choosing a few items of every class."""

from __future__ import annotations

import numpy as np

from neurogen.data import classes_in_turn

LABELS = np.array([0, 0, 0, 0, 1, 2, 2])


def test_each_class_gives_its_first_items_in_turn() -> None:
    assert classes_in_turn(LABELS, 3).tolist() == [0, 4, 5]
    assert classes_in_turn(LABELS, 5).tolist() == [0, 1, 4, 5, 6]


def test_a_class_with_few_items_leaves_its_turn_to_the_others() -> None:
    assert classes_in_turn(LABELS, 6).tolist() == [0, 1, 2, 4, 5, 6]


def test_more_than_there_are_gives_all() -> None:
    assert classes_in_turn(LABELS, 100).tolist() == list(range(7))
