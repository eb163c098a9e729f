"""Running an exported file, and comparing its answers with the model's.

Float32 has rounding, and a runtime may fuse what the model does in two steps. A membrane potential within rounding of
its threshold then flips one spike, which moves the logits of that image visibly. So a comparison reports two numbers:
on how many images both tell the same class, and how far any logit is off at most.
"""

import importlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numba
import torch
from torch import nn

from primesvt.models import ImageSet, PrimeSVTError, config_of, evaluation_mode, import_checkpoint, unsaid_of
from primesvt.models.export import INPUT, OUTPUT, require, silenced
from primesvt.models.prediction import BATCH_SIZE

# Below this fraction of equal classes the file does not hold the model.
MIN_AGREEMENT = 0.99
REPETITIONS = 30

Answer = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Runner:
    """An exported file that answers.

    Args:
        answer: Logits ``[N, classes]`` of normalised images ``[N, C, H, W]``, both float32 on the CPU.
        batch: The only N that the file takes; None where it takes any.
    """

    answer: Answer
    batch: int | None

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of any number of images; a file of a fixed batch gets them in parts, filled up."""
        if self.batch is None:
            return self.answer(images)
        parts = []
        for part in images.split(self.batch):
            filled = torch.cat([part, part[-1:].expand(self.batch - len(part), -1, -1, -1)])
            parts.append(self.answer(filled)[: len(part)])
        return torch.cat(parts)


def run_onnx(file: str | Path, _model: nn.Module | None = None, *, threads: int | None = None) -> Runner:
    """Open an ONNX file in onnxruntime on the CPU, with as many threads as PyTorch has where none are said.

    Raises:
        PrimeSVTError: onnxruntime is missing, or refuses the file.
    """
    require("onnxruntime")
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    # Threads that wait in a loop would take the cores from whatever else is measured in this process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no other base class
        raise PrimeSVTError(f"onnxruntime cannot run {file}: {str(error).splitlines()[0]}") from error

    def answer(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])

    size = session.get_inputs()[0].shape[0]
    return Runner(answer, size if isinstance(size, int) else None)


def run_pt2(file: str | Path, _model: nn.Module | None = None) -> Runner:
    """Open a ``.pt2`` file of :func:`torch.export.save`.

    Raises:
        PrimeSVTError: PyTorch cannot read the file.
    """
    try:
        with silenced():
            program = torch.export.load(str(file))
    except Exception as error:  # a damaged archive raises whatever its part that is read first raises
        raise PrimeSVTError(f"PyTorch cannot read {file}: {str(error).strip().splitlines()[0]}") from error
    size = next(node for node in program.graph.nodes if node.name == INPUT).meta["val"].shape[0]
    return Runner(program.module(), size if isinstance(size, int) else None)


def run_state_dict(file: str | Path, model: nn.Module) -> Runner:
    """Read an official state dict back; what weights do not say is as in the model.

    Raises:
        PrimeSVTError: The file cannot be read, or is of another model.
    """
    again = import_checkpoint(file, unsaid_of(config_of(model))).model.float()

    def answer(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = again(images)
        return logits

    return Runner(answer, None)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """How an exported file answers, compared with the model on the same images.

    Args:
        images: Number of images that both saw.
        agreement: Fraction of them on which both tell the same class, in [0, 1].
        logit_difference: Largest absolute difference of any logit.
        accuracy_model: Fraction of right classes of the model, in [0, 1].
        accuracy_file: The same of the file.
        latency_model: Median milliseconds per image of the model; see :func:`latencies`.
        latency_file: The same of the file.
        latency_batch: Images at a time when the latency was measured.
        threads: Threads that both had.
    """

    images: int
    agreement: float
    logit_difference: float
    accuracy_model: float
    accuracy_file: float
    latency_model: float
    latency_file: float
    latency_batch: int
    threads: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def check(self) -> None:
        """Refuse a file that does not hold the model.

        Raises:
            PrimeSVTError: Both tell the same class on less than 99 % of the images.
        """
        if self.agreement < MIN_AGREEMENT:
            raise PrimeSVTError(
                f"The exported file differs from the model: the same class on {self.agreement:.2%} of {self.images:,} "
                f"images only (at least {MIN_AGREEMENT:.0%} expected), logits up to {self.logit_difference:.3g} apart, "
                f"accuracy {self.accuracy_file:.2%} instead of {self.accuracy_model:.2%}."
            )


def verify(
    model: nn.Module,
    runner: Runner,
    images: ImageSet,
    *,
    repetitions: int = REPETITIONS,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Compare an exported file with the model that it was made from.

    Args:
        model: The model; it answers in evaluation mode, and is left in the mode it was in.
        runner: The opened file.
        images: Images that both are asked for.
        repetitions: How often the latency is measured.
        on_batch: Called after every batch with the number of its images.

    Raises:
        PrimeSVTError: The images do not fit the model.
    """
    config = config_of(model)
    images.check(config)
    with _answering(model) as answer:
        # Filled up like the file: what some models answer to an image depends on the rest of its batch.
        ours = Runner(answer, runner.batch)
        expected, found, truths = _answers(ours, runner, images.batches(config, runner.batch or BATCH_SIZE), on_batch)
        few, _ = images.read(config, images.indices[: runner.batch or 1])
        latency_model, latency_file = latencies((ours, runner), few, repetitions)

    def share(right: torch.Tensor) -> float:
        return int(right.sum()) / len(images)

    return Verification(
        images=len(images),
        agreement=share(expected.argmax(1) == found.argmax(1)),
        logit_difference=float((expected - found).abs().max()),
        accuracy_model=share(expected.argmax(1) == truths),
        accuracy_file=share(found.argmax(1) == truths),
        latency_model=latency_model,
        latency_file=latency_file,
        latency_batch=len(few),
        threads=torch.get_num_threads(),
    )


