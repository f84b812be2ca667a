"""The training loop; ``training.loop.run`` puts its parts together."""
