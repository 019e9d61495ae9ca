"""Small copies of pictures, and sheets of them: the annotated boxes on the left, the detected ones on the right."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cv_yolo.adapters.pillow import HEADER_PX, MARGIN_PX, THUMBNAIL_PX, TILE_PX, PillowRenderer
from cv_yolo.domain.data.annotations import Detections, GroundTruth

Pixels = npt.NDArray[np.int64]
BOX = np.array([[40.0, 40.0, 120.0, 130.0]])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (160, 160), "#808080").save(tmp_path / "images" / "square.png")
    Image.new("RGB", (200, 50), "#808080").save(tmp_path / "images" / "wide.png")
    return tmp_path


def truth(image: str = "images/square.png", *, boxes: npt.NDArray[np.float64] = BOX) -> GroundTruth:
    return GroundTruth(image=image, boxes_xyxy=boxes, class_ids=np.zeros(len(boxes), dtype=np.int64))


def found(image: str = "images/square.png", *, confidence: float = 0.9) -> Detections:
    return Detections(image=image, boxes_xyxy=BOX, class_ids=np.array([0]), confidences=np.array([confidence]))


def nothing(image: str = "images/square.png") -> Detections:
    empty = np.empty(0)
    return Detections(image=image, boxes_xyxy=np.empty((0, 4)), class_ids=empty.astype(np.int64), confidences=empty)


def sheet(root: Path, *pairs: tuple[GroundTruth, Detections]) -> Pixels:
    out = PillowRenderer().truth_beside_predictions(root, pairs, confidence_threshold=0.5, out=root / "made" / "s.png")
    with Image.open(out) as opened:
        return np.asarray(opened.convert("RGB")).astype(np.int64)


def tiles(pixels: Pixels, row: int = 0) -> tuple[Pixels, Pixels]:
    top, right = HEADER_PX + row * (TILE_PX + MARGIN_PX), 2 * MARGIN_PX + TILE_PX
    rows = slice(top, top + TILE_PX)
    return pixels[rows, MARGIN_PX : MARGIN_PX + TILE_PX], pixels[rows, right : right + TILE_PX]


def coloured(tile: Pixels) -> int:
    """How many pixels are not grey: those of boxes and captions."""
    return int((tile.max(axis=2) - tile.min(axis=2) > 30).sum())


def test_a_sheet_has_a_row_for_each_image(root: Path) -> None:
    pixels = sheet(root, (truth(), found()), (truth("images/wide.png"), found("images/wide.png")))
    assert pixels.shape == (HEADER_PX + 2 * (TILE_PX + MARGIN_PX), 2 * TILE_PX + 3 * MARGIN_PX, 3)


def test_annotated_boxes_are_left_and_detected_ones_right(root: Path) -> None:
    annotated, detected = tiles(sheet(root, (truth(), found())))
    assert coloured(annotated) > 0
    assert coloured(detected) > 0
    green, red = annotated[90, 80], detected[200, 80]
    assert green[1] > green[0]
    assert red[0] > red[1]


def test_the_box_is_drawn_at_its_place_in_the_scaled_picture(root: Path) -> None:
    annotated, _ = tiles(sheet(root, (truth(), nothing())))
    rows, columns = np.nonzero(annotated.max(axis=2) - annotated.min(axis=2) > 30)
    assert (columns.min(), rows.min()) == (80, 80)
    assert (columns.max(), rows.max()) == (240, 260)


def test_a_detection_below_the_threshold_is_not_drawn(root: Path) -> None:
    assert coloured(tiles(sheet(root, (truth(), found(confidence=0.49))))[1]) == 0
    assert coloured(tiles(sheet(root, (truth(), found(confidence=0.5))))[1]) > 0


def test_an_image_without_objects_is_shown_without_boxes(root: Path) -> None:
    annotated, detected = tiles(sheet(root, (truth(boxes=np.empty((0, 4))), nothing())))
    assert coloured(annotated) == coloured(detected) == 0


def test_a_wide_picture_keeps_its_proportions(root: Path) -> None:
    annotated, _ = tiles(sheet(root, (truth("images/wide.png", boxes=np.empty((0, 4))), nothing("images/wide.png"))))
    assert (annotated[79] == 0x80).all()
    assert (annotated[81] == 0xEE).all()


def test_a_rotated_photograph_is_shown_upright_as_its_boxes_are_meant(root: Path) -> None:
    pixels = np.zeros((50, 100, 3), dtype=np.uint8)
    pixels[:, :50] = 255  # white on the left; turned by 90 degrees clockwise, white is on top
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[274] = 6
    picture.save(root / "images" / "turned.png", exif=exif)
    annotated, _ = tiles(
        sheet(root, (truth("images/turned.png", boxes=np.empty((0, 4))), nothing("images/turned.png")))
    )
    assert (annotated[10, 80] == 255).all()
    assert (annotated[310, 80] == 0).all()
    assert (annotated[160, 300] == 0xEE).all()


def small(root: Path, image: str) -> Image.Image:
    found = PillowRenderer().thumbnails(root, [image])[image]
    opened = Image.open(io.BytesIO(found.jpeg))
    assert opened.format == "JPEG"
    return opened


def test_thumbnails_are_in_the_requested_order(root: Path) -> None:
    images = ("images/wide.png", "images/square.png")
    assert tuple(PillowRenderer().thumbnails(root, images)) == images
    assert PillowRenderer().thumbnails(root, ()) == {}


def test_a_large_image_is_scaled_down_and_its_original_size_returned(root: Path) -> None:
    Image.new("RGB", (1600, 400), "#808080").save(root / "images" / "large.png")
    assert small(root, "images/large.png").size == (THUMBNAIL_PX, THUMBNAIL_PX // 4)
    found = PillowRenderer().thumbnails(root, ["images/large.png"])["images/large.png"]
    assert (found.width_px, found.height_px) == (1600, 400)


def test_a_small_picture_is_not_made_larger(root: Path) -> None:
    assert small(root, "images/wide.png").size == (200, 50)


@pytest.mark.parametrize(("mode", "name"), [("L", "grey.png"), ("RGBA", "clear.png"), ("P", "palette.gif")])
def test_a_picture_of_any_kind_becomes_a_jpeg(root: Path, mode: str, name: str) -> None:
    Image.new(mode, (40, 30)).save(root / "images" / name)
    assert small(root, f"images/{name}").mode == "RGB"


def test_a_thumbnail_and_its_reported_size_are_upright(root: Path) -> None:
    picture = Image.new("RGB", (100, 50))
    exif = picture.getexif()
    exif[274] = 6
    picture.save(root / "images" / "turned.png", exif=exif)
    found = PillowRenderer().thumbnails(root, ["images/turned.png"])["images/turned.png"]
    assert (found.width_px, found.height_px) == (50, 100)
    assert small(root, "images/turned.png").size == (50, 100)
