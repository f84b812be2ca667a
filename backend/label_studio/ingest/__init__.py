"""From Label Studio's events to the annotation store: jobs, retries, and the comparison of both."""
