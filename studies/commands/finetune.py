"""Recover accuracy of a pruned model by training it a little, alone or with the original as teacher."""

import argparse
from dataclasses import replace

from primesvt.models import (
    Recipe,
    config_of,
    device_model,
    find_device,
    frame_of,
    load_model,
    open_data,
    predict,
    settle,
)

from ..running.train_run import TrainJob, check_trainable, run_training, was_mirrored
from .arguments import add_data, add_device, add_json, add_output, add_overwrite, open_model_and_data, print_result
from .options import add_options, options_of

# Gentle. Where there is a teacher, its answers alone count: they say more than the labels, which the model has learnt
# already. Where there is none, plain cross-entropy, which is the paper's way.
GENTLE = Recipe(
    epochs=3,
    learning_rate=3e-4,
    weight_decay=0.0,
    label_smoothing=0.0,
    flip=False,
    shift=0,
    distillation=1.0,
    frozen_statistics=True,
)
_RECIPE = ("epochs", "batch_size", "learning_rate", "shift", "distillation", "frozen_statistics", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="DIR", help="the pruned model")
    add_data(parser)
    parser.add_argument(
        "--train-data",
        metavar="PATH",
        help="learn the fit images of this data set, such as the full one of an embedded sample (default: --data's)",
    )
    add_device(parser)
    parser.add_argument(
        "--teacher", metavar="MODEL", help="learn from the answers of this model, such as the unpruned one"
    )
    add_options(parser, Recipe, only=_RECIPE, defaults=vars(GENTLE))
    mirrored = parser.add_mutually_exclusive_group()
    mirrored.add_argument(
        "--flip",
        action="store_true",
        default=argparse.SUPPRESS,
        help="mirror images at random (default: as DIR's training did, or the teacher's; no where neither says it)",
    )
    mirrored.add_argument(
        "--no-flip",
        dest="flip",
        action="store_false",
        default=argparse.SUPPRESS,
        help="do not mirror images, whatever the training did",
    )
    add_output(parser, "the fine-tuned model (and its resume file until then)")
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_trainable(args.output, overwrite=args.overwrite)
    device = find_device(args.device)
    model, data = open_model_and_data(args)
    if args.train_data is not None:
        full = open_data(args.train_data, frame_of(config_of(model)))
        data = replace(data, fit=full.fit)
    teacher = load_model(args.teacher) if args.teacher else None
    flip = args.flip if "flip" in args else was_mirrored(args.model, args.teacher)
    recipe = options_of(args, Recipe, {**vars(GENTLE), "flip": flip})
    before = predict(device_model(model, device), data.selection)
    job = TrainJob(
        directory=args.output,
        recipe=recipe if teacher else replace(recipe, distillation=0.0),
        title="fine-tune",
        overwrite=args.overwrite,
        device=device,
        facts={"finetuned": args.model, "teacher": args.teacher, "accuracy_before": before.accuracy},
        start=before.accuracy,
    )
    if not recipe.frozen_statistics:
        settle(model, data.fit, compensate=True)
    done = run_training(job, model, data, teacher)
    after = done.selection
    result = {
        "accuracy_before": before.accuracy,
        "accuracy_after": after.accuracy,
        "epochs": len(done.log),
        "seconds": done.seconds,
    }
    text = (
        f"selection accuracy {before.accuracy:.2%} -> {after.accuracy:.2%} on {len(after.labels):,} images "
        f"after {len(done.log)} epochs, {done.seconds:.0f} s: {args.output}"
    )
    print_result(args, result, text)
