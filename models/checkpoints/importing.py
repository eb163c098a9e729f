"""From a state dict of other code to a model: the layout is recognised, the shapes are read, the rest is said or asked.

Weights say every width, depth and ratio. What they do not say comes from the caller, from what the code base fixes,
from keys that the model does not use, or from a published size of just these widths; what is still missing is asked
for by an error that names it. Whatever the caller did not say himself is reported as guessed.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from ..families.layout import COUNTER, Checkpoint, Layout, State
from ..families.registry import families
from ..families.unsaid import Unsaid
from .recognition import recognised
from .weights_file import check_values, read_weights

_DEFAULTS = {"tau": 2.0, "v_threshold": 1.0, "attention_threshold": 0.5}
# What has no default, and how to say it on the command line.
_REQUIRED = {
    "heads": "--heads N",
    "time_steps": "--time-steps T",
    "pooling": "--pooling 0011 (one digit per stem stage, 1 where it halves the image)",
    "image_size": "--image-size S",
}


@dataclass(frozen=True)
class UnusedKey:
    """A key of a checkpoint that the model does not use.

    Args:
        key: The key.
        reason: Why, or None where it is not known.
    """

    key: str
    reason: str | None


@dataclass(frozen=True)
class Imported:
    """A model made from a checkpoint.

    Args:
        model: In evaluation mode; it shares memory with the checkpoint's tensors.
        source: The code base whose layout the checkpoint has.
        unused: Keys that did not go into the model.
        guessed: Fields of the configuration that neither the weights nor the caller said, with their values.
        notes: What a user has to know of the model.
        found_under: Which collection of weights in a file it was; empty where the file is just one.
        others: The other collections in the file.
    """

    model: nn.Module
    source: str
    unused: tuple[UnusedKey, ...]
    guessed: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    found_under: str = ""
    others: tuple[str, ...] = ()


def import_state(
    state: State,
    unsaid: Unsaid,
    *,
    family: str | None = None,
    name: str | None = None,
    kinds: Iterable[type[ModelConfig]] = (),
) -> Imported:
    """Make a model from a state dict of a known code base.

    Args:
        state: What ``state_dict()`` of the other code returned.
        unsaid: What the weights do not say.
        family: Name of the family, where the keys alone do not tell.
        name: Name of a published size, which says what the weights do not.
        kinds: Families that may occur beside those that are installed.

    Raises:
        PrimeSVTError: The layout is not recognised; a tensor is missing or misshapen; something must be said; or the
            weights are not of the size that was named.
    """
    known = {**families(), **{kind.family: kind for kind in kinds}}
    kind, layout, prefix = recognised(state, known, family, name)
    outside = tuple(UnusedKey(key, f"not below {prefix}") for key in state if not key.startswith(prefix))
    state = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
    given = {key: value for key, value in vars(unsaid).items() if value is not None}
    weights = Checkpoint(state, layout, given)
    config, guessed = _configuration(kind, weights, name)
    with torch.device("meta"):
        model = config.build()
    converted, used = weights.converted(model.state_dict())
    unused = tuple(UnusedKey(key, layout.reason(key)) for key in state if key not in used)
    _check_unused(unused)
    converted, dtype = _one_dtype(converted)
    if dtype is not None:
        guessed["dtype"] = dtype
    model.load_state_dict(converted, assign=True)
    guessed |= layout.assumed
    return Imported(model.eval(), layout.source, unused + outside, guessed, tuple(_notes(layout, config, given)))


def _configuration(
    kind: type[ModelConfig], weights: Checkpoint, name: str | None
) -> tuple[ModelConfig, dict[str, Any]]:
    """The configuration of these weights, and those of its fields that nobody said for sure."""
    fields, groups = weights.layout.structure(weights)
    widths = weights.widths(groups)
    fields |= {
        "in_channels": weights.shape(f"{groups[0].filters[0]}.weight")[1],
        "classes": weights.shape("head.weight")[0],
    }
    named = _named(kind, name, fields, widths)
    values, guessed = _settled(kind, fields, weights, named)
    return kind(widths=widths, **{**fields, **values}), guessed


def _notes(layout: Layout, config: ModelConfig, given: Mapping[str, Any]) -> Iterator[str]:
    """What a user has to know of the model."""
    if note := layout.note(config):
        yield note
    for key in layout.ignored:
        if key in given and _plain(given[key]) != (taken := _plain(getattr(config, key))):
            yield f"{key} {_plain(given[key])} was not taken: {layout.source} has {taken}, whatever it is told."


def _plain(value: Any) -> str:
    """A number; of several, the one that all are, or all."""
    values = value if isinstance(value, tuple) else (value,)
    return ",".join(map(str, values if len(set(values)) > 1 else values[:1]))


def _named(
    kind: type[ModelConfig], name: str | None, fields: Mapping[str, Any], widths: Mapping[str, int]
) -> Mapping[str, Any]:
    """What the published size says: the one that was asked for, or the first of just these widths."""
    for candidate in [name] if name else kind.published:
        config = kind.uniform(**kind.published[candidate])
        if dict(config.widths) == widths:
            plain = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
            # Normalisation and class names are those of other data where the numbers differ.
            if plain["in_channels"] != fields["in_channels"]:
                plain = {key: value for key, value in plain.items() if key not in ("mean", "std")}
            return plain
        if name:
            layers = sorted(set(widths) | set(config.widths))
            odd = next(n for n in layers if widths.get(n) != config.widths.get(n))
            raise PrimeSVTError(
                f"These weights are no {name}: {odd} has {widths.get(odd, 'no')} channels, "
                f"{name} has {config.widths.get(odd, 'none')}."
            )
    return {}


def _settled(
    kind: type[ModelConfig],
    fields: Mapping[str, Any],
    weights: Checkpoint,
    named: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that the shapes do not say, and those of them that nobody said for sure."""
    layout, given, told = weights.layout, weights.said, weights.layout.told(weights.state)
    _check_given(kind, given, told)
    channels = fields["in_channels"]
    defaults = {"mean": (0.0,) * channels, "std": (1.0,) * channels, **_DEFAULTS}
    guesses = {**defaults, **named, **layout.rules, **layout.ignored}
    said = {**{key: value for key, value in given.items() if key not in layout.ignored}, **told}
    if size := {**guesses, **fields, **said}.get("image_size"):
        guesses |= vars(layout.resizing(min(size)))
    names = [field.name for field in dataclasses.fields(kind) if field.name not in ("widths", "classes")]
    guessed = {key: guesses[key] for key in names if key in guesses and key not in said and key not in fields}
    if missing := [key for key in names if key in _REQUIRED and key not in {**said, **fields, **guesses}]:
        raise PrimeSVTError(
            f"The weights of this {kind.family} do not say {', '.join(missing)}; pass "
            f"{', '.join(_REQUIRED[key] for key in missing)}, or --name CONFIG for a published size."
        )
    values = {**guessed, **{key: said[key] for key in names if key in said}}
    values["classes"] = _classes(given.get("classes"), fields["classes"])
    if "classes" not in given:
        guessed["classes"] = values["classes"]
    if "heads" in values:
        values["heads"] = _heads(kind, values["heads"])
    return {key: tuple(value) if key in ("mean", "std") else value for key, value in values.items()}, guessed


