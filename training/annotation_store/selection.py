"""Which annotations count, where several say something about the same image."""

from collections.abc import Iterable

from training.annotation_store.values import AcceptedAnnotation, AcceptedImage


def counting(
    annotations: Iterable[AcceptedAnnotation],
) -> list[tuple[AcceptedImage, AcceptedAnnotation]]:
    """One entry for each image, with the annotation it is from, ordered by the image's digest.

    The rule: skipped ones and images without an object do not count. Of the annotations of one
    image, those marked as ground truth go before all others; among equals the last updated wins.
    """
    best: dict[str, tuple[tuple[bool, str, int], AcceptedImage, AcceptedAnnotation]] = {}
    for annotation in annotations:
        if annotation.cancelled:
            continue
        rank = (annotation.ground_truth, annotation.updated_at, annotation.annotation_id)
        for image in annotation.images:
            if image.regions and (image.digest not in best or rank > best[image.digest][0]):
                best[image.digest] = (rank, image, annotation)
    return [(image, annotation) for _, (_, image, annotation) in sorted(best.items())]
