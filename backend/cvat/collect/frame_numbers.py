"""The number under which the annotation of one frame of a job is stored.

CVAT numbers jobs and shapes, but not what was drawn on a frame. Each frame counts by itself, as a
task of Label Studio does: for "train after 50 annotations", and for what is held out.
"""

FRAMES = 1_000_000
"""Most frames of a job: frame 3 of job 12 is number 12000003."""


def number_of(job: int, frame: int) -> int:
    """Return the number of a frame of a job."""
    return job * FRAMES + frame


def job_and_frame(number: int) -> tuple[int, int]:
    """Return the job and the frame of a number."""
    return divmod(number, FRAMES)
