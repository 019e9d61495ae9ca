"""Importing: refused as a whole with every reason, or written as a data set that can be trained on."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cv_yolo.adapters.yolo.imported import YoloImports, target_paths
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.splitting import Fractions
from cv_yolo.errors import DatasetError, InputError
from cv_yolo.ports.datasets import CheckedPicture
from cv_yolo.workflows.divide_images import SIMILARITY, Division
from cv_yolo.workflows.export_dataset import export_dataset
from cv_yolo.workflows.import_dataset import ImportedDataset, ImportRequest, import_dataset
from tests.fakes import FakeImportFolder
from tests.yolo_data import FOLDER, checked, noise

FOLDER_OF_IMPORTS = YoloImports()
PERSON = AnnotatedObject(category="person", xywh=(10, 10, 30, 20), place="a.xml: object 1")
DOG = AnnotatedObject(category="dog", xywh=(20, 5, 30, 20), place="a.xml: object 2")
HALVES = Fractions(train=0.5, val=0.5, test=0.0)


class Source:
    """Pictures with annotations in a folder; each import writes to `mine`."""

    def __init__(self, root: Path) -> None:
        self.root, self.target = root / "source", root / "data" / "mine"
        self.root.mkdir()
        self.classes: tuple[str, ...] = ("person", "dog")
        self.images: list[ImageAnnotations] = []
        self.findings: tuple[DatasetFinding, ...] = ()
        self.numbers: dict[str, int] = {}

    def add(
        self,
        path: str,
        *objects: AnnotatedObject,
        split: Split | None = None,
        picture: Image.Image | None = None,
        **attributes: str,
    ) -> None:
        """One image more; its picture is like no other unless it is given."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        shown = picture or noise(1000 + len(self.images))
        shown.save(self.root / path)
        self.images.append(
            ImageAnnotations(
                path=path,
                width_px=shown.size[0],
                height_px=shown.size[1],
                objects=objects or (PERSON,),
                split=split,
                attributes=attributes,
            )
        )

    def add_many(self, count: int, *objects: AnnotatedObject) -> None:
        for _ in range(count):
            self.add(f"many/{len(self.images):03d}.png", *objects)

    def read(self, root: Path) -> AnnotatedDataset:
        assert root == self.root
        return AnnotatedDataset(
            classes=self.classes, images=tuple(self.images), findings=self.findings, category_ids=self.numbers
        )

    def imported(self, *, only: tuple[str, ...] = (), add_classes: bool = False, **division: object) -> ImportedDataset:
        request = ImportRequest(
            source=self.root,
            shown="mine.zip",
            root=self.target,
            division=Division(**division),  # type: ignore[arg-type]
            only=only,
            add_classes=add_classes,
        )
        return import_dataset(request, read=self.read, folder=FOLDER_OF_IMPORTS)

    def refused(self, **how: object) -> DatasetError:
        with pytest.raises(DatasetError) as refusal:
            self.imported(**how)  # type: ignore[arg-type]
        return refusal.value

    def sides(self, found: ImportedDataset) -> dict[str, Split]:
        """The split of each picture, by its hash."""
        return {record.image_sha256: record.split for record in found.manifest.images}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def small(source: Source) -> Source:
    """Two images for training, one for validation, by the source's own splits."""
    source.add("a.png", PERSON, split=Split.TRAIN)
    source.add("x/a.png", DOG, split=Split.TRAIN)
    source.add("b.png", PERSON, DOG, split=Split.VAL)
    return source


def kinds(found: ImportedDataset) -> dict[FindingKind, int]:
    return {finding.kind: finding.count for finding in found.findings}


