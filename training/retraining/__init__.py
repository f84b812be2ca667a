"""From accepted annotations to the next version of a model: train, judge, publish."""
