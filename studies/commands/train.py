"""Train a spiking vision transformer on a data set; run again after an interruption to go on."""

import argparse

import torch
from torch import nn

from primesvt.models import DataSet, Recipe, Unsaid, build, config_of, find_device, frame_of, load_model

from ..running.new_model import OF_NEW, NewModel
from ..running.train_run import TrainJob, TrainRun, check_trainable, run_training
from .arguments import add_device, add_json, add_output, add_overwrite, add_tensorboard, print_result
from .model_and_data import add_data, open_data_of
from .options import add_options, options_of

# Of a recipe; the rest is for fine-tuning.
_RECIPE = (
    "epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "shift", "flip", "erase", "precision",
    "seed",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_output(parser, "the trained model (and its resume file until then)")
    add_data(parser)
    add_device(parser)
    group = parser.add_argument_group("model")
    add_options(group, NewModel)
    add_options(group, Unsaid, only=OF_NEW, unset=OF_NEW)
    group.add_argument("--init", metavar="MODEL", help="start from the weights of this model instead of random ones")
    add_options(parser.add_argument_group("recipe"), Recipe, only=_RECIPE)
    add_tensorboard(parser)
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_trainable(args.output, overwrite=args.overwrite)
    _, done = trained_as(args, load_model(args.init) if args.init else None)
    result = {**done.selection.counted.told(), "epochs": len(done.log), "seconds": done.seconds}
    low, high = done.selection.interval
    text = (
        f"selection accuracy {done.selection.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}) "
        f"after {len(done.log)} epochs, {done.seconds:.0f} s: {args.output}"
    )
    print_result(args, result, text)


def trained_as(
    args: argparse.Namespace, initial: nn.Module | None = None, given: DataSet | None = None
) -> tuple[nn.Module, TrainRun]:
    """Train the model that the options ask for, and write it to their output directory.

    Args:
        args: The options.
        initial: Start from the weights of this model, which stays as it is, instead of random ones.
        given: Data that is open already, instead of that of --data.

    Raises:
        PrimeSVTError: The options make no sense, the data does not fit, or the training cannot go on.
    """
    device, recipe = find_device(args.device), options_of(args, Recipe)
    new = options_of(args, NewModel, {"unsaid": options_of(args, Unsaid)})
    data = open_data_of(args, frame_of(config_of(initial)) if initial else new.frame, given)
    config = new.again(config_of(initial)) if initial else new.of(data)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = build(config)
    if initial is not None:
        model.load_state_dict(initial.state_dict())
    job = TrainJob(
        directory=args.output,
        recipe=recipe,
        title=f"train {config.family}",
        overwrite=args.overwrite,
        device=device,
        tensorboard=args.tensorboard,
        options=args.options_text,
        facts={"init": args.init} if args.init else {},
    )
    return model, run_training(job, model, data)
