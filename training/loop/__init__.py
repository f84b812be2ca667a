"""The training loop, piece by piece; ``training.train`` puts them together."""
