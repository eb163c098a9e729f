"""Whether a model seems to have been trained on the images on which plans are selected.

On its own training images a model, and what is left of it after pruning, looks better than it is: a plan that keeps the
limit there may miss it elsewhere. Selection and test images come from one collection, so the unpruned model's accuracy
on them differs by chance alone, unless it knows one of the two: R. A. Fisher's exact test (*Statistical Methods for
Research Workers*, 1934) of right and wrong answers.
"""

from collections.abc import Iterable

import numpy as np
import optuna
from optuna.storages import BaseStorage

from primesvt.models import Accuracy, Backend, config_of, predict

from .subject import Subject

# Of each set, before a search: enough to tell 98 % from 95 %, and less than two trials of a usual study.
LOOK = 500
# A false alarm costs a person a thought, so it may come once in a hundred models.
_CHANCE = 0.01


def seen_before(selection: Accuracy, test: Accuracy) -> str | None:
    """What there is to say of the unpruned model on both sets; None where chance explains the difference.

    Args:
        selection: On selection images.
        test: On test images.
    """
    # scipy.stats takes a second to import.
    from scipy.stats import fisher_exact

    counts = np.array([[each.right, each.images - each.right] for each in (selection, test)])
    if selection.accuracy <= test.accuracy or fisher_exact(counts).pvalue >= _CHANCE:
        return None
    return (
        f"The unpruned model tells {selection.accuracy:.2%} of {selection.images:,} selection images, but "
        f"{test.accuracy:.2%} of {test.images:,} test images, more than chance explains: if it was trained on the "
        "selection images, plans lose more elsewhere than the search sees. Select on images that it has not seen, by "
        "--selection PATH or --selection-from-test SHARE."
    )


def look_before(
    storage: BaseStorage, studies: Iterable[str], subject: Subject, backend: Backend | None = None
) -> str | None:
    """The same of a few images, before studies begin; None also where all of them have begun.

    Args:
        storage: Where the studies are, or will be.
        studies: Their names.
        subject: What they are about.
        backend: Where the model is asked; by the engine where it is None.

    Raises:
        PrimeSVTError: The images do not fit the model.
    """
    data, config = subject.data, config_of(subject.model)
    if set(studies) <= set(optuna.get_all_study_names(storage)) or not len(data.test):
        return None
    sets = (data.selection, data.test)
    for images in sets:
        images.check(config)
    backend = backend or Backend()
    selection, test = (predict(subject.model, images.first(LOOK), backend=backend).counted for images in sets)
    return seen_before(selection, test)
