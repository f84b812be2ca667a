"""Fills polygons as the programs do that read an export."""

import cv2
import numpy as np
from pycocotools import mask as coco_mask


def as_coco(polygons, shape):
    """By the centres of pixels, as pycocotools."""
    flat = [np.asarray(polygon).reshape(-1).tolist() for polygon in polygons]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, *shape))).astype(bool)


def as_opencv(polygons, shape):
    """With the border, decimals cut off, as YOLO's trainers do."""
    filled = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(filled, [np.asarray(polygon).reshape(-1, 2).astype(np.int32)], 1)
    return filled > 0


def iou(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)
