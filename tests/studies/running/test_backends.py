"""A search by PyTorch on a device: on the CPU in float32 with the plain forward pass's answers, nearly the engine's."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from optuna.storages import InMemoryStorage
from torch import nn

from primesvt.models import CPU, Backend, DataSet, DeviceForward, Precision, PrimeSVTError, SharedForward
from primesvt.pruning import Calibration, Pruner, PruningPlan, measure_named
from primesvt.search import Evaluation, Evaluator
from primesvt.studies.reporting.on_test_set import TestSet
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.study_run import finished_run
from primesvt.studies.running.subject import Subject

from ...pretended import pretended_cuda
from ...search.models import tiny_model, told

PLANS = [
    PruningPlan({}),
    PruningPlan({"blocks.0.output": 0.5}),
    PruningPlan({"blocks.0.output": 0.25}),
    PruningPlan({"stem.3": 0.25, "blocks.0.output": 0.5}),
    PruningPlan({"stem.3": 0.25, "blocks.0.hidden": 0.5}),
]
TORCH = Backend(engine=False)
ON_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def timeless(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, seconds=0.0)


def evaluated(model: nn.Module, data: DataSet, backend: Backend, **options: object) -> list[Evaluation]:
    evaluator = Evaluator(model, data.selection, backend=backend, **options)
    return [timeless(evaluator.evaluate(plan)) for plan in PLANS]


def test_plans_are_measured_as_by_the_plain_forward_pass(family: str, data: DataSet) -> None:
    model = tiny_model(family)
    plain = evaluated(model, data, TORCH, cache=0)
    assert all(evaluated(model, data, TORCH, cache=cache) == plain for cache in (100_000, 2**30))
    # The engine adds up in another order, which may flip a spike.
    for one, other in zip(plain, evaluated(model, data, Backend()), strict=True):
        assert one.bytes == other.bytes
        assert one.accuracy == pytest.approx(other.accuracy, abs=0.02)


def test_what_plans_share_is_computed_once(data: DataSet) -> None:
    """Seen by the images that are read: the second plan begins where the first left its path."""
    model, calls = tiny_model(), list[int]()
    evaluator = Evaluator(model, data.selection, backend=TORCH)
    assert isinstance(evaluator.forwards, DeviceForward)
    evaluator.baseline()
    module = model.get_submodule("stem.1.conv")
    module.register_forward_hook(lambda *_: calls.append(1))
    evaluator.evaluate(PLANS[1])
    assert not calls
    assert evaluator.forwards._cache.bytes > 0


def test_work_is_counted_as_by_the_engine(data: DataSet) -> None:
    model, synops = tiny_model("spikformer"), (measure_named("synops"),)
    expected = evaluated(model, data, Backend(), measures=synops)
    for cache in (0, 2**30):
        found = evaluated(model, data, TORCH, measures=synops, cache=cache)
        assert [e.measures for e in found] == [pytest.approx(e.measures, rel=0.01) for e in expected]


def test_a_repaired_plan_is_the_same(data: DataSet) -> None:
    """Repair is PyTorch's anyway; the engine only asks what it gained."""
    plan = PruningPlan({"blocks.0.hidden": 0.5}, repair=("norm", "least-squares"))
    calibration = Calibration(data.calibration, 32)
    ours, theirs = (
        Evaluator(tiny_model(), data.selection, calibration=calibration, backend=backend)
        for backend in (Backend(), TORCH)
    )
    assert ours.key(plan) != theirs.key(plan), "what one measured is not taken for the other's"
    pairs = zip(
        ours.pruner.prune(plan).state_dict().values(), theirs.pruner.prune(plan).state_dict().values(), strict=True
    )
    assert all(torch.equal(one, other) for one, other in pairs)
    assert ours.evaluate(plan).accuracy == pytest.approx(theirs.evaluate(plan).accuracy, abs=0.02)


def trials_of(sampler: str, cache: int) -> list[tuple[object, ...]]:
    model, data = told()
    limits = StudySettings(sampler=sampler, images=192, layers=("stem.3", "blocks.0.*"))
    options = RunOptions(trials=6, device="cpu", cache=cache)
    run = run_study("one", InMemoryStorage(), Subject(model, data), limits, options)
    return [(t.params, t.values, t.user_attrs["images"], t.user_attrs["divergence"]) for t in run.finished]


