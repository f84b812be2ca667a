"""Learning from accepted images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dynamite import Predictor
from dynamite.network.model import DynaMITE
from training.data.sample import Sample
from training.loop.distributed import Processes
from training.loop.iteration import Iteration
from training.memory import learn as learn_module
from training.memory.examples import Example, clicked_batch, encode_examples, with_at_most
from training.memory.learn import config_for, learn
from training.memory.views import MOST_EXAMPLES, MOST_VIEWS, draw_view, with_views


@pytest.fixture
def examples(model: DynaMITE, samples: list[Sample]) -> list[Example]:
    return encode_examples(Predictor(model), samples)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn in larger steps: the network of these tests has learned nothing yet."""
    monkeypatch.setattr(learn_module, "RATE", 5e-3)


def loss(model: DynaMITE, examples: list[Example]) -> float:
    """Return the mean loss on first clicks, the same for every network."""
    iteration = Iteration(model, config_for(model, np.random.default_rng(0)), Processes())
    rng, found = np.random.default_rng(1), []
    with torch.no_grad():
        for number in range(12):
            example = examples[number % len(examples)]
            batch = clicked_batch(example, 8, rng, number)
            found.append(float(iteration.answer(example.maps, batch, 0).losses.total))
    return float(np.mean(found))


@pytest.mark.usefixtures("fast")
def test_learning_lowers_the_loss_on_its_examples(model: DynaMITE, examples: list[Example]) -> None:
    adapted = learn(model, examples, np.random.default_rng(0), steps=60).apply(model)
    assert loss(adapted, examples) < 0.9 * loss(model, examples)


def test_the_network_itself_stays_as_it_is(model: DynaMITE, examples: list[Example]) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    asking = [weight.requires_grad for weight in model.parameters()]
    learn(model, examples, np.random.default_rng(0), steps=3)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    assert asking == [weight.requires_grad for weight in model.parameters()]
    assert all(weight.grad is None for weight in model.parameters())


def test_the_generator_makes_all_choices(model: DynaMITE, examples: list[Example]) -> None:
    digests = [
        learn(model, examples, np.random.default_rng(seed), steps=3).digest for seed in (1, 1, 2)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_examples_are_at_the_size_of_the_input(model: DynaMITE, samples: list[Sample]) -> None:
    wide = replace(
        samples[0],
        image=samples[0].image[:40],
        label_map=samples[0].label_map[:40],
        ignore=samples[0].ignore[:40],
        whole_areas=(),
    )
    (example,) = encode_examples(Predictor(model), [wide])
    assert example.sample.label_map.shape == example.maps.padded_size
    features = Predictor(model).encode(wide.image)
    height, width = features.input_size
    assert example.sample.ignore[height:].all()
    assert example.sample.ignore[:, width:].all()
    assert not example.sample.ignore[:height, :width].any()


def test_an_image_of_specks_is_no_example(model: DynaMITE, samples: list[Sample]) -> None:
    label_map = np.full_like(samples[0].label_map, -1)
    label_map[3, 3] = 0
    speck = replace(
        samples[0], label_map=label_map, labels=("disc",), parents=(), stuff=(), whole_areas=()
    )
    assert encode_examples(Predictor(model), [speck]) == []


def test_of_a_crowd_some_are_drawn_and_the_rest_is_ignored(samples: list[Sample]) -> None:
    one = with_at_most(samples[0], 1, np.random.default_rng(0))
    assert len(one.labels) == 1
    objects = samples[0].label_map >= 0
    assert np.array_equal(one.ignore | (one.label_map >= 0), objects)
    assert with_at_most(samples[0], 2, np.random.default_rng(0)) is samples[0]


@pytest.mark.usefixtures("fast")
def test_learning_goes_on_from_what_is_known(model: DynaMITE, examples: list[Example]) -> None:
    known = learn(model, examples, np.random.default_rng(0), steps=40)
    more = learn(model, examples, np.random.default_rng(1), steps=40, start=known)
    afresh = learn(model, examples, np.random.default_rng(1), steps=40)
    assert loss(more.apply(model), examples) < loss(afresh.apply(model), examples)


def test_a_view_shows_the_objects_where_its_pixels_are(samples: list[Sample]) -> None:
    rng = np.random.default_rng(0)
    numbered = replace(samples[0], image=np.repeat(samples[0].label_map[..., None] + 1, 3, 2) * 60)
    numbered = replace(numbered, image=numbered.image.astype(np.uint8))
    for _ in range(20):
        view = draw_view(numbered, rng)
        assert min(view.label_map.shape) >= 48
        assert set(view.labels) <= set(samples[0].labels)
        values = [set(np.unique(view.image[view.label_map == n])) for n in range(len(view.labels))]
        assert all(len(one) == 1 for one in values)  # an object has one colour, whichever it is now
    assert np.array_equal(samples[0].image, samples[0].image.copy())


def test_few_images_get_views_and_many_leave_no_room(samples: list[Sample]) -> None:
    def count(images: int) -> int:
        return len(list(with_views(samples[0], images, np.random.default_rng(0))))

    assert count(1) == count(8) == 1 + MOST_VIEWS
    assert count(16) == 2
    assert all(count(n) * n <= MOST_EXAMPLES for n in range(8, MOST_EXAMPLES))
