"""Runs in the SDK's environment: reads calls as lines of JSON, writes their values likewise."""

import base64
import json
import sys
import time

import numpy as np
from label_studio_sdk.converter import brush
from label_studio_sdk.label_interface import LabelInterface


def mask2rle(pixels, shape):
    mask = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(shape)
    start = time.perf_counter()
    rle = brush.mask2rle(mask)
    return list(map(int, rle)), time.perf_counter() - start


def decode_rle(rle):
    start = time.perf_counter()
    pixels = brush.decode_rle(rle)
    taken = time.perf_counter() - start
    return base64.b64encode(np.asarray(pixels, np.uint8).tobytes()).decode(), taken


def errors_of_prediction(config, prediction):
    start = time.perf_counter()
    errors = LabelInterface(config).validate_prediction(prediction, return_errors=True)
    return errors, time.perf_counter() - start


CALLS = {call.__name__: call for call in (mask2rle, decode_rle, errors_of_prediction)}

for line in sys.stdin:
    name, *values = json.loads(line)
    value, seconds = CALLS[name](*values)
    print(json.dumps({"value": value, "seconds": seconds}), flush=True)