@pytest.mark.parametrize("sampler", ["prioritized", "sensitivity"])
def test_a_search_has_the_trials_of_the_plain_forward_pass(sampler: str) -> None:
    """With early rejection, whose decisions depend on every single answer."""
    assert trials_of(sampler, 2**30) == trials_of(sampler, 0)


def test_a_study_of_the_engine_is_not_pytorchs() -> None:
    model, data = told()
    storage, settings = InMemoryStorage(), StudySettings(images=128)
    run_study("one", storage, Subject(model, data), settings, RunOptions(trials=1))
    with pytest.raises(PrimeSVTError, match=r"another device \('cpu', now 'torch'\)"):
        run_study("one", storage, Subject(model, data), settings, RunOptions(trials=2, device="cpu"))


def test_a_worker_in_another_precision_is_refused() -> None:
    model, data = told()
    storage, settings = InMemoryStorage(), StudySettings(images=64)
    run_study("one", storage, Subject(model, data), settings, RunOptions(trials=1))
    narrow = replace(settings, precision="bfloat16")
    with pytest.raises(PrimeSVTError, match=r"'one' was started with another precision \('float32', now 'bfloat16'\)"):
        run_study("one", storage, Subject(model, data), narrow, RunOptions(trials=2))


def test_what_is_measured_again_is_measured_the_same_way(data: DataSet) -> None:
    """On the test set, repaired there, too; and a comparison takes no study that was run in another precision."""
    model, calibration = tiny_model(), Calibration(data.calibration, 16)
    plan = PruningPlan({"blocks.0.hidden": 0.5}, repair=("norm",))
    found, expected = (
        TestSet.open(model, data.test, calibration=calibration, backend=backend) for backend in (TORCH, None)
    )
    assert found.unpruned.reason == "it is asked on cpu in float32"
    one, other = found.measure(plan), expected.measure(plan)
    assert one.accuracy == pytest.approx(other.accuracy, abs=0.02)
    storage, subject = InMemoryStorage(), Subject(model, data)
    run_study("one", storage, subject, StudySettings(), RunOptions(trials=1))
    assert len(finished_run("one", storage, subject).finished) == 1
    with pytest.raises(PrimeSVTError, match=r"another device \('cpu', now 'torch'\)"):
        finished_run("one", storage, subject, TORCH)
    with pytest.raises(PrimeSVTError, match=r"another precision \('float32', now 'bfloat16'\)"):
        finished_run("one", storage, subject, Backend(precision="bfloat16"))


def test_a_study_of_an_earlier_version_goes_on() -> None:
    """It says neither device nor precision: it was run by the engine."""
    model, data = told()
    storage, settings = InMemoryStorage(), StudySettings(images=64)
    study = run_study("one", storage, Subject(model, data), settings, RunOptions(trials=1)).study
    stored = study.user_attrs["settings"]
    study.set_user_attr("settings", {k: v for k, v in stored.items() if k not in ("device", "precision")})
    narrow = replace(settings, precision="bfloat16")
    with pytest.raises(PrimeSVTError, match=r"another precision \('float32', now 'bfloat16'\)"):
        run_study("one", storage, Subject(model, data), narrow, RunOptions(trials=2))
    assert len(run_study("one", storage, Subject(model, data), settings, RunOptions(trials=2)).finished) == 2


def test_bfloat16_is_another_evaluation(data: DataSet) -> None:
    """In one storage, nothing that was measured in one precision is taken for the other."""
    model = tiny_model()
    exact, narrow = (Evaluator(model, data.selection, backend=Backend(precision=p)) for p in ("float32", "bfloat16"))
    assert isinstance(exact.forwards, SharedForward)
    assert exact.key(PLANS[1]) != narrow.key(PLANS[1])
    assert exact.key(PLANS[1]) == exact.pruner.key(PLANS[1], data.selection.fingerprint), "as it always was"


