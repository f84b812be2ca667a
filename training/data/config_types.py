"""Number types of configs, checked when a config is read, not when code makes one."""

import math
from typing import Annotated

from pydantic import AfterValidator, Field

Probability = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Area = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not 0 < low <= high < math.inf:
        raise ValueError(f"two numbers are needed, 0 < low ≤ high, not {low:g} and {high:g}")
    return bounds


PositiveRange = Annotated[tuple[float, float], AfterValidator(_rising)]
