"""What a family declares of its channels."""

from primesvt.models import EMBEDDING, ChannelGroup, conv_bn, writer


def test_leaf_modules_of_convolutions() -> None:
    assert conv_bn("a", "b.0") == ("a.conv", "a.bn", "b.0.conv", "b.0.bn")
    assert conv_bn() == ()


def test_a_layer_that_writes_into_a_stream() -> None:
    assert writer("blocks.0.output", "mlp") == ChannelGroup(
        name="blocks.0.output",
        kind="mlp",
        filters=("blocks.0.output.conv", "blocks.0.output.bn"),
        stream=EMBEDDING,
        index="blocks.0.output_index",
    )
    other = writer("stem.3", "stem", stream="s", filters=("x",), index="stem_index", readers=("position.conv",))
    assert (other.stream, other.filters, other.index, other.readers) == ("s", ("x",), "stem_index", ("position.conv",))
    assert other.heads == 1
