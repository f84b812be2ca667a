"""What people accepted: annotations with their images, kept for training."""

from training.annotation_store.backup import copy_database, copy_store
from training.annotation_store.database import Database, FileFormat, StoreError
from training.annotation_store.keys import AnnotationKey, ProjectKey, TaskKey
from training.annotation_store.schema import is_there
from training.annotation_store.selection import counting
from training.annotation_store.snapshot import (
    CORRECTED,
    HOLDOUT,
    UNCHANGED,
    Snapshot,
    SnapshotRules,
    count_held_out,
    write_snapshot,
)
from training.annotation_store.store import AnnotationStore, Outcome
from training.annotation_store.values import (
    AcceptedAnnotation,
    AcceptedImage,
    Origin,
    Region,
    Rejection,
    encode_mask,
    polygon_mask,
)

__all__ = [
    "CORRECTED",
    "HOLDOUT",
    "UNCHANGED",
    "AcceptedAnnotation",
    "AcceptedImage",
    "AnnotationKey",
    "AnnotationStore",
    "Database",
    "FileFormat",
    "Origin",
    "Outcome",
    "ProjectKey",
    "Region",
    "Rejection",
    "Snapshot",
    "SnapshotRules",
    "StoreError",
    "TaskKey",
    "copy_database",
    "copy_store",
    "count_held_out",
    "counting",
    "encode_mask",
    "is_there",
    "polygon_mask",
    "write_snapshot",
]
