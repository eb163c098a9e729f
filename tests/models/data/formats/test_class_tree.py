"""Cutting files by class: the same rule for ever."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models.data.formats.class_tree import cut, hidden


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 1))
def test_every_class_gives_its_share(labels: list[int], share: float) -> None:
    names = tuple(Path(str(i)) for i in range(len(labels)))
    (fit, fit_labels), (test, test_labels) = cut((names, np.array(sorted(labels))), share)
    assert sorted([*fit, *test]) == sorted(names)
    assert not set(fit) & set(test)
    every = np.array(sorted(labels))
    assert [every[int(str(name))] for name in fit] == fit_labels.tolist()
    for label in set(labels):
        assert (test_labels == label).sum() == max(1, round(share * labels.count(label)))


def test_the_rule_does_not_change() -> None:
    names = tuple(Path(str(i)) for i in range(40))
    _, (test, _) = cut((names, np.arange(40) // 20), 0.1)
    assert [str(name) for name in test] == ["1", "18", "21", "38"]


def test_hidden_paths() -> None:
    assert hidden(Path("._0.png"))
    assert hidden(Path("a/.b/0.png"))
    assert hidden(Path("__MACOSX/a/0.png"))
    assert not hidden(Path("a/b.c/0.png"))