def test_a_source_with_splits_keeps_them_and_can_be_checked_and_evaluated(small: Source) -> None:
    found = small.imported()
    assert found.manifest.counts() == {"train": 2, "val": 1, "test": 0}
    assert found.boxes == {"person": {"train": 1, "val": 1}, "dog": {"train": 1, "val": 1}}
    assert found.origin == {"split": "source"}
    scanned = FOLDER.scan(small.target)
    assert (scanned.classes, scanned.images, scanned.findings) == (("person", "dog"), found.manifest.images, ())
    (truth,) = FOLDER.ground_truth(small.target, found.manifest, Split.VAL)
    np.testing.assert_allclose(truth.boxes_xyxy, [[10, 10, 40, 30], [20, 5, 50, 25]])


def test_files_are_copied_byte_by_byte_and_those_of_one_name_both_stay(small: Source) -> None:
    found = small.imported()
    assert [record.image for record in found.manifest.images] == [
        "images/train/a.png",
        "images/train/x/a.png",
        "images/val/b.png",
    ]
    assert (small.target / "images/train/x/a.png").read_bytes() == (small.root / "x/a.png").read_bytes()


def test_the_findings_of_the_reader_come_with_those_of_the_import(small: Source) -> None:
    small.findings = (DatasetFinding(kind=FindingKind.ORPHANED_LABELS, count=3),)
    over = replace(PERSON, xywh=(50, 30, 40, 40))
    crowd = replace(PERSON, xywh=(0, 0, 64, 48), is_crowd=True)
    tiny = replace(PERSON, xywh=(5, 5, 0.3, 9))
    small.add("c.png", over, over, crowd, tiny, split=Split.VAL)
    small.add("again.png", split=Split.VAL, picture=Image.open(small.root / "b.png"))
    small.add("deep.png", split=Split.TRAIN, picture=Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64)))
    assert kinds(small.imported()) == {
        FindingKind.ORPHANED_LABELS: 3,
        FindingKind.CLIPPED_BOXES: 1,
        FindingKind.SMALL_BOXES: 1,
        FindingKind.REPEATED_BOXES: 1,
        FindingKind.CROWDS: 1,
        FindingKind.REPEATED_IMAGES: 1,
        FindingKind.DEEP_IMAGES: 1,
    }


def test_a_class_that_a_split_lacks_is_counted(small: Source) -> None:
    small.images[2] = replace(small.images[2], objects=(PERSON,))
    (finding,) = small.imported().findings
    assert finding.sentence == "1 class without a box in val (dog)"


def test_all_that_is_wrong_is_refused_at_once_under_the_name_of_the_source(small: Source) -> None:
    (small.root / "a.png").write_bytes(b"GIF89a")
    small.images[1] = replace(small.images[1], width_px=48, height_px=64)
    said = small.refused()
    assert "the data set has 2 problems" in said.message
    assert "mine.zip/a.png: does not decode: it is a GIF" in said.message
    assert "mine.zip/x/a.png: 64 x 48 px, annotated as 48 x 64" in said.message
    assert not small.target.parent.exists()


def test_pictures_are_checked_though_the_annotations_are_refused(small: Source) -> None:
    (small.root / "a.png").write_bytes(b"GIF89a")

    def read(root: Path) -> AnnotatedDataset:
        raise DatasetError(f"{root}/a.txt:1: not a number")

    request = ImportRequest(source=small.root, shown="mine", root=small.target, division=Division())
    with pytest.raises(DatasetError, match="2 problems") as refusal:
        import_dataset(request, read=read, folder=FOLDER_OF_IMPORTS)
    assert "mine/a.txt:1: not a number" in refusal.value.message
    assert "mine/a.png: does not decode" in refusal.value.message


def test_boxes_outside_and_boxes_with_two_classes_are_refused_with_their_places(small: Source) -> None:
    small.images[0] = replace(
        small.images[0], objects=(replace(PERSON, xywh=(70, 5, 10, 10)), PERSON, replace(DOG, xywh=PERSON.xywh))
    )
    said = small.refused()
    assert "a.xml: object 1: a box outside of the image: 70, 5, 10, 10 (64 x 48 px)" in said.message
    assert "a.xml: object 2: the box of a.xml: object 1 with another class (dog, there person)" in said.message


