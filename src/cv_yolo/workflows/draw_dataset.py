"""Draw a data set of small person scenes, deterministic by seed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.ports.datasets import DatasetFolder, LabelledImage, Painter


def draw_dataset(
    root: Path,
    *,
    painter: Painter,
    folder: DatasetFolder,
    counts: dict[Split, int],
    size_px: int,
    seed: int,
    on_picture: Callable[[int], None] = lambda done: None,
) -> DatasetManifest:
    """Write `counts` pictures of each split to `root`; the same arguments give the same bytes.

    Each picture has a random stream of its own, so that more pictures leave the former ones as they are.
    """

    def pictures() -> Iterator[LabelledImage]:
        done = 0
        for index, split in enumerate(Split):
            for number in range(counts.get(split, 0)):
                rng = np.random.default_rng([seed, index, number])
                pixels, boxes_xyxy = painter(rng, size_px=size_px)
                yield LabelledImage(split=split, name=f"scene_{number:04d}", pixels=pixels, boxes_xyxy=boxes_xyxy)
                done += 1
                on_picture(done)

    origin = {"tool": "cv-yolo data synth", "seed": str(seed), "size_px": str(size_px)}
    return folder.write(root, classes=("person",), pictures=pictures(), origin=origin)
