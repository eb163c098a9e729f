"""Widths that the first spiking vision transformers share: of the four-stage convolutional stem, and of the MLP."""


def stem_widths(embed_dim: int) -> dict[str, int]:
    """Published widths of the stem, by layer name: an eighth, a quarter, a half and all of the embedding."""
    return {
        "stem.0": embed_dim // 8,
        "stem.1": embed_dim // 4,
        "stem.2": embed_dim // 2,
        "stem.3": embed_dim,
        "position": embed_dim,
        "embedding": embed_dim,
    }


def hidden_width(embed_dim: int, mlp_ratio: float) -> int:
    """Hidden width of the MLP, rounded down; exact where the ratio was itself computed from two widths."""
    return int(embed_dim * mlp_ratio + 1e-6)
