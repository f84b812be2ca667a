"""Label maps of rectangles, and a method with scripted answers."""

import numpy as np


def label_map(height, width, *boxes):
    labels = np.full((height, width), -1, np.int32)
    for index, (top, left, bottom, right) in enumerate(boxes):
        labels[top:bottom, left:right] = index
    return labels


class Script:
    """A method that answers from a list, repeats the last answer, and records its calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.images = []

    def open(self, image):
        self.images.append(image)
        return self

    def segment(self, clicks):
        self.asked.append(clicks)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]
