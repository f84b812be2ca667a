"""Table, JSON, pictures and folder of an evaluation, in one or several processes; the command."""

import io
import json
import os
import signal
import threading
import time
from functools import partial

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from backend.cli.evaluate import PROTOCOLS, STRATEGIES, evaluate
from dynamite import Click, ClickSet
from dynamite.errors import DynamiteError
from training.data.catalog import open_dataset
from training.evaluation import gestures, strategies
from training.evaluation.grabcut import GrabCut
from training.evaluation.mask_quality import MaskQuality
from training.evaluation.overlays import overlay
from training.evaluation.plan import EvaluationPlan
from training.evaluation.processes import evaluate_in_processes
from training.evaluation.random_walker import RandomWalker
from training.evaluation.report import Row, document, table, worst
from training.evaluation.report_folder import write_report
from training.evaluation.runner import Record


def record(name, ious, index=0):
    ious = np.array(ious, float)
    clicks = ClickSet([[Click(2, 3, 0)]] * ious.shape[1], [Click(9, 9, 1)])
    _, png = cv2.imencode(".png", np.zeros((12, 16), np.uint16))
    spent, seconds = np.ones(ious.shape[1], np.intp), np.full(len(ious), 0.01)
    count = ious.shape[1]
    first, last = (
        MaskQuality(np.full(count, value), np.ones(count, int), np.full(count, holes))
        for value, holes in ((0.25, 4), (0.75, 2))
    )
    return Record(
        index, index, name, None, ious, spent, clicks, png.tobytes(), seconds, first, last
    )


ROWS = [
    Row(
        "lite",
        EvaluationPlan(gesture=gesture),
        [record("a", [[0.5], [value]]), record("b", [[0.9]])],
    )
    for gesture, value in (("center", 0.9), ("scribble", 0.2))
]


def text_of(rich_table):
    console = Console(width=200, file=io.StringIO())
    console.print(rich_table)
    return console.file.getvalue()


class TestReport:
    def test_table_of_mist(self):
        text = text_of(table(ROWS, "a set"))
        for word in (
            "a set",
            "NCI@85%",
            "NFO",
            "NFI",
            "IoU",
            "B-IoU",
            "0.750",
            "parts",
            "holes",
            "2.00",
            "1.50",
            "rise",
            "+266.7%",
            "ms/click",
        ):
            assert word in text
        assert "spread" not in text  # nothing to say: no such protocol was run

    def test_table_of_single_instance(self):
        plan = EvaluationPlan.single_instance()
        row = Row("lite", plan, [record("a", [[0.5], [0.86], [0.9]]), record("b", [[0.95]])])
        text = text_of(table([row], "a set"))
        for word in (
            "NoC@90%",
            "failed@85%",
            "IoU@1",
            "2.00",
            "0.725",
            "B-IoU@1",
            "0.250",
            "holes@1",
        ):
            assert word in text
        assert "strategy" not in text

    def test_json_holds_every_click_and_iou(self):
        found = json.loads(json.dumps(document(ROWS, set="s"), allow_nan=False))
        assert found["set"] == "s"
        first = found["rows"][0]
        assert first["score"]["nci"] == 1.5
        assert first["plan"]["strategy"] == "random"
        assert first["samples"][0]["ious"] == [[0.5], [0.9]]
        assert first["samples"][0]["clicks"][1] == {"object": -1, "x": 9, "y": 9, "time": 1}
        assert first["look"] == {"boundary_iou": 0.75, "parts": 1.0, "holes": 2.0}
        assert first["samples"][0]["first"] == {"boundary_iou": [0.25], "parts": [1], "holes": [4]}
        assert found["rows"][1]["robustness"]["rise"] == pytest.approx(5.5 / 1.5 - 1)

    def test_json_writes_an_absent_iou_as_null(self):
        row = Row("lite", EvaluationPlan(), [record("a", [[float("nan"), 0.9]])])
        assert document([row])["rows"][0]["samples"][0]["ious"] == [[None, 0.9]]

    def test_worst_first(self):
        found = worst(
            Row("m", EvaluationPlan(), [record(str(v), [[v]]) for v in (0.3, 0.1, 0.9)]), 2
        )
        assert [one.name for one in found] == ["0.1", "0.3"]


