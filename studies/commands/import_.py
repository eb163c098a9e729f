"""Make a model directory from the checkpoint of an official repository, or of SpikingJelly's zoo.

Nothing in the file is ever executed. Family, widths, depth and classes are read from the weights; what weights cannot
tell is asked for, and every guess is printed.
"""

import argparse
import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from primesvt.models import (
    FAMILIES,
    Imported,
    PrimeSVTError,
    Unsaid,
    check_free,
    config_of,
    frame_of,
    import_checkpoint,
    model_bytes,
    open_data,
    parameter_count,
    published_names,
    save_model,
)

from ..running.first_look import FirstLook, first_look, looked_at
from ..running.progress import say
from .arguments import add_json, add_output, add_overwrite, print_result
from .options import add_options, options_of

# So many keys or names are printed before the rest is only counted.
_SHOWN = 4
# What is guessed of neurons where neither the official code nor the caller says it.
_GUESSED = {"tau": "2, a guess", "v_threshold": "1, a guess", "attention_threshold": "0.5, a guess"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a checkpoint: .pth, .pt, .pth.tar or .safetensors")
    add_output(parser, "the model")
    parser.add_argument("--family", metavar="F", help=f"where the keys do not tell: {', '.join(FAMILIES)}")
    parser.add_argument(
        "--name", metavar="CONFIG", help=f"a published size, which says the rest: {', '.join(published_names())}"
    )
    group = parser.add_argument_group("what weights cannot tell")
    add_options(group, Unsaid, unset=_GUESSED)
    group.add_argument(
        "--class-names", metavar="FILE", type=Path, help="in the order of the logits: a name per line, or a JSON list"
    )
    group = parser.add_argument_group("the file")
    group.add_argument("--weights", metavar="KEY", help="which of several state dicts in it, such as state_dict_ema")
    group.add_argument("--allow-nonfinite", action="store_true", help="take weights that are NaN or infinite")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="ask the model for up to 1,000 selection images of this data set (test images where it has no others), "
        "and warn where it does no better than chance",
    )
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_free(args.output, overwrite=args.overwrite)
    unsaid = options_of(args, Unsaid, {"classes": _class_names(args.class_names) if args.class_names else None})
    imported = import_checkpoint(
        args.file,
        unsaid,
        family=args.family,
        name=args.name,
        collection=args.weights,
        allow_nonfinite=args.allow_nonfinite,
    )
    config = config_of(imported.model)
    images = None if args.data is None else looked_at(open_data(args.data, frame_of(config)))
    if images is not None:
        images.check(config)
    save_model(imported.model, args.output, overwrite=args.overwrite, allow_nonfinite=args.allow_nonfinite)
    for note in imported.notes:
        say(f"note: {note}")
    look = None if images is None else first_look(imported.model, images)
    result = _result(imported, look)
    print_result(args, result, _text(args.output, result, imported, look))
    if look is not None and not look.better:
        say(_warning(look, imported, unsaid))


def _result(imported: Imported, look: FirstLook | None) -> dict[str, Any]:
    config = config_of(imported.model)
    return {
        "family": config.family,
        "source": imported.source,
        "parameters": parameter_count(imported.model),
        "bytes": model_bytes(imported.model),
        "config": config.to_json(),
        "unused_keys": [entry.key for entry in imported.unused],
        "unused_reasons": {entry.key: entry.reason for entry in imported.unused},
        "guessed": dict(imported.guessed),
        "notes": list(imported.notes),
        "weights": imported.found_under,
        "other_weights": list(imported.others),
        "check": None if look is None else look.told(),
    }


def _class_names(file: Path) -> tuple[str, ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise PrimeSVTError(f"Cannot read the class names {file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise PrimeSVTError(f"Cannot read the class names {file}: it is no text in UTF-8.") from error
    if not text.lstrip().startswith("["):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PrimeSVTError(f"The class names {file} are no JSON list: {error}.") from error
    if not all(isinstance(name, str) for name in names):
        raise PrimeSVTError(f"The class names {file} must be a JSON list of strings.")
    return tuple(names)


def _warning(look: FirstLook, imported: Imported, unsaid: Unsaid) -> str:
    """What may be wrong with a model that tells nothing: all that its weights did not say."""
    fields = {field.name for field in dataclasses.fields(config_of(imported.model))}
    guessed = [f"{key} {_shown(value)}" for key, value in imported.guessed.items() if key in fields - {"classes"}]
    said = [f"{key} {_shown(value)}" for key, value in vars(unsaid).items() if value is not None and key != "classes"]
    if "classes" in imported.guessed:
        guessed.append("the order of the classes")
    parts = [f"{what} {', '.join(values)}" for what, values in (("guessed:", guessed), ("said:", said)) if values]
    return (
        f"warning: that is no better than chance, which is {look.chance:.2%} here. One of these may be wrong, or the "
        f"data are not those of the model ({'; '.join(parts)}). Import again with what it was trained with, such as "
        "--pooling, --mean and --std."
    )


def _text(output: Path, result: dict[str, Any], imported: Imported, look: FirstLook | None) -> str:
    lines = [
        f"{result['family']} with {result['parameters']:,} parameters, {result['bytes']:,} bytes: {output}",
        f"weights as in {result['source']}",
    ]
    if result["weights"]:
        others = f" (also there: {', '.join(result['other_weights'])})" if result["other_weights"] else ""
        lines.append(f"taken from {result['weights']}{others}")
    reasons: dict[str | None, list[str]] = {}
    for entry in imported.unused:
        reasons.setdefault(entry.reason, []).append(entry.key)
    lines += [f"not used: {_some(keys)}: {reason or 'unknown to PrimeSVT'}" for reason, keys in reasons.items()]
    if result["guessed"]:
        lines.append("guessed, as weights do not say it:")
        lines += [f"  {key} = {_shown(value)}" for key, value in result["guessed"].items()]
    lines.append(f"check with: primesvt evaluate {shlex.quote(str(output))} --data PATH" if look is None else str(look))
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)) and len(value) > _SHOWN:
        return _some([str(item) for item in value])
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
