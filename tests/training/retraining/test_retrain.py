import json
import subprocess

import pytest

from dynamite import load
from dynamite.checkpoints.checkpoint import read, save
from dynamite.network.config import Resize, preset
from dynamite.registry import Registry
from tests.training.retraining.drawn import request, with_options
from tests.training.tiny_run import TINY_MODEL
from training.retraining import launching
from training.retraining.launching import (
    TrainingFailedError,
    command,
    last_step,
    last_words,
    log_since,
    process_count,
    run_training,
)
from training.retraining.recipe import ROUNDS, accepted_shares, overrides, recipe, scales
from training.retraining.request import RequestError, read_request
from training.retraining.retrain import retrain
from training.retraining.run_folder import keep_copy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("retraining")


@pytest.fixture(scope="module")
def values(folder):
    return request(folder)


def test_a_request_of_another_shape_says_what_is_wrong(values):
    with pytest.raises(RequestError, match=r"options\.train_steps: .* valid integer"):
        read_request(with_options(values, train_steps="many"))
    with pytest.raises(RequestError, match="colour: Extra inputs are not permitted"):
        read_request(values | {"colour": 1})
    with pytest.raises(RequestError, match=r"options\.colour: Extra"):
        read_request(with_options(values, colour=1))
    with pytest.raises(RequestError, match="snapshot: Field required"):
        read_request({name: value for name, value in values.items() if name != "snapshot"})
    with pytest.raises(RequestError, match=r"options\.judge_least: .* greater than or equal to 2"):
        read_request(with_options(values, judge_least=1))


def test_a_request_comes_out_of_the_queue_as_it_went_in(values):
    wanted = read_request(values)
    written = json.loads(json.dumps(wanted.model_dump(mode="json")))
    assert read_request(written) == wanted


def test_the_accepted_images_get_their_share_and_echoes_weigh_less(values, folder):
    wanted = read_request(
        with_options(
            values,
            train_base_sets=["coco", "lvis"],
            train_base_ratio=0.6,
            unchanged_weight=0.25,
        )
        | {"images": {"corrected": 10, "unchanged": 40, "holdout": 5}}
    )
    sets = {s.name: s.weight for s in recipe(wanted, wanted.checkpoint).data.sets}
    assert sets["coco"] == sets["lvis"] == pytest.approx(0.3)
    assert sets[str(wanted.snapshot / "corrected")] == pytest.approx(0.4 * 10 / 20)
    assert sets[str(wanted.snapshot / "unchanged")] == pytest.approx(0.4 * 10 / 20)
    only_echo = read_request(
        with_options(values, unchanged_weight=0) | {"images": {"unchanged": 3}}
    )
    with pytest.raises(RequestError, match="nothing to train on"):
        accepted_shares(only_echo)


def test_a_network_that_differs_from_its_preset_is_built_as_it_is(values):
    config = read(values["checkpoint"]).config
    assert overrides(config) == TINY_MODEL | {"resize": Resize(64, 64)}


def test_images_are_trained_on_about_as_large_as_they_are_served(values):
    wanted = read_request(values)
    config = read(wanted.checkpoint).config
    assert scales(config, 32) == [0.75 * 64 / 32, 1.25 * 64 / 32]
    assert scales(preset("swin_tiny"), 1024) == [0.75 * 800 / 1024, 1.25 * 1333 / 1024]
    assert recipe(wanted, wanted.checkpoint).data.augment["scale"] == [0.75, 1.25]


def test_a_line_keeps_the_input_size_of_its_network_and_learns_from_late_clicks_too(values):
    wanted = read_request(values)
    made = recipe(wanted, wanted.checkpoint)
    assert made.model.overrides["resize"] == Resize(64, 64)
    assert made.max_rounds == ROUNDS
    assert made.supervised_rounds == "all"


