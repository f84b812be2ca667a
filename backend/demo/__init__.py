"""``dynamite demo``: a real Label Studio with a sample project, connected to the backend."""
