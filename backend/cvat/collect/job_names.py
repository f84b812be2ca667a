"""The names by which the jobs of the queue ``ingest`` are called."""

EVENT_JOB = f"{__package__}.jobs.collect_event"
RECONCILE_JOB = f"{__package__}.jobs.reconcile_cvat"