def test_a_rank_says_why_it_ended_before_torchrun_says_much_of_it(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("Error: of an earlier attempt\n")
    start = log.stat().st_size
    noise = "\n".join(f"E1127 torch/distributed/elastic line {line}" for line in range(60))
    with log.open("a") as file:
        file.write(f"step 5\nError: [Errno 28] No space left on device: 'step_5.pt'\n{noise}\n")
    assert last_words(log_since(log, start)).startswith("Error: [Errno 28] No space left on device")
    assert last_words("step 5\nsteps end here") == "step 5\nsteps end here"
    assert len(last_words(noise)) == 1000


def test_what_is_left_counts_from_the_checkpoint_that_an_attempt_goes_on_from(
    tmp_path, monkeypatch
):
    """Until it has read it, the file of metrics holds the steps of the attempt that was killed."""
    monkeypatch.setattr(launching, "POLL_SECONDS", 0.01)
    metrics, steps, told = tmp_path / "metrics.jsonl", iter([50, 60, 70]), []
    metrics.write_text('{"step": 95}\n')
    process = subprocess.Popen(["sleep", "60"])

    def report(step, left):
        told.append((step, left))
        following = next(steps, None)
        if following is None:
            process.kill()
            process.wait()
        else:
            metrics.write_text(f'{{"step": {following}}}\n')

    launching.watch(process, tmp_path, 100, report)
    assert [step for step, _ in told] == [95, 50, 60, 70]
    assert [left is None for _, left in told] == [True, True, False, False]
    assert all(left > 0 for _, left in told[2:])


def test_every_process_has_the_same_number_of_images_and_at_least_one(values):
    wanted = read_request(with_options(values, train_batch=4))
    batches = [
        recipe(wanted, wanted.checkpoint, processes).stages[0].batch for processes in (1, 2, 3, 8)
    ]
    assert batches == [4, 4, 6, 8]


@pytest.mark.parametrize("channels", [0, 4])
def test_maps_are_judged_by_their_lead_where_a_refiner_makes_them(values, tmp_path, channels):
    model = load("lite", random_weights=True, **TINY_MODEL, refiner_channels=channels)
    save(model, tmp_path / "start.safetensors", {})
    config = recipe(read_request(values), tmp_path / "start.safetensors")
    assert config.loss.margins == bool(channels)
    assert config.loss.near > 0
    assert config.model.overrides["refiner_channels"] == channels


def test_a_training_goes_on_from_the_weights_it_began_with(tmp_path):
    began = tmp_path / "shipped.safetensors"
    began.write_bytes(b"those of the release before")
    copy = tmp_path / "start.safetensors"
    assert keep_copy(began, copy).read_bytes() == began.read_bytes()
    began.write_bytes(b"those of an upgrade")
    assert keep_copy(began, copy).read_bytes() == b"those of the release before"


def test_several_gpus_or_hosts_are_started_by_torchrun():
    assert command(1, "") == ["training.retraining.rank"]
    assert [process_count(0, ""), process_count(3, ""), process_count(4, "2@trainer:1")] == [
        1,
        3,
        8,
    ]
    assert command(2, "")[:4] == ["torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    hosts = command(1, "2@trainer:29500")
    assert hosts[3:9] == [
        "--nnodes",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "trainer:29500",
    ]


def test_the_progress_of_a_cut_off_file_of_metrics_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert last_step(path) is None
    path.write_text('{"step": 5, "loss": 1}\n{"step": 10, "lo')
    assert last_step(path) == 5


def test_a_training_that_fails_says_why(values, tmp_path):
    wanted = read_request(values)
    config = recipe(wanted, wanted.checkpoint)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "step_00000001.pt").write_bytes(b"damaged")
    with pytest.raises(TrainingFailedError, match=r"ended with status 1: .*weights_only"):
        run_training(config, tmp_path / "run")


@pytest.mark.slow
def test_train_judge_publish(values):
    phases = []
    wanted = read_request(values)
    outcome = retrain(wanted, "attempt", lambda *told: phases.append(told[0]))
    registry = Registry(wanted.models)
    version = registry.get(outcome["version"])
    version.verify()
    assert (registry.current().version == version.name) == outcome["published"]
    assert version.description.data == wanted.digest
    assert version.description.parent is None
    assert {"training", "judging, held out", "judging, base"} >= set(phases)
    report = json.loads((version.report / "report.json").read_text())
    assert [s["set"] for s in report["sets"]] == ["held out", "base"]
    assert len(list((version.report / "pictures").glob("*.jpg"))) >= 4
    assert "nci" in (version.report / "report.txt").read_text()
    assert not wanted.run.exists()  # checkpoints are not kept


@pytest.mark.slow
def test_a_worse_candidate_is_kept_but_not_published(folder):
    strict = request(folder, run=str(folder / "strict"), models=str(folder / "models" / "strict"))
    strict = with_options(strict, judge_margin=0.99)
    outcome = retrain(read_request(strict), "attempt")
    registry = Registry(read_request(strict).models)
    assert not outcome["published"]
    assert registry.current().version is None
    assert outcome["verdict"].startswith("not published: ")
    assert registry.get(outcome["version"]).description.verdict.startswith("not passed: ")
