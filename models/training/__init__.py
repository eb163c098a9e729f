"""Training a family, and fine-tuning a pruned model."""