def _check_given(kind: type[ModelConfig], given: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    for key, value in told.items():
        if key in given and given[key] != value:
            raise PrimeSVTError(f"The weights have {key} {_plain(value)}, got {_plain(given[key])}.")
    if odd := sorted(set(given) - {field.name for field in dataclasses.fields(kind)}):
        raise PrimeSVTError(f"A {kind.family} has no {' and no '.join(odd)}; leave it out.")


def _classes(given: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if given is not None and len(given) != count:
        raise PrimeSVTError(f"The weights tell {count} classes apart, got {len(given)} class names.")
    return tuple(given) if given is not None else tuple(map(str, range(count)))


def _heads(kind: type[ModelConfig], heads: Any) -> Any:
    values = (heads,) if isinstance(heads, int) else tuple(heads)
    stages = getattr(kind, "stages_with_heads", None)
    if stages is None:
        if len(values) != 1:
            raise PrimeSVTError(f"A {kind.family} has one number of heads, got {','.join(map(str, values))}.")
        return values[0]
    return values * stages if len(values) == 1 else values


def _check_unused(unused: Sequence[UnusedKey]) -> None:
    for entry in unused:
        # A parametric neuron learns its time constant, and stores it under this name.
        if entry.key.endswith("lif.w"):
            raise PrimeSVTError(
                f"{entry.key} belongs to a parametric neuron (PLIF), whose time constant is learned; "
                "PrimeSVT knows the LIF neuron only."
            )


def _one_dtype(state: State) -> tuple[dict[str, torch.Tensor], str | None]:
    """The tensors, all weights in one dtype: the widest that occurs, by name where others were there, too."""
    dtypes = {tensor.dtype for name, tensor in state.items() if tensor.is_floating_point()}
    widest = functools.reduce(torch.promote_types, dtypes)
    converted = {
        name: tensor.detach().to(torch.int64 if name.endswith(COUNTER) else widest) for name, tensor in state.items()
    }
    return converted, str(widest).removeprefix("torch.") if len(dtypes) > 1 else None


def import_checkpoint(
    file: str | Path,
    unsaid: Unsaid,
    *,
    family: str | None = None,
    name: str | None = None,
    collection: str | None = None,
    allow_nonfinite: bool = False,
) -> Imported:
    """Make a model from a checkpoint file; nothing in it is ever executed.

    Args:
        file: A file of ``torch.save`` or of safetensors.
        unsaid: What the weights do not say.
        family: Name of the family, where the keys alone do not tell.
        name: Name of a published size, which says what the weights do not.
        collection: Which of several state dicts in the file, such as ``state_dict_ema``.
        allow_nonfinite: Take weights that are NaN or infinite.

    Raises:
        PrimeSVTError: As :func:`import_state`; or the file cannot be read, or holds something else than weights.
    """
    weights = read_weights(Path(file), collection=collection)
    try:
        check_values(weights.state, allow_nonfinite=allow_nonfinite)
    except PrimeSVTError as error:
        raise PrimeSVTError(f"{file}: {error}") from error
    imported = import_state(weights.state, unsaid, family=family, name=name)
    return dataclasses.replace(imported, found_under=weights.found_under, others=weights.others)