def test_overlay_shows_answer_target_clicks_and_caption():
    image = np.full((60, 80, 3), 128, np.uint8)
    target, answer = np.full((60, 80), -1, np.int32), np.full((60, 80), -1, np.int32)
    target[10:50, 10:40] = 0
    answer[10:50, 20:50] = 0
    clicks = ClickSet([[Click(15, 30, 0)]], [Click(60, 30, 1)])
    plain = overlay(image, target, answer, clicks)
    assert plain.shape == (675, 900, 3)
    scale = 900 / 80
    at = {name: plain[int(y * scale), int(x * scale)] for name, (y, x) in POINTS.items()}
    assert at["outside"].tolist() == [128, 128, 128]
    assert at["missed"].tolist() == [128, 128, 128]
    assert at["answered"].tolist() != [128, 128, 128]
    assert plain[int(30.5 * scale), int(60.5 * scale)].tolist() == [0, 0, 0]  # the cross
    captioned = overlay(image, target, answer, clicks, caption="a: 0.5")
    assert np.array_equal(captioned[-675:], plain)
    assert captioned[:-675].min() < 50  # letters


POINTS = {"outside": (5, 70), "missed": (20, 15), "answered": (20, 45)}


@pytest.fixture
def data(tmp_path):
    """Write a COCO set of three images with two squares each on noise."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    (tmp_path / "squares" / "images").mkdir(parents=True)
    for index in range(3):
        image = rng.integers(90, 110, (60, 80, 3)).astype(np.uint8)
        boxes = [(10, 10, 20, 24), (45, 20 + 3 * index, 22, 20)]
        for number, (x, y, w, h) in enumerate(boxes):
            image[y : y + h, x : x + w, number] = 250
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": w * h,
                    "bbox": [x, y, w, h],
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
        name = f"{index}.png"
        cv2.imwrite(str(tmp_path / "squares" / "images" / name), image)
        images.append({"id": index, "file_name": f"images/{name}", "height": 60, "width": 80})
    text = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "square"}],
    }
    (tmp_path / "squares" / "annotations.json").write_text(json.dumps(text))
    return tmp_path


def edit(root, change):
    """Change the json of the set in place."""
    path = root / "squares" / "annotations.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("method", [GrabCut, RandomWalker])
def test_baselines_cut_out_two_squares(data, method):
    sample = open_dataset("squares", data)[0]
    opened = method().open(sample.image)
    answer = opened.segment(ClickSet([[Click(20, 22, 0)], [Click(56, 30, 1)]], [Click(40, 5, 2)]))
    for index, (y, x) in enumerate([(22, 20), (30, 56)]):
        own = sample.label_map == sample.label_map[y, x]
        mask = answer == index
        assert (own & mask).sum() / (own | mask).sum() > 0.8


def test_grabcut_keeps_what_no_click_concerns(data):
    opened = GrabCut().open(open_dataset("squares", data)[0].image)
    first = opened.segment(ClickSet([[Click(20, 22, 0)], [Click(56, 30, 1)]]))
    more = opened.segment(ClickSet([[Click(20, 22, 0), Click(12, 12, 2)], [Click(56, 30, 1)]]))
    assert np.array_equal(first == 1, more == 1)


def test_folder(data, tmp_path):
    dataset = open_dataset("squares", data)
    out = tmp_path / "out"
    plan = EvaluationPlan(strategy="worst")
    records = evaluate_in_processes(RandomWalker, lambda: dataset, plan, indices=range(3), jobs=1)
    for _ in range(2):  # the second report replaces the first
        write_report(out, [Row("random_walker", plan, records)], dataset, "squares", set="squares")
    assert "NCI@85%" in (out / "table.txt").read_text()
    assert json.loads((out / "results.json").read_text())["set"] == "squares"
    assert cv2.imread(str(out / "curves.png")).shape[1] > 600
    assert len(list((out / "worst" / "random_walker-worst-center").glob("*.jpg"))) == 3


@pytest.mark.slow
def test_processes_find_what_one_process_finds(data):
    run = partial(
        evaluate_in_processes,
        RandomWalker,
        partial(open_dataset, "squares", data),
        EvaluationPlan(strategy="best", gesture="off-center", clicks_per_object=3, threshold=0.95),
        indices=range(3),
    )
    ticks = []
    one, two = run(jobs=1), run(jobs=2, on_sample=lambda: ticks.append(1))
    assert len(ticks) == 3
    assert [r.sample_id for r in one] == [r.sample_id for r in two]
    for first, second in zip(one, two, strict=True):
        assert np.array_equal(first.ious, second.ious)
        assert first.clicks == second.clicks


@pytest.mark.slow
def test_an_error_in_a_process_is_told(tmp_path):
    with pytest.raises(DynamiteError, match="no data set"):
        evaluate_in_processes(
            RandomWalker,
            partial(open_dataset, "none", tmp_path),
            EvaluationPlan(),
            indices=range(4),
            jobs=2,
        )


@pytest.mark.slow
def test_ctrl_c_while_processes_work_is_told_as_such(data):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)  # SIGALRM ends tests that hang
    timer = threading.Timer(2, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            evaluate_in_processes(
                partial(time.sleep, 4),  # nothing is done yet, and its end is waited for
                partial(open_dataset, "squares", data),
                EvaluationPlan(),
                indices=range(2),
                jobs=2,
            )
        assert caught.value.__context__ is None
    finally:
        timer.cancel()
        signal.signal(signal.SIGUSR1, before)


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])

    def test_knows_all_strategies_and_protocols(self):
        assert tuple(strategies.STRATEGIES) == STRATEGIES
        assert tuple(gestures.GESTURES) == PROTOCOLS

    def test_baseline_over_a_set(self, data, tmp_path):
        out = tmp_path / "report"
        result = self.run(
            "--set", "squares", "--data", data, "--baseline", "random_walker", "--limit", 2,
            "--strategy", "worst", "--strategy", "best", "--budget", 3, "--out", out,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert "2 of 3 images" in result.stdout
        assert "random_walker, best, center: 2 of 2 images" in result.stderr
        rows = json.loads((out / "results.json").read_text())["rows"]
        assert [row["plan"]["strategy"] for row in rows] == ["worst", "best"]
        assert {row["plan"]["clicks_per_object"] for row in rows} == {3}

    def test_single(self, data):
        result = self.run(
            "--set", "squares", "--data", data, "--baseline", "random_walker", "--single",
            "--protocol", "box", "--limit", 1,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert "NoC@90%" in result.stdout

    def test_a_threshold_off_the_grid_has_its_own_column(self, data):
        result = self.run(
            "--set", "squares", "--data", data, "--baseline", "random_walker", "--single",
            "--threshold", 0.875, "--budget", 2, "--limit", 1,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert "NoC@87.5%" in result.stdout

    def test_single_has_one_row_for_all_strategies(self, data, tmp_path):
        result = self.run(
            "--set", "squares", "--data", data, "--baseline", "random_walker", "--single",
            "--strategy", "all", "--budget", 1, "--limit", 1, "--out", tmp_path / "report",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert len(json.loads((tmp_path / "report" / "results.json").read_text())["rows"]) == 1

    def test_an_empty_image_is_substituted_only_when_asked(self, data):
        edit(data, lambda content: content["annotations"].__delitem__(slice(0, 2)))
        arguments = ["--set", "squares", "--data", data, "--baseline", "random_walker"]
        assert "2 of 2 images" in self.run(*arguments, "--budget", 1).stdout
        assert "3 of 3 images" in self.run(*arguments, "--budget", 1, "--substitute-empty").stdout

    def test_a_set_without_objects_is_told_before_anything_runs(self, data):
        edit(data, lambda content: content["annotations"].clear())
        result = self.run("--set", "squares", "--data", data, "--baseline", "grabcut", "--jobs", 2)
        assert result.exit_code == 1
        assert "squares: no image has an object" in result.output

    def test_problems_are_skipped_only_when_asked_and_told(self, data):
        edit(data, lambda content: content["annotations"][0].update(segmentation="zlib"))
        arguments = ["--set", "squares", "--data", data, "--baseline", "random_walker"]
        assert isinstance(self.run(*arguments).exception, DynamiteError)
        result = self.run(*arguments, "--skip-problems", "--budget", 1)
        assert result.exit_code == 0, result.output
        assert "squares: 1 problems (1 × unknown encoding)" in result.stderr

    def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(self, data, tmp_path):
        (tmp_path / "report").write_text("a file")
        out = tmp_path / "report" / "inside"
        result = self.run(
            "--set", "squares", "--data", data, "--baseline", "random_walker", "--out", out
        )
        assert isinstance(result.exception, OSError)
        assert "images" not in result.stderr

    def test_a_negative_seed_is_refused(self, data):
        result = self.run("--set", "squares", "--data", data, "--baseline", "grabcut", "--seed", -1)
        assert result.exit_code == 2
        assert "-1 is not in the range" in result.output

    def test_evaluation_sets_lie_in_a_folder_of_their_own(self, data):
        (data / "eval").mkdir()
        (data / "squares").rename(data / "eval" / "squares")
        result = self.run(
            "--set", "squares", "--data", data, "--baseline", "random_walker", "--limit", 1
        )
        assert result.exit_code == 0, result.output

    def test_says_what_is_missing(self, data):
        result = self.run("--set", "squares", "--data", data)
        assert result.exit_code != 0
        assert "CHECKPOINT" in result.output

    def test_a_checkpoint_that_is_none(self, data):
        with pytest.raises(DynamiteError, match=r"nowhere: neither a checkpoint file nor one of"):
            CliRunner().invoke(
                evaluate,
                ["nowhere", "--set", "squares", "--data", str(data)],
                catch_exceptions=False,
            )
