"""Pillow behind the port `ImageRenderer`: pictures with boxes, for people to look at."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from cv_yolo.domain.data.annotations import Boxes, Detections, GroundTruth
from cv_yolo.ports.datasets import Thumbnail

TRUTH: Final = "#1a9850"
PREDICTION: Final = "#d6604d"
INK: Final = "#222222"
PAPER: Final = "#ffffff"
TILE_PX: Final = 320
MARGIN_PX: Final = 8
HEADER_PX: Final = 28
THUMBNAIL_PX: Final = 480
THUMBNAIL_QUALITY: Final = 78


class PillowRenderer:
    """Small copies of images, and sheets of them: left the annotated boxes, right what was detected."""

    def thumbnails(self, root: Path, images: Iterable[str]) -> dict[str, Thumbnail]:
        """Copies of at most `THUMBNAIL_PX`, upright."""
        return {image: _thumbnail(root / image) for image in images}

    def truth_beside_predictions(
        self,
        root: Path,
        pairs: Sequence[tuple[GroundTruth, Detections]],
        *,
        confidence_threshold: float,
        out: Path,
    ) -> Path:
        """Write one sheet, a row for each image; detections below the threshold are not drawn."""
        width = 2 * TILE_PX + 3 * MARGIN_PX
        sheet = Image.new("RGB", (width, HEADER_PX + len(pairs) * (TILE_PX + MARGIN_PX)), PAPER)
        pen = ImageDraw.Draw(sheet)
        font = ImageFont.load_default(14)
        pen.text((MARGIN_PX, 6), "annotated", fill=TRUTH, font=font)
        title = f"detected (confidence at least {confidence_threshold:.2f})"
        pen.text((2 * MARGIN_PX + TILE_PX, 6), title, fill=PREDICTION, font=font)
        for row, (truth, found) in enumerate(pairs):
            top = HEADER_PX + row * (TILE_PX + MARGIN_PX)
            sure = found.confidences >= confidence_threshold
            captions = [f"{confidence:.2f}" for confidence in found.confidences[sure]]
            left = _tile(root / truth.image, truth.boxes_xyxy, TRUTH, [])
            right = _tile(root / truth.image, found.boxes_xyxy[sure], PREDICTION, captions)
            sheet.paste(left, (MARGIN_PX, top))
            sheet.paste(right, (2 * MARGIN_PX + TILE_PX, top))
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, quality=88)
        return out


def _thumbnail(image: Path) -> Thumbnail:
    upright = _upright(image)
    small, out = upright.copy(), io.BytesIO()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    small.save(out, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return Thumbnail(jpeg=out.getvalue(), width_px=upright.width, height_px=upright.height)


def _upright(image: Path) -> Image.Image:
    with Image.open(image) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def _tile(image: Path, boxes_xyxy: Boxes, colour: str, captions: list[str]) -> Image.Image:
    upright = _upright(image)
    scale = TILE_PX / max(upright.size)
    size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
    tile = Image.new("RGB", (TILE_PX, TILE_PX), "#eeeeee")
    tile.paste(upright.resize(size))
    pen, font = ImageDraw.Draw(tile), ImageFont.load_default(11)
    for index, box in enumerate(np.asarray(boxes_xyxy) * scale):
        pen.rectangle([float(value) for value in box], outline=colour, width=2)
        if captions:
            pen.text((float(box[0]) + 3, float(box[1]) + 1), captions[index], fill=colour, font=font)
    return tile
