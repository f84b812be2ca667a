"""Project memory: asked for by the clock of its worker, followed by serving processes."""
