"""The adapter of CVAT: the model as an interactor, and its accepted jobs as training data."""
