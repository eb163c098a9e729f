"""Recover accuracy of a pruned model by training it a little, alone or with the original as teacher."""

import argparse

from primesvt.models import Recipe, device_model, find_device, load_model, predict

from ..running.train_run import check_trainable, run_training
from .arguments import add_data, add_device, add_json, add_output, add_overwrite, open_model_and_data, print_result

DEFAULT_EPOCHS = 3
LEARNING_RATE = 3e-4
# The answers of the unpruned model say more than the labels, which it has learnt already.
DISTILLATION = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="DIR", help="the pruned model")
    add_data(parser)
    add_device(parser)
    parser.add_argument(
        "--teacher", metavar="MODEL", help="learn from the answers of this model, such as the unpruned one"
    )
    parser.add_argument(
        "--distillation",
        metavar="W",
        type=float,
        default=DISTILLATION,
        help="weight of the teacher's answers against the labels, from 0 to 1 (default: %(default)s, answers alone)",
    )
    parser.add_argument("--epochs", metavar="E", type=int, default=DEFAULT_EPOCHS, help="(default: %(default)s)")
    parser.add_argument(
        "--learning-rate",
        metavar="RATE",
        type=float,
        default=LEARNING_RATE,
        help="peak of the schedule (default: %(default)s)",
    )
    parser.add_argument(
        "--update-norm",
        action="store_true",
        help="let BatchNorm's mean and variance follow the fit images (default: they stay as they are)",
    )
    parser.add_argument("--batch-size", metavar="N", type=int, default=64, help="(default: %(default)s)")
    parser.add_argument(
        "--shift", metavar="PIXELS", type=int, default=0, help="move images by up to this (default: %(default)s)"
    )
    parser.add_argument("--no-flip", action="store_true", help="do not mirror images")
    parser.add_argument("--seed", metavar="K", type=int, default=0, help="(default: %(default)s)")
    add_output(parser, "the fine-tuned model (and its checkpoint until then)")
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_trainable(args.output, overwrite=args.overwrite)
    device = find_device(args.device)
    model, data = open_model_and_data(args)
    teacher = load_model(args.teacher) if args.teacher else None
    recipe = finetune_recipe(
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        batch_size=args.batch_size,
        shift=args.shift,
        flip=not args.no_flip,
        distillation=args.distillation if teacher else 0.0,
        frozen_statistics=not args.update_norm,
        seed=args.seed,
    )
    before = predict(device_model(model, device), data.selection)
    facts = {"finetuned": args.model, "teacher": args.teacher, "accuracy_before": before.accuracy}
    done = run_training(
        args.output,
        model,
        data,
        recipe,
        title="fine-tune",
        overwrite=args.overwrite,
        teacher=teacher,
        facts=facts,
        device=device,
    )
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


def finetune_recipe(
    *,
    epochs: int = DEFAULT_EPOCHS,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = 64,
    shift: int = 0,
    flip: bool = True,
    distillation: float = 0.0,
    frozen_statistics: bool = True,
    seed: int = 0,
) -> Recipe:
    """The recipe of fine-tuning: gentle, and with plain cross-entropy where there is no teacher (the paper's way)."""
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=0.0,
        label_smoothing=0.0,
        flip=flip,
        shift=shift,
        distillation=distillation,
        frozen_statistics=frozen_statistics,
        seed=seed,
    )