def test_a_split_without_boxes_is_refused(small: Source) -> None:
    small.images[2] = replace(small.images[2], objects=())
    said = small.refused()
    assert "no boxes in val (1 images)" in said.message
    assert "--split" in (said.hint or "")


# --- classes by name


def classes_of(root: Path) -> list[str]:
    return list(FOLDER.scan(root).classes)


def test_a_second_import_in_another_order_is_mapped_onto_the_first(small: Source) -> None:
    small.imported()
    before = (small.target / "labels/val/b.txt").read_bytes()
    small.classes, small.numbers = ("dog", "person"), {"dog": 18, "person": 1}
    found = small.imported()
    assert found.manifest.classes == ("person", "dog")
    assert found.manifest.category_ids == {"person": 1, "dog": 18}
    assert (small.target / "labels/val/b.txt").read_bytes() == before


def test_new_classes_are_appended_when_they_are_asked_for(small: Source) -> None:
    small.imported()
    small.classes = ("cat", "person", "dog")
    small.add("c.png", replace(DOG, category="cat"), split=Split.VAL)
    said = small.refused()
    assert "classes that an earlier import did not have: cat" in said.message
    assert "--add-classes" in (said.hint or "")
    assert classes_of(small.target) == ["person", "dog"]
    small.imported(add_classes=True)
    assert classes_of(small.target) == ["person", "dog", "cat"]


def test_a_class_that_is_not_there_any_more_keeps_its_number(small: Source) -> None:
    small.imported()
    small.classes = ("dog",)
    small.images = [replace(image, objects=(DOG,)) for image in small.images]
    assert small.imported().manifest.classes == ("person", "dog")


def test_only_some_classes_are_kept_in_the_order_given(small: Source) -> None:
    small.numbers = {"person": 1, "dog": 18}
    found = small.imported(only=("dog",))
    assert found.manifest.classes == ("dog",)
    assert found.manifest.category_ids == {"dog": 18}
    assert found.boxes == {"dog": {"train": 1, "val": 1}}
    assert found.manifest.counts() == {"train": 2, "val": 1, "test": 0}
    (finding,) = found.findings
    assert finding.sentence.startswith("2 objects of other classes left out: person (a.xml: object 1")
    with pytest.raises(InputError, match="the source has no class 'dgo': did you mean 'dog'") as refusal:
        small.imported(only=("dgo",))
    assert refusal.value.hint == "it has person, dog"
    with pytest.raises(InputError, match=r"the source has no class 'zebra'$"):
        small.imported(only=("zebra",))


# --- splits


def test_a_source_without_splits_is_divided_and_says_how(source: Source) -> None:
    source.add_many(40)
    found = source.imported()
    assert sum(found.manifest.counts().values()) == 40
    assert all(found.manifest.counts().values())
    assert found.origin.keys() == {"split", "seed"}
    assert found.origin["split"] == "0.8/0.1/0.1"
    assert json.loads((source.target / "manifest.json").read_bytes())["origin"] == {
        "tool": "cv-yolo data import",
        "source": "mine.zip",
        **found.origin,
    }


def test_an_image_never_changes_sides_when_others_are_added_or_files_are_renamed(source: Source) -> None:
    source.add_many(30)
    before = source.sides(source.imported())
    source.add_many(30, DOG)
    for place, image in enumerate(source.images[:30]):
        (source.root / image.path).rename(source.root / f"renamed{place}.png")
        source.images[place] = replace(image, path=f"renamed{place}.png")
    after = source.sides(source.imported())
    assert {sha256: after[sha256] for sha256 in before} == before
    assert len(after) == 60


def test_a_given_seed_is_used_and_another_one_divides_again(source: Source) -> None:
    source.add_many(40)
    first = source.imported(seed=3)
    second = source.imported(seed=4)
    assert (first.origin["seed"], second.origin["seed"]) == ("3", "4")
    assert source.sides(first) != source.sides(second)
    assert kinds(second) == {}


