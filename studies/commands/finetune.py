"""Recover accuracy of a pruned model by training it a little, alone or with the original as teacher."""

import argparse

from torch import nn

from primesvt.models import DataSet, Recipe, find_device, load_model

from ..running.finetuning import GENTLE, FineTuned, fine_tune
from ..running.model_output import plan_beside
from ..running.progress import say
from ..running.train_run import TrainJob, check_trainable, was_mirrored
from .arguments import add_device, add_json, add_output, add_overwrite, add_tensorboard, print_result
from .model_and_data import add_data, add_train_data, open_model_and_data, with_train_data
from .options import add_options, options_of

_RECIPE = ("epochs", "batch_size", "learning_rate", "shift", "distillation", "frozen_statistics", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="DIR", help="the pruned model")
    add_data(parser)
    add_train_data(parser)
    add_device(parser)
    parser.add_argument(
        "--teacher", metavar="MODEL", help="learn from the answers of this model, such as the unpruned one"
    )
    add_options(parser, Recipe, only=_RECIPE, defaults=vars(GENTLE))
    mirrored = parser.add_mutually_exclusive_group()
    mirrored.add_argument(
        "--no-flip",
        dest="flip",
        action="store_false",
        default=argparse.SUPPRESS,
        help="do not mirror images, whatever the training did",
    )
    mirrored.add_argument(
        "--flip",
        action="store_true",
        default=argparse.SUPPRESS,
        help="mirror images at random (default: as DIR's training did, or the teacher's; no where neither says it)",
    )
    add_output(parser, "the fine-tuned model (and its resume file until then)")
    add_tensorboard(parser)
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_trainable(args.output, overwrite=args.overwrite)
    teacher = load_model(args.teacher) if args.teacher else None
    done = finetuned_as(args, *open_model_and_data(args), teacher)
    log, before, after = done.run.log, done.before, done.run.selection
    result = {
        "accuracy_before": before.accuracy,
        "accuracy_after": after.accuracy,
        "epochs": len(log),
        "seconds": done.run.seconds,
    }
    text = (
        f"selection accuracy {before.accuracy:.2%} -> {after.accuracy:.2%} on {len(after.labels):,} images "
        f"after {len(log)} epochs, {done.run.seconds:.0f} s: {args.output}"
    )
    print_result(args, result, text)


def finetuned_as(
    args: argparse.Namespace, model: nn.Module, data: DataSet, teacher: nn.Module | None = None
) -> FineTuned:
    """Fine-tune a model in place as the options ask, and write it to their output directory.

    Args:
        args: The options.
        model: The pruned model.
        data: Its data set.
        teacher: A model to learn from.

    Raises:
        PrimeSVTError: The device is missing, the data does not fit, or the training cannot go on.
    """
    device = find_device(args.device)
    flip = args.flip if "flip" in args else was_mirrored(args.model, args.teacher)
    job = TrainJob(
        directory=args.output,
        recipe=options_of(args, Recipe, {**vars(GENTLE), "flip": flip}),
        title="fine-tune",
        overwrite=args.overwrite,
        device=device,
        tensorboard=args.tensorboard,
        plan=plan_beside(args.model),
        options=args.options_text,
        facts={"finetuned": args.model, "teacher": args.teacher},
    )
    say(f"Images are {'mirrored at random' if job.recipe.flip else 'not mirrored'}.")
    return fine_tune(job, model, with_train_data(args, data, model), teacher)
