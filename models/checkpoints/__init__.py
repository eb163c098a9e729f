"""Models on disk: PrimeSVT's model directories, and the checkpoints of other code, read without running any of it."""
