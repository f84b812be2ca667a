"""What the tests of the rules ask of an answer."""

import numpy as np

from tests.backend.session.page_model import Page, mask_of


def by_label(result):
    labels = [Page.label(region) for region in result]
    return {label: [r for r in result if Page.label(r) == label] for label in labels}


def only(result, label):
    (region,) = by_label(result)[label]
    return region


def pixels(result):
    return [mask_of(region) for region in result]


def assert_disjoint(*masks):
    assert np.sum([mask.astype(int) for mask in masks], axis=0).max() <= 1