def _answers(
    first: Answer,
    second: Answer,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    on_batch: Callable[[int], None],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What two answer to all batches, both ``[N, classes]``, and the labels ``[N]``."""
    answers = []
    for batch, truth in batches:
        answers.append((first(batch), second(batch), truth))
        on_batch(len(truth))
    expected, found, truths = (torch.cat(part) for part in zip(*answers, strict=True))
    return expected, found, truths


def latencies(
    answers: Sequence[Answer], images: torch.Tensor, repetitions: int, *, warm_up: int = 3, unhurried: bool = False
) -> list[float]:
    """Median milliseconds per image of several that answer, in this process, in turn.

    In turn, so that whatever else the machine does slows all of them.

    Args:
        answers: What is timed.
        images: The batch.
        repetitions: How often each is timed.
        warm_up: Turns before that do not count, so that no memory has to be claimed and no kernel to be loaded.
        unhurried: Run each once more, untimed, before every run: then its weights are in the processor's caches, as
            where a model runs alone.
    """
    times: list[list[float]] = [[] for _ in answers]
    for repetition in range(-warm_up, repetitions):
        for answer, seconds in zip(answers, times, strict=True):
            if unhurried:
                answer(images)
            started = time.perf_counter()
            answer(images)
            if repetition >= 0:
                seconds.append(time.perf_counter() - started)
    return [1_000 * statistics.median(seconds) / len(images) for seconds in times]


@contextmanager
def _answering(model: nn.Module) -> Iterator[Answer]:
    """A model as something that answers in float32, its neurons with no more threads than PyTorch has."""
    dtype = next(model.parameters()).dtype
    threads = numba.get_num_threads()
    numba.set_num_threads(min(torch.get_num_threads(), threads))
    try:
        with evaluation_mode(model), torch.inference_mode():
            yield lambda images: model(images.to(dtype)).float()
    finally:
        numba.set_num_threads(threads)
