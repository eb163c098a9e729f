"""The model and the data that a command works on: the options that name the data, and how both are opened."""

import argparse
from dataclasses import replace
from typing import Any

from torch import nn

from primesvt.models import (
    DEFAULT_TEST_FRACTION,
    DataSet,
    PrimeSVTError,
    Role,
    config_of,
    frame_of,
    load_model,
    open_data,
    with_selection,
    with_selection_from_test,
)

from ..running.console import say


def add_data(parser: argparse.ArgumentParser) -> None:
    """--data, and how it is cut."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="your data: an .npz file, IDX files, or a folder per class of images or event frames, alone or below "
        "train/ and test/ or val/; default: the embedded sample of Fashion-MNIST",
    )
    parser.add_argument(
        "--test-fraction",
        metavar="SHARE",
        type=float,
        help="share of every class that is the test set, by a fixed rule, where the data has no parts "
        f"(default: {DEFAULT_TEST_FRACTION:g})",
    )
    selection = parser.add_mutually_exclusive_group()
    selection.add_argument(
        "--selection",
        metavar="PATH",
        help="images on which plans are selected, such as a folder of classes (default: the data's validation part, or "
        "else a third of its training images, 4,000 or a fifteenth of many)",
    )
    selection.add_argument(
        "--selection-from-test",
        metavar="SHARE",
        type=float,
        help="select on this share of the test set, and report on the rest: for a model that was trained on all "
        "training images",
    )


def add_train_data(parser: Any) -> None:
    """--train-data."""
    parser.add_argument(
        "--train-data",
        metavar="PATH",
        help="learn the fit images of this data set, such as the full one of an embedded sample (default: --data's)",
    )


def open_model_and_data(args: argparse.Namespace, role: Role = "selection") -> tuple[nn.Module, DataSet]:
    """The model and the data that the options name.

    Args:
        args: The options.
        role: The set that the command cannot do without.

    Raises:
        PrimeSVTError: One of them cannot be read, or they do not fit.
    """
    model = load_model(args.model)
    return model, open_data_for(args, model, role)


def open_data_for(args: argparse.Namespace, model: nn.Module, role: Role, given: DataSet | None = None) -> DataSet:
    """The data that the options name, for a model; how it was understood is said where that is not plain.

    Args:
        args: The options.
        model: It reads the images.
        role: The set that the command cannot do without.
        given: Data that is open already, instead of that of --data.

    Raises:
        PrimeSVTError: The data cannot be read, or does not fit the model.
    """
    config = config_of(model)
    data = open_data_of(args, frame_of(config), given)
    images = data.role(role)
    try:
        images.check(config)
    except PrimeSVTError as error:
        if given is not None or args.data is not None:
            raise
        raise PrimeSVTError(f"No --data is given, so it is the embedded sample of Fashion-MNIST. {error}") from error
    steps = images.source.steps
    if steps is not None and steps != config.time_steps:
        say(f"The event sequences have {steps} frames, the model was made for {config.time_steps}: it reads them all.")
    return data


def open_data_of(args: argparse.Namespace, frame: tuple[int, int, int] | None, given: DataSet | None = None) -> DataSet:
    """The data that the options name, cut as they say.

    Args:
        args: The options.
        frame: As for :func:`~primesvt.models.open_data`.
        given: Data that is open already, instead of that of --data.

    Raises:
        PrimeSVTError: It cannot be read.
    """
    data = given or open_data(args.data, frame, test_fraction=args.test_fraction)
    for note in data.notes:
        say(note)
    if args.selection is not None:
        return with_selection(data, args.selection, frame)
    if args.selection_from_test is not None:
        return with_selection_from_test(data, args.selection_from_test)
    return data


def with_train_data(args: argparse.Namespace, data: DataSet, model: nn.Module) -> DataSet:
    """A data set with the fit images that --train-data names; as it is where it names none.

    Raises:
        PrimeSVTError: They cannot be read.
    """
    if args.train_data is None:
        return data
    return replace(data, fit=open_data(args.train_data, frame_of(config_of(model))).fit)