def test_other_fractions_divide_anew(source: Source) -> None:
    source.add_many(40)
    source.imported()
    assert source.imported(fractions=HALVES).manifest.counts()["test"] == 0


def test_splits_of_the_source_are_left_where_a_division_is_asked_for(small: Source) -> None:
    small.add_many(20)
    found = small.imported(fractions=HALVES)
    assert sum(found.manifest.counts().values()) == 23


def test_too_few_images_for_every_split_are_refused(source: Source) -> None:
    source.add_many(2)
    said = source.refused()
    assert "no image for " in said.message
    assert "2 images, divided 0.8/0.1/0.1 with the seed" in said.message


@pytest.mark.parametrize(
    ("splits", "reason"),
    [
        ((Split.TRAIN, None, Split.VAL), "1.png: in no split, or in several"),
        ((Split.TRAIN, None, None, Split.VAL), "1.png and 1 more images: in no split, or in several"),
        ((Split.TRAIN, Split.TEST), "the source has no split val"),
        ((Split.VAL, Split.TEST), "the source has no split train"),
    ],
)
def test_splits_of_a_source_that_cannot_be_used_are_refused(
    source: Source, splits: Sequence[Split | None], reason: str
) -> None:
    for number, split in enumerate(splits):
        source.add(f"{number}.png", split=split)
    said = source.refused()
    assert reason in said.message
    assert "--split" in (said.hint or "")


def test_a_picture_in_two_splits_of_the_source_is_refused_and_one_division_puts_it_on_one_side(small: Source) -> None:
    small.add("c.png", split=Split.VAL, picture=Image.open(small.root / "a.png"))
    said = small.refused()
    assert "a.png and c.png: the same picture or group in train and val" in said.message
    small.add_many(10)
    small.imported(fractions=HALVES)


def is_whole(found: ImportedDataset, group: Callable[[str], str]) -> bool:
    sides: dict[str, set[Split]] = {}
    for record in found.manifest.images:
        sides.setdefault(group(record.image), set()).add(record.split)
    return all(len(each) == 1 for each in sides.values())


def test_groups_by_a_pattern_of_paths_are_never_divided(source: Source) -> None:
    for film in range(8):
        for frame in range(4):
            source.add(f"film{film}/frame{frame}.png")
    found = source.imported(fractions=HALVES, group_by="film[0-9]")
    assert is_whole(found, lambda path: path.split("/")[2])
    assert not is_whole(source.imported(fractions=HALVES), lambda path: path.split("/")[2])
    assert found.origin["group_by"] == "film[0-9]"


def test_groups_by_a_column_are_never_divided_and_images_without_one_are_counted(source: Source) -> None:
    for number in range(24):
        source.add(f"{number}.png", **({"camera": f"c{number % 6}"} if number else {}))
    found = source.imported(fractions=HALVES, group_by="camera")
    cameras = {record.image: record.attributes.get("camera", record.image) for record in found.manifest.images}
    assert is_whole(found, cameras.__getitem__)
    assert kinds(found) == {FindingKind.UNGROUPED_IMAGES: 1}


def test_columns_of_the_source_are_read_and_those_of_the_data_set_stay(small: Source) -> None:
    (small.root / "attributes.csv").write_text("image,camera\na.png,c1\nb.png,c2\n", encoding="utf-8")
    small.images[0] = replace(small.images[0], attributes={"camera": "c9", "scene": "day"})
    found = {record.image: record.attributes for record in small.imported(group_by="camera").manifest.images}
    assert found["images/train/a.png"] == {"camera": "c1", "scene": "day"}
    assert found["images/val/b.png"] == {"camera": "c2"}
    rows = "image,light\nimages/train/a.png,dim\nimages/val/b.png,bright\n"
    (small.target / "attributes.csv").write_text(rows, encoding="utf-8")
    del small.images[2]
    small.add("c.png", DOG, split=Split.VAL)
    (small.root / "attributes.csv").unlink()
    small.imported()
    assert (small.target / "attributes.csv").read_text(encoding="utf-8") == "image,light\nimages/train/a.png,dim\n"
    assert FOLDER.scan(small.target).images[0].attributes == {"camera": "c9", "scene": "day", "light": "dim"}


