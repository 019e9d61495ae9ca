"""`evaluate` and `compare`: every kind of model on the same images, as tables, as JSON and as a page."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo.domain.data.manifest import Split
from cv_yolo.files import sha256_of
from tests.unit.cli.world import DATA, World, said, world

__all__ = ["world"]
FEW = ("--resamples", "100")
FIRST = ("--first-class", "0")
Capture = pytest.CaptureFixture[str]


def test_a_weights_file_is_scored_on_test_at_the_threshold_that_it_chooses_on_val(
    world: World, capsys: Capture
) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, *FEW)
    assert done.exit_code == 0, done.err
    assert world.asked() == ["val", "test"]
    assert "mine.pt: choosing its confidence threshold on 6 val images …" in done.err
    assert "mine.pt: scoring 32 test images …" in done.err
    assert done.out.startswith("mine.pt on 32 test images, 32 boxes (split revision ")
    assert [line.split()[:2] for line in done.out.splitlines() if line.startswith("mAP50 ")] == [["mAP50", "1.000"]]
    assert "Confidence threshold: 0.900. Latency: 12.5 ms per image." in " ".join(done.out.split())


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_trust_in_a_weights_file_is_said_and_recorded(world: World, capsys: Capture, trust: list[str]) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, "--json", *trust, *FEW)
    assert done.json["subject"]["trusted"] is bool(trust)
    assert {request.trusted for request in world.container.predictor.requests} == {bool(trust)}


def test_a_threshold_that_is_given_is_used_and_none_is_chosen(world: World, capsys: Capture) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, "--confidence", "0.95", "--json", *FEW)
    assert world.asked() == ["test"]
    assert done.json["confidence_threshold"] == 0.95
    assert done.json["figures"]["recall"]["value"] == 0.0


def test_val_chooses_its_own_threshold(world: World, capsys: Capture) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, "--split", "val", "--json", *FEW)
    assert world.asked() == ["val"]
    assert (done.json["images"], done.json["subject"]["split"], done.json["confidence_threshold"]) == (6, "val", 0.9)


def test_a_run_is_scored_on_the_data_that_it_was_trained_on_at_its_own_threshold(world: World, capsys: Capture) -> None:
    model = world.trained("e3_s64")
    done = said(capsys, "evaluate", "e3_s64", "--json", *FEW)
    assert done.exit_code == 0, done.err
    assert world.asked() == ["test"]
    assert done.json["subject"]["weights_sha256"] == model.weights_sha256
    assert done.json["confidence_threshold"] == 0.9


def test_an_evaluated_image_is_not_predicted_again(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    first, again = (said(capsys, "evaluate", "e3_s64", "--json", *FEW).json for _ in range(2))
    assert world.asked() == ["test"]
    assert first == again


def test_a_version_is_scored_as_its_run_is(world: World, capsys: Capture) -> None:
    version = world.version(world.trained("e3_s64"))
    by_version, by_run = (said(capsys, "evaluate", name, "--json", *FEW).json for name in (version, "e3_s64"))
    assert by_version == by_run
    assert said(capsys, "evaluate", "newest", "--json", *FEW).json == by_run


def test_an_evaluation_has_an_id_that_says_whether_it_is_the_same(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    one, same = (said(capsys, "evaluate", "e3_s64", "--json", *FEW).json["id"] for _ in range(2))
    other = said(capsys, "evaluate", "e3_s64", "--json", "--resamples", "101").json["id"]
    assert one == same != other


def results_of(world: World, *rows: dict[str, Any]) -> str:
    (world.root / "results.json").write_text(json.dumps(rows), encoding="utf-8")
    return "results.json"


def a_result(world: World, **changes: Any) -> dict[str, Any]:
    box = world.found(range(0))[world.images(Split.TEST)[0]].boxes_xyxy[0]
    row = {
        "image_id": world.images(Split.TEST)[0],
        "category_id": 0,
        "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
        "score": 0.5,
    }
    return row | changes


def test_a_results_file_is_scored_without_any_model(world: World, capsys: Capture) -> None:
    name = results_of(world, a_result(world))
    done = said(capsys, "evaluate", name, "--data", DATA, "--first-class", "0", "--confidence", "0.4", "--json", *FEW)
    assert done.exit_code == 0, done.err
    assert world.asked() == []
    assert done.json["figures"]["recall"]["value"] == pytest.approx(1 / 32)
    assert done.json["subject"]["predictor"] == "results file results.json, categories: --first-class 0"


def test_a_results_file_without_a_threshold_has_no_figures_in_use_on_test(world: World, capsys: Capture) -> None:
    done = said(capsys, "evaluate", results_of(world, a_result(world)), "--data", DATA, *FIRST, "--json", *FEW)
    assert done.json["confidence_threshold"] is None
    assert "recall" not in done.json["figures"]


def test_a_results_file_with_undefined_ids_is_refused(world: World, capsys: Capture) -> None:
    refused = said(capsys, "evaluate", results_of(world, a_result(world)), "--data", DATA, *FEW)
    assert refused.exit_code == 2
    assert "results.json: nothing says which classes its category ids stand for" in refused.err
    for way_out in ("--categories FILE", "`category_ids` in data.yaml", "--first-class 0 or 1"):
        assert way_out in refused.err


def test_classes_of_a_results_file_may_be_counted_from_one(world: World, capsys: Capture) -> None:
    name = results_of(world, a_result(world, category_id=1))
    refused = said(capsys, "evaluate", name, "--data", DATA, *FIRST, *FEW)
    assert refused.exit_code == 2
    assert "category ids that --first-class 0 does not name: 1 (1 result)" in refused.err
    assert "the ids run from 1 to 1: is it --first-class 1?" in refused.err
    assert said(capsys, "evaluate", name, "--data", DATA, "--first-class", "1", *FEW).exit_code == 0


def test_a_results_file_that_is_damaged_is_named(world: World, capsys: Capture) -> None:
    (world.root / "results.json").write_text("[{", encoding="utf-8")
    done = said(capsys, "evaluate", "results.json", "--data", DATA, *FIRST)
    assert done.exit_code == 2
    assert "error: results.json: cannot be read as JSON" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unknown",), "error: unknown: no such run"),
        (("staging",), "error: no version is in staging"),
        (("newest",), "error: no version is registered"),
        (("missing.pt", "--data", DATA), "error: missing.pt: no such weights file"),
        (("missing.pt",), "error: no data set is known for missing.pt\nhint: give its folder with --data"),
        (("results.json",), "error: no data set is known for results.json"),
        (("e3_s64", "--data", "data/nowhere"), "data/nowhere: no data set here"),
        (("e3_s64", "--experiment", "another"), "error: e3_s64: no such run"),
    ],
)
def test_a_missing_backup_is_an_input_error(
    world: World, capsys: Capture, arguments: tuple[str, ...], message: str
) -> None:
    world.trained("e3_s64")
    done = said(capsys, "evaluate", *arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert message in done.err


def test_a_run_without_a_recorded_data_folder_needs_the_option(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", tags={})
    done = said(capsys, "evaluate", "e3_s64")
    assert (done.exit_code, "no data set is known for e3_s64" in done.err) == (2, True)
    assert said(capsys, "evaluate", "e3_s64", "--data", DATA, *FEW).exit_code == 0


def test_a_split_without_images_is_your_input(world: World, capsys: Capture) -> None:
    world.weights("mine.pt")
    for folder in ("images", "labels"):
        for file in (world.root / DATA / folder / "test").iterdir():
            file.unlink()
    (world.root / DATA / "manifest.json").unlink()
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA)
    assert done.exit_code == 2
    assert "no images in the split test" in done.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--image-size", "33"),
        ("--image-size", "0"),
        ("--image-size", "-64"),
        ("--confidence", "1.5"),
        ("--resamples", "99"),
        ("--resamples", "10001"),
        ("--split", "valid"),
        ("--first-class", "one"),
        ("--max-detections", "0,10"),
        ("--max-detections", "many"),
        ("--html", "."),
    ],
)
def test_an_option_beyond_its_limits_is_refused_before_anything_is_read(
    world: World, capsys: Capture, option: str, value: str
) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, option, value)
    assert done.exit_code == 2
    assert "Error: " in done.err
    assert world.asked() == []


def test_the_image_size_of_a_weights_file_can_be_given(world: World, capsys: Capture) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, "--image-size", "64", "--json", *FEW)
    assert done.json["subject"]["settings"]["image_size_px"] == 64


def test_other_limits_of_detections_give_other_recalls(world: World, capsys: Capture) -> None:
    world.weights("mine.pt")
    done = said(capsys, "evaluate", "mine.pt", "--data", DATA, "--max-detections", "5,2", "--json", *FEW)
    names = {name for name in done.json["figures"] if name.startswith("ar_") and name[3:].isdigit()}
    assert names == {"ar_2", "ar_5"}


def test_an_evaluation_is_written_as_a_page_that_works_offline(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", misses=range(3))
    done = said(capsys, "evaluate", "e3_s64", "--html", "pages/deep/e3.html", *FEW)
    assert done.exit_code == 0, done.err
    assert "Page: pages/deep/e3.html" in done.err
    page = (world.root / "pages" / "deep" / "e3.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "e3_s64" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "data:image/jpeg;base64," in page


def test_two_models_are_compared_on_the_same_images(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", misses=range(20))
    world.trained("e5_s64", misses=range(1))
    done = said(capsys, "compare", "e3_s64", "e5_s64", *FEW)
    assert done.exit_code == 0, done.err
    text = " ".join(done.out.split())
    assert text.startswith("e5_s64 compared with e3_s64 on 32 test images, 32 boxes")
    assert "Images: 0 regressions, 19 improvements." in text
    row = next(line for line in done.out.splitlines() if line.startswith("mAP50 "))
    assert row.split()[-1] == "better"
    assert "+0.5" in row


def test_a_model_compared_with_itself_is_unchanged(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", misses=range(4))
    done = said(capsys, "compare", "e3_s64", "e3_s64", "--json", *FEW)
    assert {each["value"] for each in done.json["differences"].values()} == {0.0}
    assert done.json["changes"] == []
    assert set(done.json["figure_changes"].values()) == {"unchanged"}
    table = said(capsys, "compare", "e3_s64", "e3_s64", *FEW).out
    assert "unchanged" in table
    assert "better" not in table
    assert "worse" not in table


def test_the_difference_is_the_second_minus_the_first(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    world.trained("e5_s64", misses=range(16))
    found = said(capsys, "compare", "e3_s64", "e5_s64", "--json", *FEW).json
    assert found["differences"]["map_50"]["value"] < 0
    assert found["first"]["figures"]["recall"]["value"] == 1.0
    assert len(found["changes"]) == 16
    back = said(capsys, "compare", "e5_s64", "e3_s64", "--json", *FEW).json
    assert back["differences"]["map_50"]["value"] == -found["differences"]["map_50"]["value"]


def test_a_model_and_a_results_file_can_be_compared_and_the_model_names_the_data(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    results = results_of(world, a_result(world))
    done = said(capsys, "compare", results, "e3_s64", *FIRST, "--confidence", "0.4", "--json", *FEW)
    assert done.exit_code == 0, done.err
    assert done.json["differences"]["recall"]["value"] == pytest.approx(31 / 32)


def test_a_page_that_cannot_be_written_is_refused_with_its_place(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", misses=range(3))
    (world.root / "pages").write_text("in the way", encoding="utf-8")
    done = said(capsys, "evaluate", "e3_s64", "--html", "pages/e3.html", *FEW)
    assert done.exit_code == 2
    assert "pages/e3.html: cannot be written" in done.err


def test_a_comparison_is_written_as_a_page(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", misses=range(8))
    world.trained("e5_s64", misses=range(7, 9))
    done = said(capsys, "compare", "e3_s64", "e5_s64", "--html", str(Path("pages") / "two.html"), *FEW)
    assert done.exit_code == 0, done.err
    page = (world.root / "pages" / "two.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "e3_s64" in page
    assert "e5_s64" in page
    assert "data:image/jpeg;base64," in page


def two_classes(world: World) -> None:
    """The data set with a dog, of which there is no box, before the person."""
    data = yaml.safe_load((world.root / DATA / "data.yaml").read_text(encoding="utf-8"))
    data["names"] = {0: "dog", 1: "person"}
    (world.root / DATA / "data.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    for label in (world.root / DATA / "labels").rglob("*.txt"):
        label.write_text("".join(f"1{line[1:]}\n" for line in label.read_text().splitlines()), encoding="utf-8")
    (world.root / DATA / "manifest.json").unlink()


def foreign_weights(world: World, name: str, *classes: str) -> None:
    """Weights that find every box, as a person by the number that they give it."""
    path = world.weights(name)
    found, person = world.container.predictor.by_sha256[sha256_of(path)], classes.index("person")
    for image, each in found.items():
        found[image] = replace(each, class_ids=each.class_ids * 0 + person)
    world.container.predictor.inspector.by_sha256[sha256_of(path)] = classes


def test_weights_with_the_names_in_another_order_score_the_same(world: World, capsys: Capture) -> None:
    for number, names in enumerate((("dog", "person"), ("person", "dog"))):
        foreign_weights(world, f"{number}.pt", *names)
    two_classes(world)
    first, second = (said(capsys, "evaluate", f"{number}.pt", "--data", DATA, "--json", *FEW) for number in (0, 1))
    assert first.exit_code == second.exit_code == 0, first.err + second.err
    assert first.json["figures"]["class/person/ap_50"]["value"] == 1.0
    assert first.json["figures"] == second.json["figures"]
    assert second.json["subject"]["classes"] == ["dog", "person"]
    assert second.json["subject"]["detector_classes"] == ["person", "dog"]


def test_weights_of_other_classes_are_refused_before_anything_is_predicted(world: World, capsys: Capture) -> None:
    path = world.weights("raccoons.pt")
    world.container.predictor.inspector.by_sha256[sha256_of(path)] = ("raccoon",)
    world.weights("mine.pt")
    for command in (("evaluate", "raccoons.pt"), ("compare", "mine.pt", "raccoons.pt")):
        done = said(capsys, *command, "--data", DATA, *FEW)
        assert (done.exit_code, done.out) == (2, "")
        assert "raccoons.pt detects raccoon, the data set names person" in done.err
    assert world.asked() == []


def test_of_weights_that_know_more_classes_only_those_of_the_data_are_scored_and_that_is_said(
    world: World, capsys: Capture
) -> None:
    foreign_weights(world, "coco.pt", "person", "bicycle", "car", "dog", "cat")
    done = said(capsys, "evaluate", "coco.pt", "--data", DATA, *FEW)
    assert done.exit_code == 0, done.err
    reported = "0 detections of classes that the data set does not name left out: bicycle, car, dog, … (4 classes)"
    assert f"coco.pt: {reported}" in done.err
    assert "Ignored, since the data set has no such class: bicycle, car, dog, … (4 classes)" in " ".join(
        done.out.split()
    )


def test_the_ids_of_a_results_file_are_mapped_by_a_file_of_categories(world: World, capsys: Capture) -> None:
    categories = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]
    (world.root / "instances.json").write_text(json.dumps({"categories": categories, "images": []}), encoding="utf-8")
    rows = [a_result(world, category_id=1), a_result(world, category_id=18, score=0.9)]
    for option in ("--categories", "--annotations"):
        done = said(
            capsys, "evaluate", results_of(world, *rows), "--data", DATA, option, "instances.json",
            "--confidence", "0.4", "--json", *FEW,
        )  # fmt: skip
        assert done.exit_code == 0, done.err
        assert done.json["figures"]["recall"]["value"] == pytest.approx(1 / 32)
        assert done.json["figures"]["precision"]["value"] == 1.0
        assert done.json["subject"]["ignored_detections"] == 1
        assert "results.json: 1 detection of classes that the data set does not name left out: dog" in done.err


def test_the_ids_of_a_results_file_are_mapped_by_what_the_data_set_records(world: World, capsys: Capture) -> None:
    with (world.root / DATA / "data.yaml").open("a", encoding="utf-8") as file:
        file.write("category_ids: {person: 44}\n")
    name = results_of(world, a_result(world, category_id=44))
    done = said(capsys, "evaluate", name, "--data", DATA, "--confidence", "0.4", "--json", *FEW)
    assert done.exit_code == 0, done.err
    assert done.json["figures"]["recall"]["value"] == pytest.approx(1 / 32)
    refused = said(capsys, "evaluate", results_of(world, a_result(world, category_id=1)), "--data", DATA, *FEW)
    assert refused.exit_code == 2
    assert "category ids that `category_ids` in data.yaml does not name: 1 (1 result)" in refused.err


def test_two_explanations_of_the_ids_are_one_too_many(world: World, capsys: Capture) -> None:
    done = said(capsys, "evaluate", "results.json", "--data", DATA, *FIRST, "--categories", "instances.json")
    assert done.exit_code == 2
    assert "give only one of them" in done.err


def test_a_stage_is_that_of_the_registered_model_named(world: World, capsys: Capture) -> None:
    world.version(world.trained("e3_s64"))
    assert said(capsys, "evaluate", "1", *FEW).exit_code == 0
    done = said(capsys, "evaluate", "newest", "--registered-model", "kangaroos", *FEW)
    assert (done.exit_code, "no version is registered" in done.err) == (2, True)
    wrong = said(capsys, "evaluate", "newest", "--registered-model", "a/b", *FEW)
    assert (wrong.exit_code, "without quotes, colons and slashes" in wrong.err) == (2, True)
