"""Whether a model tells more than chance."""

import numpy as np
import pytest

from primesvt.models import Accuracy, ArrayImages, ImageSet, split
from primesvt.studies.running.first_look import FirstLook, looked_at


def images(labels: np.ndarray) -> ImageSet:
    source = ArrayImages(np.zeros((len(labels), 8, 8), np.uint8))
    return ImageSet("test", source, labels, np.arange(len(labels)), ("a", "b", "c"))


@pytest.mark.parametrize(("right", "better"), [(40, False), (49, False), (50, True), (90, True), (0, False)])
def test_the_whole_interval_must_be_above_chance(right: int, better: bool) -> None:
    """Chance is the commonest class: 40 of 100. Wilson's interval of 49 begins at 39.4 %, that of 50 at 40.4 %."""
    labels = np.repeat([0, 1, 2], [40, 35, 25])
    look = FirstLook(images(labels), Accuracy(right=right, images=100))
    assert look.chance == 0.4
    assert look.better is better
    assert look.told()["better"] is better


def test_only_the_images_of_the_set_count_for_chance() -> None:
    every = images(np.repeat([0, 1], [90, 10]))
    few = ImageSet("test", every.source, every.labels, np.arange(85, 95), every.classes)
    assert FirstLook(few, Accuracy(right=5, images=10)).chance == 0.5


def test_settings_are_not_tried_out_on_the_test_set_where_there_are_others() -> None:
    source, labels = ArrayImages(np.zeros((3000, 2, 2), np.uint8)), np.arange(3000) % 3
    data = split("a", ("a", "b", "c"), (source, labels), (source, labels))
    assert (looked_at(data).role, len(looked_at(data))) == ("selection", 1000)
    data = split("a", ("a", "b", "c"), None, (source, labels))
    assert (looked_at(data).role, len(looked_at(data))) == ("test", 1000)
