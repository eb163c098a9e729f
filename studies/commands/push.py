"""Upload a model directory to the Hugging Face hub, where hf://OWNER/NAME is its name from then on."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import (
    CONFIG,
    PLAN,
    TRAINING,
    WEIGHTS,
    HubName,
    PrimeSVTError,
    load_model,
    model_folder,
    read_json,
    upload,
)

from ..reporting.model_card import model_card
from ..running.model_output import plan_beside
from .arguments import add_json, print_result

_CARD = "README.md"
# Of a training, what says nothing of the machine it ran on.
_PUBLIC = ("fit_images", "recipe", "selection", "log")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="DIR", help="the model directory")
    parser.add_argument("name", metavar="OWNER/NAME", type=hub_name, help="where to; it is made where it is missing")
    parser.add_argument("--revision", metavar="R", help="branch to write to, made where it is missing (default: main)")
    parser.add_argument("--private", action="store_true", help="make it private; one that is public is refused then")
    add_json(parser)


def hub_name(text: str) -> HubName:
    """The name of a model on the hub."""
    try:
        return HubName.read(text)
    except PrimeSVTError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    result = pushed_as(args)
    text = f"uploaded {', '.join(result['files'])}: {result['url']}\nits name from now on: {result['name']}"
    print_result(args, result, text)


def pushed_as(args: argparse.Namespace) -> dict[str, Any]:
    """Upload the model that the options name: only what PrimeSVT wrote there, and a page of its own or a made one.

    Args:
        args: The options.

    Returns:
        The model's name, and the hub's address, commit and files.

    Raises:
        PrimeSVTError: There is no model, the extra or a token is missing, or the hub refuses it or does not answer.
    """
    name = replace(args.name, revision=args.revision or args.name.revision)
    model = load_model(args.model)
    with model_folder(args.model) as folder:
        files = _files(name, model, folder)
        done = upload(name, files, private=args.private)
    return {"name": str(name), "url": str(done.commit_url), "commit": str(done.oid), "files": sorted(files)}


def _files(name: HubName, model: nn.Module, folder: Path) -> dict[str, Path | bytes]:
    """What is uploaded, by name; a page that the user wrote stays theirs."""
    files: dict[str, Path | bytes] = {each: folder / each for each in (CONFIG, WEIGHTS)}
    plan = plan_beside(folder)
    if plan is not None:
        files[PLAN] = folder / PLAN
    selection = None
    if (log := folder / TRAINING).exists():
        said = read_json(log, f"Cannot read how {folder} was trained: {{}}.")
        selection = said.get("selection")
        kept = {key: said[key] for key in _PUBLIC if key in said}
        files[TRAINING] = (json.dumps(kept, indent=1) + "\n").encode()
    own = folder / _CARD
    files[_CARD] = own if own.exists() else model_card(name, model, plan, selection).encode()
    return files
