"""What the samplers themselves cost, and what they drew in vain."""

from .comparison import Comparison

# A sampler whose own time is a larger part of its studies' is named.
_NOTABLE = 0.05


def sampling_notes(comparison: Comparison) -> list[str]:
    """A sentence for every sampler that takes much time itself, and one for those that drew plans again."""
    notes, redrawn = [], []
    for sampler, studies in comparison.samplers.items():
        whole = sum(study.history.seconds[-1] for study in studies)
        share = sum(study.history.sampling for study in studies) / whole if whole > 0 else 0.0
        if share > _NOTABLE:
            notes.append(f"{sampler} itself takes {share:.0%} of its studies' time, to choose what is measured.")
        if again := sum(study.history.redrawn for study in studies):
            redrawn.append(f"{sampler} {again:,}")
    if redrawn:
        notes.append(f"Plans drawn again before they were measured, as they save too little: {', '.join(redrawn)}.")
    return notes
