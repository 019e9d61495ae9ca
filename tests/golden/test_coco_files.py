"""COCO's figures through the command line: its published case, and a small one compared with pycocotools."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cv_yolo.cli.main import run

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco-val2014-100"
TWELVE = ("map_50_95", "map_50", "map_75", "map_small", "map_medium", "map_large")
TWELVE += ("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large")  # in the order of pycocotools' `stats`
EXPECTED = (0.505, 0.697, 0.573, 0.586, 0.519, 0.501, 0.387, 0.594, 0.595, 0.640, 0.566, 0.564)


def evaluated(results, truth, capsys):
    assert run(["evaluate", str(results), "--truth", str(truth), "--json", "--resamples", "100"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    return [metrics[name]["value"] for name in TWELVE if name in metrics]


def test_the_published_case_has_the_published_figures(capsys):
    if not PUBLISHED.is_dir():
        pytest.skip(f"{PUBLISHED} is not there: ../shared/data/coco-val2014-100, beside the project")
    found = evaluated(PUBLISHED / "fakebbox100.json", PUBLISHED / "annotations.json", capsys)
    assert [round(value, 3) for value in found] == list(EXPECTED)


def test_crowds_areas_and_ids_with_gaps_are_scored_as_by_pycocotools(tmp_path, capsys):
    """Ids are neither contiguous nor in order; each image has a crowd, and areas that are not those of the boxes."""
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in (90, 7, 100, 31, 8)]
    categories = [{"id": 44, "name": "bottle"}, {"id": 2, "name": "bicycle"}]
    annotations, results = [], []
    for place, image in enumerate(images):
        for k, side in enumerate((20, 50, 120, 200)):
            box = [10.0 * place + 150 * k, 20.0 * k, float(side), float(side + place)]
            category = categories[(k + place) % 2]["id"]
            annotation = {"id": 1000 - 10 * place - k, "image_id": image["id"], "category_id": category, "bbox": box}
            annotations.append(annotation | {"area": 0.6 * side * side, "iscrowd": int(k == place % 4)})
            moved = [box[0] + 3 * place, box[1] + 2, box[2], box[3] - k]
            result = {"image_id": image["id"], "category_id": category, "bbox": moved}
            results += [result | {"score": score} for score in (0.3 + 0.1 * k, 0.5)]  # the second ties across images
    truth, found = tmp_path / "gt.json", tmp_path / "dt.json"
    truth.write_text(
        json.dumps({"info": {}, "images": images, "annotations": annotations, "categories": categories}),
        encoding="utf-8",
    )
    found.write_text(json.dumps(results), encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(truth))
        judged = COCOeval(theirs, theirs.loadRes(str(found)), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    ours = evaluated(found, truth, capsys)
    assert ours == pytest.approx(judged.stats.tolist(), abs=1e-9)
