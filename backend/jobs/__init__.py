"""The job queue: events on their way to a worker, jobs due by the clock, jobs to be rescued."""
