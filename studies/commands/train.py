"""Train a spiking vision transformer on a data set; run again after an interruption to go on."""

import argparse
import dataclasses
import math

import torch

from primesvt.models import (
    FAMILIES,
    DataSet,
    ModelConfig,
    PrimeSVTError,
    Recipe,
    build,
    config_of,
    config_type,
    find_device,
    frame_of,
    load_model,
    named_config,
    open_data,
    published_names,
)

from ..running.train_run import accuracy_record, check_trainable, run_training
from .arguments import (
    add_data,
    add_device,
    add_json,
    add_output,
    add_overwrite,
    numbers,
    positive,
    print_result,
    size,
)

# Options that say what a new model is like, and their defaults; a model of --init is as it is.
_NEW_MODEL = ("config", "embed_dim", "depth", "heads", "pooling", "image_size", "channels", "mean", "std")
_EMBED_DIM, _HEADS, _CHANNELS = 128, 8, 3
# Blocks; a hierarchical family needs some in every stage.
_DEPTH, _DEPTH_OF_STAGES = 2, 4
# Up to this size, images are taken for CIFAR's: the first stage does not halve them.
_SMALL_IMAGE = 64
# Images from which mean and standard deviation of the pixels are taken.
_SAMPLE = 4_096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_output(parser, "the trained model (and its checkpoint until then)")
    add_data(parser)
    add_device(parser)
    recipe = Recipe()
    group = parser.add_argument_group("model")
    group.add_argument("--family", metavar="F", help=f"what to train (or --config, or --init): {', '.join(FAMILIES)}")
    group.add_argument("--config", metavar="NAME", help=f"a published size: {', '.join(published_names())}")
    group.add_argument("--embed-dim", metavar="D", type=positive, help=f"embedding width (default: {_EMBED_DIM})")
    group.add_argument("--depth", metavar="L", type=positive, help=f"blocks (default: {_DEPTH}, or {_DEPTH_OF_STAGES})")
    group.add_argument("--heads", metavar="H", type=positive, help=f"attention heads (default: {_HEADS})")
    group.add_argument("--time-steps", metavar="T", type=positive, help="time steps (default: 4, or those of --init)")
    group.add_argument(
        "--pooling",
        metavar="DIGITS",
        help="which of the 4 stem stages halve the image, such as 1100 (default: by size)",
    )
    group.add_argument("--image-size", metavar="S", type=size, help="size to which image files are brought")
    group.add_argument("--channels", type=int, choices=(1, 3), help=f"channels of image files (default: {_CHANNELS})")
    group.add_argument("--mean", metavar="A,B,...", type=numbers, help="per channel (default: that of the fit set)")
    group.add_argument("--std", metavar="A,B,...", type=numbers, help="per channel (default: that of the fit set)")
    group.add_argument("--init", metavar="MODEL", help="start from the weights of this model instead of random ones")
    group = parser.add_argument_group("recipe")
    group.add_argument("--epochs", metavar="E", type=int, default=recipe.epochs, help="(default: %(default)s)")
    group.add_argument("--batch-size", metavar="N", type=int, default=recipe.batch_size, help="(default: %(default)s)")
    group.add_argument(
        "--learning-rate", metavar="RATE", type=float, default=recipe.learning_rate, help="peak (default: %(default)s)"
    )
    group.add_argument(
        "--weight-decay", metavar="W", type=float, default=recipe.weight_decay, help="(default: %(default)s)"
    )
    group.add_argument(
        "--label-smoothing", metavar="S", type=float, default=recipe.label_smoothing, help="(default: %(default)s)"
    )
    group.add_argument(
        "--shift",
        metavar="PIXELS",
        type=int,
        default=recipe.shift,
        help="move images by up to this (default: %(default)s)",
    )
    group.add_argument("--no-flip", action="store_true", help="do not mirror images")
    group.add_argument(
        "--erase", metavar="P", type=float, default=recipe.erase, help="blank a rectangle with this probability"
    )
    group.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default=recipe.precision,
        help="of training (default: %(default)s)",
    )
    group.add_argument("--seed", metavar="K", type=int, default=recipe.seed, help="(default: %(default)s)")
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_trainable(args.output, overwrite=args.overwrite)
    device = find_device(args.device)
    recipe = Recipe(
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        weight_decay=args.weight_decay,
        label_smoothing=args.label_smoothing,
        flip=not args.no_flip,
        shift=args.shift,
        erase=args.erase,
        precision=args.precision,
        seed=args.seed,
    )
    initial = load_model(args.init) if args.init else None
    data = open_data(args.data, frame_of(config_of(initial)) if initial else _frame(args))
    config = _again(config_of(initial), args) if initial else _config(data, args)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = build(config)
    if initial is not None:
        model.load_state_dict(initial.state_dict())
    facts = {"init": args.init} if args.init else {}
    done = run_training(
        args.output,
        model,
        data,
        recipe,
        title=f"train {config.family}",
        overwrite=args.overwrite,
        facts=facts,
        device=device,
    )
    result = {**accuracy_record(done.selection), "epochs": len(done.log), "seconds": done.seconds}
    low, high = done.selection.interval
    text = (
        f"selection accuracy {done.selection.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}) "
        f"after {len(done.log)} epochs, {done.seconds:.0f} s: {args.output}"
    )
    print_result(args, result, text)


