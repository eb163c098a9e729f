"""The families of spiking vision transformers, the blocks that several share, and what a family declares."""
