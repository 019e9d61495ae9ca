"""Ultralytics' trainer on the manifest's images and boxes; imported after `library.prepare`."""

from pathlib import Path
from typing import Any

from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_file_speeds
from ultralytics.models.yolo.detect import DetectionTrainer

from cv_yolo.adapters.ultralytics.examples import Example, Examples, require_same
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import TrainingFailedError

NO_CACHE = Path("/nonexistent")


class ManifestDataset(YOLODataset):  # type: ignore[misc]
    """Images and boxes as they are given: Ultralytics looks for neither labels nor caches next to the images."""

    def __init__(self, *arguments: Any, examples: tuple[Example, ...], **options: Any) -> None:
        self.examples = examples
        self.shapes = {example.path: example.shape for example in examples}
        super().__init__(*arguments, **options)
        self.npy_files = [NO_CACHE / f"{number}.npy" for number in range(self.ni)]  # it would read pixels from there

    def get_img_files(self, img_path: Any) -> list[str]:  # noqa: ARG002 - Ultralytics' signature
        paths = [example.path for example in self.examples]
        check_file_speeds(paths, prefix=self.prefix)  # says so where a disk is slow; draws from Python's generator
        return paths

    def get_labels(self) -> list[dict[str, Any]]:
        return [
            {
                "im_file": example.path,
                "shape": example.shape,
                "cls": example.rows[:, :1].copy(),
                "bboxes": example.rows[:, 1:].copy(),
                "segments": [],
                "keypoints": None,
                "normalized": True,
                "bbox_format": "xywh",
            }
            for example in self.examples
        ]

    def load_image(self, i: int, *arguments: Any, **options: Any) -> Any:
        loaded = super().load_image(i, *arguments, **options)
        height_px, width_px = loaded[1]
        if (height_px, width_px) != self.shapes.get(self.im_files[i]):
            raise TrainingFailedError(
                f"{self.im_files[i]}: decoded as {width_px} × {height_px} pixels, which the manifest does not say"
            )
        return loaded


class ManifestTrainer(DetectionTrainer):  # type: ignore[misc]
    """A training on exactly these examples."""

    def __init__(self, examples: Examples, classes: tuple[str, ...], arguments: dict[str, Any]) -> None:
        self.examples, self.classes = examples, classes
        super().__init__(overrides=arguments)

    def get_dataset(self) -> Any:
        data = super().get_dataset()
        return data | {"names": dict(enumerate(self.classes)), "nc": len(self.classes)}  # codes of ImageNet stay codes

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> ManifestDataset:
        training = mode == "train"
        return ManifestDataset(
            examples=self.examples[Split.TRAIN if training else Split.VAL],
            data=self.data,
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=training,
            hyp=self.args,
            rect=not training,
            stride=max(int(self.model.stride.max()), 32),
            pad=0.0 if training else 0.5,
            prefix=f"{mode}: ",
        )

    def require_same_data(self) -> None:
        """Raises `TrainingFailedError` where what was loaded is not what was given."""
        loaded = {Split.TRAIN: self.train_loader, Split.VAL: self.test_loader}
        for split, loader in loaded.items():
            require_same(split, loader.dataset, self.examples[split])