def test_columns_of_other_images_are_refused(small: Source) -> None:
    (small.root / "attributes.csv").write_text("image,camera\nnone.png,c1\n", encoding="utf-8")
    assert "mine.zip/attributes.csv:2: no image 'none.png' in the data set" in small.refused().message


def test_groups_of_the_source_that_are_in_two_splits_are_refused(source: Source) -> None:
    source.add("film1/a.png", split=Split.TRAIN)
    source.add("film1/b.png", split=Split.VAL)
    assert "film1/a.png and film1/b.png: the same picture or group" in source.refused(group_by="film.").message


@pytest.mark.parametrize(
    ("group_by", "reason"), [("camera", "no path that matches it"), ("(", "neither a column nor a regular expression")]
)
def test_a_group_that_nothing_has_is_refused(source: Source, group_by: str, reason: str) -> None:
    source.add_many(3)
    with pytest.raises(InputError, match=reason) as refusal:
        source.imported(group_by=group_by)
    assert "the source has no columns" in (refusal.value.hint or "")
    source.add("a.png", scene="day")
    with pytest.raises(InputError) as refusal:
        source.imported(group_by=group_by)
    assert "columns: scene" in (refusal.value.hint or "")


def similar(seed: int, brightness: int) -> Image.Image:
    """Pictures of the same scene in another light."""
    blocks = np.random.default_rng(seed).integers(0, 200, size=(6, 8), dtype=np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((8, 8), dtype=np.uint8)) + np.uint8(brightness))


def test_similar_pictures_stay_together_and_stay_where_they_are(source: Source) -> None:
    for seed in range(12):
        for brightness in (0, 20):
            source.add(f"{seed}_{brightness}.png", picture=similar(seed, brightness))
    source.add("plain.png", picture=Image.new("RGB", (64, 48)))
    found = source.imported(fractions=HALVES, group_by=SIMILARITY)
    assert is_whole(found, lambda path: path.split("/")[2].partition("_")[0])
    before = source.sides(found)
    for seed in range(12):
        for brightness in range(1, 20, 3):
            source.add(f"{seed}_{brightness}.png", picture=similar(seed, brightness))
    again = source.imported(fractions=HALVES, group_by=SIMILARITY)
    assert is_whole(again, lambda path: path.split("/")[2].partition("_")[0])
    after = source.sides(again)
    assert {sha256: after[sha256] for sha256 in before} == before


def test_groups_that_are_joined_go_where_most_of_them_were_and_what_moves_is_counted(source: Source) -> None:
    for number in range(12):
        source.add(f"g{number}/a.png")
    first = source.imported(fractions=HALVES, group_by="g[0-9]+")
    train, val = (first.manifest.split(split)[0].image.split("/")[2] for split in (Split.TRAIN, Split.VAL))
    bridge = noise(5000)
    source.add(f"{val}/b.png")
    before = source.sides(source.imported(fractions=HALVES, group_by="g[0-9]+"))
    for group in (train, val):
        source.add(f"{group}/bridge.png", picture=bridge)
    again = source.imported(fractions=HALVES, group_by="g[0-9]+")
    assert kinds(again)[FindingKind.MOVED_IMAGES] == 1
    after = source.sides(again)
    assert sum(after[sha256] is not before[sha256] for sha256 in before) == 1
    joined = {record.split for record in again.manifest.images if record.image.split("/")[2] in {train, val}}
    assert joined == {Split.VAL}


# --- what is written


