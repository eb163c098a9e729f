"""Comparisons written down by hand."""

from collections.abc import Sequence
from dataclasses import replace

from primesvt.pruning import PrunableLayer, PruningPlan
from primesvt.search import Constraints, Evaluation
from primesvt.studies.reporting.comparison import Comparison, ReportedPlan, StudyResult
from primesvt.studies.reporting.history import History
from primesvt.studies.reporting.on_test_set import PairedAccuracy

BYTES = 100_000
IMAGES = 1_000
LIMITS = Constraints(max_drop=3, min_saving=0.25)
UNPRUNED = Evaluation(right=900, images=IMAGES, bytes=BYTES, memory_saving=0.0, seconds=1.0)


def plan(study: str, saving: float, drop: float, *, test_drop: float | None = None, limits: Constraints = LIMITS):  # type: ignore[no-untyped-def]
    """A plan that saves a fraction and loses points, on the test set others."""
    lost = round((drop if test_drop is None else test_drop) * IMAGES / 100)
    over = limits.values(drop=drop, saving=saving)
    return ReportedPlan(
        study=study,
        trial=7,
        plan=PruningPlan({"stem": 0.5}),
        selection=replace(
            UNPRUNED, right=round(900 - 10 * drop), bytes=round(BYTES * (1 - saving)), memory_saving=saving
        ),
        drop=drop,
        feasible=all(value <= 0 for value in over.values()),
        violation=sum(max(0.0, value) for value in over.values()),
        test=PairedAccuracy(right=900 - lost, images=IMAGES, lost=lost, gained=0),
    )


def study(sampler: str, seed: int, shown: ReportedPlan, *, trials: int = 10, fixed: bool = False) -> StudyResult:
    """A study whose last trial is the plan that is shown, after others that find nothing."""
    name = f"{sampler}-seed{seed}"
    shown = replace(shown, study=name)
    return StudyResult(
        name=name,
        sampler=sampler,
        deterministic=fixed,
        seed=seed,
        over=False,
        history=History(
            numbers=tuple(range(trials)),
            points=(*[(0.9, 0.1)] * (trials - 1), (shown.selection.memory_saving, shown.selection.accuracy)),
            whole=(True,) * trials,
            feasible=(*[False] * (trials - 1), shown.feasible),
            violations=(*[77.0] * (trials - 1), shown.violation),
            images=tuple(range(100, 100 * trials + 1, 100)),
            seconds=tuple(float(i) for i in range(1, trials + 1)),
        ),
        front=(shown,),
        best=shown if shown.feasible else None,
        nearest=None if shown.feasible else shown,
    )


def comparison(studies: Sequence[StudyResult], limits: Constraints = LIMITS) -> Comparison:
    """Of these studies."""
    return Comparison(
        family="spikformer",
        parameters=25_000,
        bytes=BYTES,
        data="digits",
        constraints=limits,
        baseline=UNPRUNED,
        test_baseline=PairedAccuracy(right=900, images=IMAGES, lost=0, gained=0),
        layers=tuple(
            PrunableLayer(name, "mlp", 8, 1, size, size / 500, ())
            for name, size in (("stem", 400), ("blocks.0.hidden", 100))
        ),
        robustness=None,
        studies=tuple(studies),
    )
