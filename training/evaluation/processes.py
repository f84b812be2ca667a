"""Runs an evaluation in several processes."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from threading import Event

import cv2

from training.data.sample import InstanceDataset
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import Record, evaluate
from training.evaluation.segmenter import Segmenter


def evaluate_in_processes(
    build_segmenter: Callable[[], Segmenter],
    open_dataset: Callable[[], InstanceDataset],
    plan: EvaluationPlan,
    *,
    indices: Sequence[int],
    jobs: int,
    on_sample: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Run ``evaluate`` in ``jobs`` processes, each with every ``jobs``-th sample.

    Both callables must be picklable. Each process has its own generator with the same seed, so the
    choices of the strategies that draw (random, round_robin) depend on ``jobs``, as the reference's
    depend on its number of GPUs.

    Returns:
        The records in the order of ``indices``.
    """
    if jobs == 1:
        dataset = open_dataset()
        return evaluate(build_segmenter(), dataset, plan, indices=indices, on_sample=on_sample)
    shares = [list(indices[start::jobs]) for start in range(jobs)]
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(jobs, context) as pool:
        done, stop = manager.Queue(), manager.Event()
        futures = [
            pool.submit(_evaluate_share, build_segmenter, open_dataset, plan, share, done, stop)
            for share in shares
        ]
        try:
            _report_progress(futures, done, on_sample)
        finally:
            # After Ctrl-C this call may read the answer to the call that was interrupted.
            with suppress(Empty):
                stop.set()
        records = [record for future in futures for record in future.result()]
    order = {index: position for position, index in enumerate(indices)}
    return sorted(records, key=lambda record: order[record.index])


def _report_progress(
    futures: Sequence["Future[list[Record]]"], done: "Queue[None]", on_sample: Callable[[], None]
) -> None:
    """Report until all processes are done; raise a process's error as soon as it is known."""
    while not done.empty() or not all(future.done() for future in futures):
        for future in futures:
            if future.done():
                future.result()
        with suppress(Empty):
            done.get(timeout=0.2)
            on_sample()


def _evaluate_share(
    build_segmenter: Callable[[], Segmenter],
    open_dataset: Callable[[], InstanceDataset],
    plan: EvaluationPlan,
    indices: Sequence[int],
    done: "Queue[None]",
    stop: Event,
) -> list[Record]:
    """Do the work of one process; end early when ``stop`` is set."""

    def on_sample() -> None:
        done.put(None)
        if stop.is_set():
            raise InterruptedError("another process of this evaluation failed")

    cv2.setNumThreads(1)
    return evaluate(build_segmenter(), open_dataset(), plan, indices=indices, on_sample=on_sample)