@pytest.mark.parametrize("cache", [0, 2**30])
def test_bfloat16_on_the_cpu_nearly_agrees(cache: int) -> None:
    model, data = told()
    evaluator = Evaluator(model, data.selection.first(80), backend=Backend(precision="bfloat16"), cache=cache)
    found = [evaluator.evaluate(plan) for plan in PLANS[:3]]
    expected = evaluated(model, replace(data, selection=data.selection.first(80)), Backend())
    assert found[0].accuracy == pytest.approx(expected[0].accuracy, abs=0.2)
    # Plans that share the beginning are told what they are told alone.
    alone = Evaluator(model, data.selection.first(80), backend=Backend(precision="bfloat16"), cache=0)
    assert timeless(found[2]) == timeless(alone.evaluate(PLANS[2]))


@pytest.fixture
def pretended() -> Iterator[torch.device]:
    """A CUDA device of tests/pretended.py: real numbers, computed on the CPU."""
    if torch.version.cuda is None:
        pytest.skip("this PyTorch knows no CUDA")
    with pretended_cuda() as device:
        yield device


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_plans_are_measured_on_a_device(pretended: torch.device, precision: Precision) -> None:
    """All that is on it stays on it, what is shared too, and the answers come back."""
    model, data = told()
    images, backend = data.selection.first(70), Backend(pretended, precision)
    shared, apart = (Evaluator(model, images, backend=backend, cache=cache) for cache in (2**30, 0))
    found = [timeless(shared.evaluate(plan)) for plan in PLANS[:4:3]]
    assert found == [timeless(apart.evaluate(plan)) for plan in PLANS[:4:3]]
    kept = [one.rows for one in shared.forwards._cache._kept.values()]
    assert {rows.device for rows in kept} == {pretended}
    assert shared.forwards._cache.bytes == sum(rows.nbytes for rows in kept)
    engine = Evaluator(model, images)
    for one, plan in zip(found, PLANS[:4:3], strict=True):
        assert one.accuracy == pytest.approx(
            engine.evaluate(plan).accuracy, abs=0.05 if precision == "float32" else 0.3
        )


def test_plans_are_repaired_on_a_device(data: DataSet) -> None:
    """The device is told from the CPU, so whatever is forgotten on one of them is an error."""
    model, calibration = tiny_model(), Calibration(data.calibration, 64)
    plan = PruningPlan({"blocks.0.hidden": 0.5, "stem.3": 0.25}, repair=("norm", "mean", "least-squares"))
    expected = Pruner(model, calibration).version(plan)
    with pretended_cuda() as device:
        found = Pruner(model, calibration, Backend(device)).version(plan)
    assert next(found.model.parameters()).device == CPU
    for ours, theirs in zip(found.repair, expected.repair, strict=True):
        assert (ours.step, ours.layers, ours.left_out is None) == (theirs.step, theirs.layers, theirs.left_out is None)
        assert ours.error_after == pytest.approx(theirs.error_after, rel=0.05, abs=1e-4)


@ON_CUDA
@pytest.mark.parametrize("cache", [0, 2**30])
def test_a_search_on_cuda_nearly_agrees(cache: int) -> None:
    """Sums are added up in another order there, which may flip the spikes of an image."""
    model, data = told()
    cuda, engine = (
        Evaluator(model, data.selection, cache=cache, backend=backend) for backend in (Backend.named("cuda"), Backend())
    )
    for plan in PLANS:
        found, expected = cuda.evaluate(plan), engine.evaluate(plan)
        assert found.bytes == expected.bytes
        assert found.accuracy == pytest.approx(expected.accuracy, abs=0.02)


@ON_CUDA
def test_repair_on_cuda_nearly_agrees(data: DataSet) -> None:
    plan = PruningPlan({"blocks.0.hidden": 0.5}, repair=("norm", "least-squares"))
    calibration = Calibration(data.calibration, 64)
    found, expected = (
        Evaluator(tiny_model(), data.selection, calibration=calibration, backend=backend).pruner.version(plan)
        for backend in (Backend.named("cuda"), Backend())
    )
    assert next(found.model.parameters()).device == CPU
    for ours, theirs in zip(found.repair, expected.repair, strict=True):
        assert ours.error_after == pytest.approx(theirs.error_after, rel=0.1, abs=1e-3)
