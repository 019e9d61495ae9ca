"""`evaluate` and `compare` with `--truth`: two JSON files and nothing else."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cv_yolo.cli.main import run

HEAVY = {"zenml", "mlflow", "dvc", "torch", "PIL", "ultralytics"}
FEW = ("--resamples", "100")
Capture = pytest.CaptureFixture[str]


def box(place: int) -> list[float]:
    return [20.0 * place, 5.0, 15.0, 15.0]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve images with ids in steps of 3; `a` finds everything, `b` half, `c` nothing, `d` nearly all."""
    images = [
        {"id": 3 * n, "file_name": f"{n}.jpg", "weather": "rain" if n % 2 else "sun", "serial": n, "attributes": {}}
        for n in range(12)
    ]
    annotations = [
        {"id": 2 * n + k, "image_id": 3 * n, "category_id": 5 + 8 * k, "bbox": box(k), "area": 225, "iscrowd": 0}
        for n in range(12)
        for k in range(2)
    ]
    categories = [{"id": 5, "name": "cat"}, {"id": 13, "name": "dog"}]
    found = [{key: each[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9} for each in annotations]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "gt.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories}), encoding="utf-8"
    )
    for name, rows in (
        ("a", found),
        ("d", found[2:]),
        ("b", [each for each in found if each["image_id"] % 2]),
        ("c", []),
    ):
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return folder


def on(files: Path, command: str, *names: str) -> list[str]:
    return [command, *(str(files / name) for name in names), "--truth", str(files / "gt.json"), *FEW]


