"""The engine's answers are the same bit for bit on other processors, whose machine code is compiled for itself."""

import hashlib

import numpy as np
import torch

from primesvt.models import MetaSpikeFormerConfig, SpikformerConfig, build, forward_of

from ...processors import said_on_an_old_processor


def digest() -> str:
    """Of the answers of small models, which nothing but the engine computes: their weights come from numpy."""
    said = {"classes": ("a", "b"), "image_size": (8, 8), "in_channels": 2, "mean": (0.5, 0.5), "std": (0.5, 0.5)}
    draw, found = np.random.default_rng(0), hashlib.sha256()
    images = torch.from_numpy(draw.normal(size=(6, 2, 8, 8)).astype(np.float32))
    for config, sizes in ((SpikformerConfig, {"pooling": "0011", "depth": 1}), (MetaSpikeFormerConfig, {"depth": 2})):
        model = build(config.uniform(embed_dim=16, heads=2, time_steps=2, attention_threshold=0.05, **said, **sizes))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                # Of BatchNorms, which make neurons fire now and then; and of filters.
                mean, spread = (0.7, 0.4) if tensor.ndim == 1 else (0.0, 0.5)
                drawn = draw.normal(mean, spread, tensor.shape)
                tensor.copy_(torch.from_numpy(abs(drawn) + 0.1 if name.endswith("var") else drawn))
        forward = forward_of(model.eval(), images.shape)
        logits = forward.answer(np.arange(6), lambda _: images)
        assert forward.reason is None
        assert logits.std(0).min() > 0, "it answers the same whatever it sees"
        found.update(logits.contiguous().numpy().tobytes())
    return found.hexdigest()


def test_on_an_old_processor() -> None:
    # What numba keeps machine code by, so that no processor loads another's.
    key = "from numba.core.registry import cpu_target; print(cpu_target.target_context.codegen().magic_tuple()[1])"
    code = f"{key}; from tests.models.engine.test_processors import digest; print(digest())"
    assert said_on_an_old_processor(code) == ["nehalem", digest()]