def test_a_failure_or_ctrl_c_while_writing_leaves_the_former_data(small: Source) -> None:
    before = small.imported().manifest
    request = ImportRequest(source=small.root, shown="mine", root=small.target, division=Division())
    for failure in (OSError("disk full"), KeyboardInterrupt()):

        def stop(stage: str, done: int, total: int, failure: BaseException = failure) -> None:
            if (stage, done, total) == ("Writing", 2, 3):
                raise failure

        with pytest.raises(type(failure)):
            import_dataset(request, read=small.read, folder=FOLDER_OF_IMPORTS, on_progress=stop)
        assert FOLDER.scan(small.target).images == before.images
        assert [path.name for path in small.target.parent.iterdir()] == ["mine"]


def test_data_that_a_killed_import_moved_aside_come_back(small: Source) -> None:
    before = small.imported().manifest
    small.target.rename(small.target.with_name(".mine.old"))
    request = ImportRequest(source=small.root, shown="mine", root=small.target, division=Division())

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "Writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(request, read=small.read, folder=FOLDER_OF_IMPORTS, on_progress=stop)
    assert FOLDER.scan(small.target).images == before.images
    assert [path.name for path in small.target.parent.iterdir()] == ["mine"]


def test_progress_is_shown_stage_by_stage(small: Source) -> None:
    steps: list[tuple[str, int, int]] = []
    request = ImportRequest(source=small.root, shown="mine", root=small.target, division=Division())
    import_dataset(request, read=small.read, folder=FOLDER_OF_IMPORTS, on_progress=lambda *step: steps.append(step))
    assert steps[0] == ("Reading annotations", 0, 1)
    assert steps[1:4] == [("Checking images", done, 3) for done in (1, 2, 3)]
    assert steps[4:] == [("Writing", done, 3) for done in (1, 2, 3)]


@pytest.mark.parametrize("manifest", [None, "{", '{"origin": {"tool": "cv-yolo data synth"}}', '{"origin": 3}'])
def test_a_folder_that_was_not_imported_is_never_replaced(small: Source, manifest: str | None) -> None:
    small.target.mkdir(parents=True)
    (small.target / "precious").touch()
    if manifest is not None:
        (small.target / "manifest.json").write_text(manifest, encoding="utf-8")
    assert "was not made by `cv-yolo data import`" in small.refused().message
    assert (small.target / "precious").is_file()


def test_an_empty_folder_is_a_free_place(small: Source) -> None:
    small.target.mkdir(parents=True)
    small.imported()