def test_two_files_are_evaluated_without_heavy_libraries_and_nothing_is_written(files: Path) -> None:
    script = (
        f"import sys; from cv_yolo.cli.main import run; code = run({on(files, 'evaluate', 'a.json')!r}); "
        f"print(code, {HEAVY!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
    assert "a.json on 12 images, 24 boxes (annotations " in done.stdout
    assert list(Path.cwd().iterdir()) == []


def test_the_json_of_an_evaluation_has_schema_version_intervals_and_slices(files: Path, capsys: Capture) -> None:
    assert run([*on(files, "evaluate", "b.json"), "--json", "--slice-by", "weather"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["version"], said["name"]) == ("cv-yolo/evaluation", 1, "b.json")
    assert said["slices"] == {"weather=rain": 6, "weather=sun": 6}
    assert said["truth"]["images"] == 12
    assert said["metrics"]["slice/weather=rain/map_50"]["value"] == pytest.approx(1.0)
    assert said["metrics"]["slice/weather=sun/map_50"]["value"] == 0.0
    assert said["metrics"]["map_50"]["low"] < said["metrics"]["map_50"]["high"]


def test_pages_and_csv_are_written_where_asked(files: Path, capsys: Capture) -> None:
    page, table = Path("out/page.html"), Path("out/table.csv")
    assert run([*on(files, "evaluate", "b.json"), "--html", str(page), "--csv", str(table)]) == 0
    assert "b.json scores" in page.read_text(encoding="utf-8")
    assert "Annotations (SHA-256)" in page.read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert {row["metric"] for row in rows} >= {"map_50_95", "class/cat/ap_50"}
    assert run([*on(files, "evaluate", "b.json"), "--confidence", "0.5", "--html", str(page)]) == 0
    assert "Images with errors" in page.read_text(encoding="utf-8")
    assert run([*on(files, "evaluate", "b.json"), "--html", "/proc/no/page.html"]) == 2
    assert "give another path with --html" in capsys.readouterr().err


def test_two_results_are_compared_in_the_order_given(files: Path, capsys: Capture) -> None:
    assert run([*on(files, "compare", "b.json", "a.json"), "--html", "page.html"]) == 0
    assert "a.json compared with b.json on 12 images" in capsys.readouterr().out
    assert "a.json is better than b.json by" in Path("page.html").read_text(encoding="utf-8")


def test_several_results_are_ranked_with_paired_differences_from_the_best(files: Path, capsys: Capture) -> None:
    arguments = on(files, "compare", "c.json", "b.json", "a.json")
    assert run([*arguments, "--html", "page.html", "--csv", "ranking.csv"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[1] for line in printed.splitlines() if line[:2] in {"1.", "2.", "3."}] == [
        "a.json",
        "b.json",
        "c.json",
    ]
    page = Path("page.html").read_text(encoding="utf-8")
    assert "a.json is first of 3 with 1.000 mAP50-95" in page
    assert "2 of 2 others are shown to be worse" in page
    assert "c.json: 2 of 2 classes are never detected" in page
    assert run([*on(files, "compare", "a.json", "b.json", "d.json"), "--html", "page.html"]) == 0
    assert "Not detected" not in Path("page.html").read_text(encoding="utf-8")
    lines = csv.DictReader(Path("ranking.csv").read_text(encoding="utf-8").splitlines())
    rows = {(row["name"], row["metric"]): row for row in lines}
    assert rows["b.json", "map_50"]["meaning"] == "worse"
    assert rows["a.json", "map_50"]["meaning"] == "best"
    assert rows["c.json", "map_50"]["difference_value"] == "-1.0"


def test_the_json_of_a_comparison_is_a_ranking(files: Path, capsys: Capture) -> None:
    assert run([*on(files, "compare", "b.json", "a.json"), "--json", "--metric", "map_50"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["version"], said["metric"]) == ("cv-yolo/comparison", 1, "map_50")
    assert [(each["rank"], each["name"], each["meaning"]) for each in said["ranking"]] == [
        (1, "a.json", "best"),
        (2, "b.json", "worse"),
    ]
    assert said["ranking"][1]["differences"]["map_50"]["high"] < 0


def test_an_image_with_more_objects_than_detections_count_is_named(files: Path, capsys: Capture) -> None:
    truth = json.loads((files / "gt.json").read_text())
    truth["annotations"] += [{"image_id": 0, "category_id": 5, "bbox": box(k)} for k in range(5)]
    (files / "gt.json").write_text(json.dumps(truth))
    assert run([*on(files, "evaluate", "a.json"), "--max-detections", "1,3"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "AP is capped: at most 3 detections of a class count in an image, and 0.jpg has 6 of cat." in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--slice-by", "fog"], "no image has the attribute 'fog'"),
        (["--slice-by", "id"], "its attributes: serial, weather"),
        (["--data", "data/demo"], "--data cannot be given with --truth"),
        (["--registered-model", "x"], "--registered-model cannot be given with --truth"),
        (["--max-detections", "0"], "--max-detections: at least 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(files: Path, capsys: Capture, more: list[str], message: str) -> None:
    assert run([*on(files, "evaluate", "a.json"), *more]) == 2
    assert message in capsys.readouterr().err


def test_an_attribute_of_too_many_values_groups_nothing(files: Path, capsys: Capture) -> None:
    truth = json.loads((files / "gt.json").read_text())
    truth["images"] += [{"id": 1000 + n, "serial": 1000 + n} | {f"k{n % 20}": n} for n in range(60)]
    (files / "gt.json").write_text(json.dumps(truth))
    assert run([*on(files, "evaluate", "a.json"), "--slice-by", "serial"]) == 2
    said = capsys.readouterr().err
    assert "the attribute 'serial' has 72 values, at most 50 are compared" in said
    assert "its attributes: k0, k1, k10, k11, k12, k13, k14, k15, k16, k17, k18, k19 and 9 more" in said


def test_images_without_attributes_are_said_to_have_none(files: Path, capsys: Capture) -> None:
    truth = json.loads((files / "gt.json").read_text())
    truth["images"] = [{"id": each["id"]} for each in truth["images"]]
    (files / "gt.json").write_text(json.dumps(truth))
    assert run([*on(files, "evaluate", "a.json"), "--slice-by", "weather"]) == 2
    assert "add attributes to `images`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "a.json", "--csv", "a.csv"], "--csv cannot be given without --truth"),
        (["compare", "a", "b", "c"], "Got unexpected extra argument (c)"),
        (["compare", "a", "b", "c", "d"], "Got unexpected extra arguments (c d)"),
    ],
)
def test_without_truth_the_commands_are_what_they_were(capsys: Capture, arguments: list[str], message: str) -> None:
    assert run(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_same_file_twice_is_refused(files: Path, capsys: Capture) -> None:
    assert run(on(files, "compare", "a.json", "a.json")) == 2
    assert "given twice" in capsys.readouterr().err
