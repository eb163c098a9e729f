"""``primesvt.evaluate``: the accuracy of a model, from Python."""

from typing import Any

from ..commands import evaluate as command
from ..commands.options import options_of
from ..reporting.evaluated import Evaluated
from .asked import asked, takes_options
from .given import Data, Model, forget_names, model_if_any, named, or_demo, session, subject_of


@takes_options(command)
def evaluate(
    model: Model | None = None,
    data: Data = None,
    *,
    against: Model | None = None,
    quiet: bool = False,
    **options: Any,
) -> Evaluated:
    """Measure the accuracy of a model on the selection set or the test set, as ``primesvt evaluate`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model; None is that of a file of options, or else
            the embedded demo model.
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        against: A model to compare it with, such as the unpruned one: its directory, "demo", or itself.
        quiet: Show no progress.
        options: Those of ``primesvt evaluate``, by name: ``split="selection", images=1000``.

    Raises:
        PrimeSVTError: An option makes no sense, or the images do not fit the model.
    """
    args = asked(command, {**named(model=model, data=data, against=against), **options}, or_demo(model))
    with session(quiet):
        subject = subject_of(args, model, data, options_of(args, command.EvaluateOptions).split)
        original = model_if_any(against, args.against)
        forget_names(args, against=against)
        return command.evaluated_as(args, subject.model, subject.data, original)