def _again(config: ModelConfig, args: argparse.Namespace) -> ModelConfig:
    if args.family not in (None, config.family):
        raise PrimeSVTError(f"--init is a {config.family}, not a {args.family}; leave --family out.")
    if given := [name for name in _NEW_MODEL if getattr(args, name) is not None]:
        raise PrimeSVTError(f"--{given[0].replace('_', '-')} is that of --init; leave it out.")
    return dataclasses.replace(config, time_steps=args.time_steps or config.time_steps)


def _frame(args: argparse.Namespace) -> tuple[int, int, int] | None:
    """Channels, height and width to which image files are brought."""
    return (args.channels or _CHANNELS, *args.image_size) if args.image_size else None


def _config(data: DataSet, args: argparse.Namespace) -> ModelConfig:
    if args.family is None and args.config is None:
        raise PrimeSVTError(f"Say what to train: --family {' or '.join(FAMILIES)}, or --config NAME, or --init MODEL.")
    channels, height, width = data.fit.source.frame
    if args.image_size not in (None, (height, width)) or args.channels not in (None, channels):
        raise PrimeSVTError(
            f"The images of {data.name} are {height}x{width} with {channels} channel(s), and are taken as they are; "
            "--image-size and --channels are for image files."
        )
    mean, std = _pixels(data, channels)
    common = {
        "in_channels": channels,
        "image_size": (height, width),
        "classes": data.classes,
        "mean": args.mean or mean,
        "std": args.std or std,
    }
    sizes = {"heads": args.heads, "time_steps": args.time_steps, "pooling": args.pooling}
    given = {key: value for key, value in sizes.items() if value is not None}
    if args.config is not None:
        if args.family is not None or args.embed_dim or args.depth:
            raise PrimeSVTError("--config says family, width and depth; leave --family, --embed-dim and --depth out.")
        return named_config(args.config, **common, **given)
    kind = config_type(args.family)
    own = {field.name for field in dataclasses.fields(kind)}
    if args.pooling and "pooling" not in own:
        raise PrimeSVTError(f"A {kind.family} has no --pooling: its stages halve the image as they are made to.")
    by_size = {
        "heads": _HEADS,
        "time_steps": 4,
        "pooling": _pooling(min(height, width)),
        "variant": "cifar" if min(height, width) <= _SMALL_IMAGE else "imagenet",
    }
    embed_dim, heads = args.embed_dim or _EMBED_DIM, args.heads or _HEADS
    if embed_dim % 8 or embed_dim % heads:
        raise PrimeSVTError(f"embed-dim must be a multiple of 8 and of the {heads} heads; got {embed_dim}.")
    try:
        config: ModelConfig = kind.uniform(
            embed_dim=embed_dim,
            depth=args.depth or (_DEPTH if "depth" in own else _DEPTH_OF_STAGES),
            **{**{key: value for key, value in by_size.items() if key in own}, **given},
            **common,
        )
    except TypeError as error:  # Another package's family may need more than this command knows.
        raise PrimeSVTError(f"A {kind.family} cannot be trained by its size alone: {error}.") from error
    return config


def _pixels(data: DataSet, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the first images of the fit set."""
    images = data.fit.source.read(data.fit.indices[:_SAMPLE]).movedim(-3, 0).reshape(channels, -1).double()
    return (
        tuple(round(float(v), 4) for v in images.mean(1)),
        tuple(max(round(float(v), 4), 1e-4) for v in images.std(1)),
    )


def _pooling(side: int) -> str:
    """Halve the image, early stages first, until about 7 by 7 tokens are left."""
    stages = min(4, max(0, round(math.log2(side / 7)))) if side >= 7 else 0
    return "1" * stages + "0" * (4 - stages)
