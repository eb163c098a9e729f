"""The bytes of a model whose weights are int8."""

from torch import nn

from primesvt.models import int8_bytes, model_bytes
from primesvt.pruning import measure_named

from ...search.models import tiny_model


def test_a_weight_is_a_byte_and_a_channel_four_more() -> None:
    model = tiny_model()
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    saved = sum(3 * conv.weight.numel() - 4 * conv.out_channels for conv in convs)
    assert measure_named("int8-size").of(model) == int8_bytes(model) == model_bytes(model) - saved
