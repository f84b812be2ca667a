"""Which annotation counts where several describe the same image."""

from collections.abc import Iterable

from training.annotation_store.keys import AnnotationKey
from training.annotation_store.values import AcceptedAnnotation, AcceptedImage


def counting(
    annotations: Iterable[AcceptedAnnotation],
) -> list[tuple[AcceptedImage, AcceptedAnnotation]]:
    """Return one entry for each image, with its annotation, ordered by the image's digest.

    Skipped annotations and images without an object do not count. Of the annotations of one image,
    ground truth comes before all others; among equals the last update wins, then the higher key.
    """
    best: dict[str, tuple[tuple[bool, str, AnnotationKey], AcceptedImage, AcceptedAnnotation]] = {}
    for annotation in annotations:
        if annotation.cancelled:
            continue
        rank = (annotation.ground_truth, annotation.updated_at, annotation.key)
        for image in annotation.images:
            if image.regions and (image.digest not in best or rank > best[image.digest][0]):
                best[image.digest] = (rank, image, annotation)
    return [(image, annotation) for _, (_, image, annotation) in sorted(best.items())]
