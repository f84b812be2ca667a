"""The job queue: events on their way to a worker, periodic jobs, lost jobs put back."""
