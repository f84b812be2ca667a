"""``dynamite demo``: a real Label Studio with a sample project, attached to the backend."""