def test_a_picture_that_changes_during_the_import_is_refused(small: Source) -> None:
    def swap(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("Writing", 1):
            noise(77).save(small.root / "x" / "a.png")

    request = ImportRequest(source=small.root, shown="mine", root=small.target, division=Division())
    with pytest.raises(DatasetError, match=r"mine/x/a\.png: changed during the import"):
        import_dataset(request, read=small.read, folder=FOLDER_OF_IMPORTS, on_progress=swap)


def test_images_without_a_split_are_not_written(small: Source) -> None:
    dataset = replace(small.read(small.root), images=(replace(small.images[0], split=None),))
    with pytest.raises(ValueError, match="without a split"):
        FOLDER_OF_IMPORTS.write(
            small.target,
            dataset,
            images_root=small.root,
            pictures=checked(FOLDER_OF_IMPORTS, small.root, small.images[:1]),
            origin={},
            on_image=lambda done: None,
        )


def images_at(*paths: str) -> Iterator[ImageAnnotations]:
    return (ImageAnnotations(path=path, width_px=1, height_px=1, split=Split.TRAIN) for path in paths)


def test_paths_lose_what_sorts_images_and_keep_the_rest() -> None:
    assert target_paths(
        images_at(
            "train/images/a.jpg", "JPEGImages/b.jpg", "obj_train_data/cam 1/c.PNG", ".x/d.jpg", "mine/images/e.jpg"
        )
    ) == {
        "train/images/a.jpg": "images/train/a.jpg",
        "JPEGImages/b.jpg": "images/train/b.jpg",
        "obj_train_data/cam 1/c.PNG": "images/train/cam 1/c.PNG",
        ".x/d.jpg": "images/train/_x/d.jpg",
        "mine/images/e.jpg": "images/train/mine/e.jpg",
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("images/a.jpg", "train/a.jpg"),
        ("a.jpg", "a.png"),
        ("A.jpg", "a.jpg"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("x/Stra\u00dfe.jpg", "x/STRASSE.jpg"),
    ],
)
def test_names_that_are_one_on_some_system_keep_apart(one: str, other: str) -> None:
    targets = target_paths(images_at(one, other, "b.jpg"))
    stems = {Path(target).stem.casefold() for target in targets.values()}
    assert len(stems) == 3
    assert targets["b.jpg"] == "images/train/b.jpg"
    assert target_paths(images_at("b.jpg", other, one)) == targets


# --- in memory


def test_pictures_come_in_the_order_of_the_annotations_with_their_progress(tmp_path: Path) -> None:
    folder, root = FakeImportFolder(), tmp_path / "source"
    images = tuple(
        ImageAnnotations(path=f"{number}.png", width_px=64, height_px=48, objects=(PERSON,), split=split)
        for number, split in enumerate((Split.VAL, Split.TRAIN, Split.TRAIN))
    )
    for number in range(3):
        folder.sources[root / f"{number}.png"] = CheckedPicture(sha256=f"{number}" * 64, width_px=64, height_px=48)
    request = ImportRequest(source=root, shown="mine", root=tmp_path / "mine", division=Division())
    steps: list[tuple[str, int, int]] = []

    def imported() -> ImportedDataset:
        return import_dataset(
            request,
            read=lambda _: AnnotatedDataset(classes=("person",), images=images),
            folder=folder,
            on_progress=lambda *step: steps.append(step),
        )

    first = imported().manifest
    assert [record.image_sha256[0] for record in first.images] == ["1", "2", "0"]
    assert steps == [
        ("Reading annotations", 0, 1),
        *(("Checking images", done, 3) for done in (1, 2, 3)),
        *(("Writing", done, 3) for done in (1, 2, 3)),
    ]
    folder.sources[root / "1.png"] = "does not decode"
    with pytest.raises(DatasetError, match=r"mine/1\.png: does not decode"):
        imported()
    former = folder.former(tmp_path / "mine")
    assert former is not None
    assert former.splits == {record.image_sha256: record.split for record in first.images}


# --- export


def test_what_was_imported_is_handed_on_with_its_crowds(small: Source, tmp_path: Path) -> None:
    small.images[0] = replace(small.images[0], objects=(PERSON, replace(DOG, is_crowd=True)))
    small.imported()
    given: list[object] = []
    steps: list[tuple[int, int]] = []

    def export(
        dataset: AnnotatedDataset, images_root: Path, out: Path, format: str, on_image: Callable[[int], None]
    ) -> None:
        given.extend([images_root, out, format])
        on_image(2)

    dataset = export_dataset(
        small.target,
        tmp_path / "out",
        format="coco",
        folder=FOLDER_OF_IMPORTS,
        export=export,
        on_image=lambda *step: steps.append(step),
    )
    assert given == [small.target, tmp_path / "out", "coco"]
    assert steps == [(2, 3)]
    assert [len(image.objects) for image in dataset.images] == [2, 1, 2]
    assert dataset.images[0].objects[1].is_crowd


def test_a_folder_with_label_text_only_is_handed_on_too(small: Source, tmp_path: Path) -> None:
    small.imported()
    (small.target / "annotations.json").unlink()
    dataset = export_dataset(
        small.target,
        tmp_path / "out",
        format="coco",
        folder=FOLDER_OF_IMPORTS,
        export=lambda dataset, images_root, out, _, on_image: on_image(1),
    )
    assert [image.objects[0].category for image in dataset.images] == ["person", "dog", "person"]
    np.testing.assert_allclose(dataset.images[0].objects[0].xywh, PERSON.xywh, atol=1e-3)
