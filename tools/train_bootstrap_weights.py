"""Train the small starting weights of the offline demo, from scratch, on painted scenes.

    python tools/train_bootstrap_weights.py --help

Everything happens in a temporary folder and without a network. What remains is one half-precision checkpoint
without optimizer state and without any path of this machine, and a card next to it that says how it was made.
The same command on the same machine gives the same scores.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import sys
import tempfile
import time
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from cv_yolo.adapters.scenes.scene import Scene, draw_scene
from cv_yolo.adapters.scenes.sprites import SceneStyle

_DEFAULT_OUT = Path("weights/bootstrap-yolo11n.pt")
_DEMO_SIZE_PX = 320
_STREAMS = {  # of the seed: no two sets share a scene
    (SceneStyle.BOOTSTRAP, "train"): 0,
    (SceneStyle.BOOTSTRAP, "val"): 1,
    (SceneStyle.DEMO, "val"): 2,
}
_HYPERPARAMETERS: dict[str, Any] = {
    "optimizer": "AdamW", "lr0": 0.002, "lrf": 0.02, "cos_lr": True, "weight_decay": 0.0005, "warmup_epochs": 2.0,
    "batch": 16, "nbs": 16,  # one optimizer step per batch
    "mosaic": 1.0, "close_mosaic": 8, "scale": 0.5, "hsv_h": 0.05, "fliplr": 0.5,
}  # fmt: skip
# A checkpoint keeps of its training arguments only these, none of which can hold a path.
_KEPT_ARGUMENTS = {"task", "mode", "imgsz", "epochs", "seed", "deterministic", "single_cls", *_HYPERPARAMETERS}


def main() -> int:
    """Draw, train, save, score, and write the card."""
    options = _options()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bootstrap-", dir=options.workdir) as folder:
        workdir = Path(folder)
        _keep_the_library_inside(workdir)
        data = _draw_set(workdir / "bootstrap", ("train", "val"), options)
        best = _train(data, workdir, options)
        training_s = time.monotonic() - started
        options.out.parent.mkdir(parents=True, exist_ok=True)
        _save_without_paths(best, options.out, forbidden=(folder, Path.cwd(), Path.home(), tempfile.gettempdir()))
        demo = _draw_set(workdir / "demo", ("val",), options)
        rows = [_score_row(kind, workdir, options) for kind in (data, demo)]
    card = _card(options, rows, training_s)
    (options.out.parent / "README.md").write_text(card, encoding="utf-8")
    print(card)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train the demo's starting weights from scratch on painted scenes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=1400, help="number of training scenes")
    parser.add_argument("--val-images", type=int, default=200, help="number of held-out scenes, per style")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--size", type=int, default=192, help="side of the training scenes in pixels")
    parser.add_argument("--seed", type=int, default=7301, help="of the scenes and of the training")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="processor threads")
    parser.add_argument("--out", type=Path, default=_DEFAULT_OUT, help="the checkpoint; its card is next to it")
    parser.add_argument("--workdir", type=Path, help="where the temporary folder is made (default: the system's)")
    return parser.parse_args()


def _keep_the_library_inside(workdir: Path) -> None:
    """Ultralytics reads these when it is imported, which therefore happens later."""
    config = workdir / "config"
    config.mkdir()
    os.environ |= {"YOLO_CONFIG_DIR": str(config), "YOLO_OFFLINE": "true", "MPLCONFIGDIR": str(config)}
    from ultralytics.utils import SETTINGS

    settings: Any = SETTINGS
    settings.update({f"{name}_dir": str(workdir / name) for name in ("datasets", "weights", "runs")})
    settings.update(dict.fromkeys(("mlflow", "sync", "tensorboard", "wandb", "comet", "clearml", "dvc"), False))


def _draw_set(folder: Path, splits: tuple[str, ...], options: argparse.Namespace) -> Path:
    """Write images/<split>/*.jpg, labels/<split>/*.txt and data.yaml, in the style the folder is named after."""
    style = SceneStyle(folder.name)
    for split in splits:
        rng = np.random.default_rng((options.seed, _STREAMS[style, split]))
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for index in range(options.images if split == "train" else options.val_images):
            scene = draw_scene(rng, size_px=_size_px(style, options), style=style)
            Image.fromarray(scene.image).save(images / f"{index:05d}.jpg", quality=92)
            (labels / f"{index:05d}.txt").write_text(_label_text(scene), encoding="utf-8")
        print(f"drew {len(list(images.iterdir()))} {style} scenes for {split}", flush=True)
    data = folder / "data.yaml"
    data.write_text(f"train: images/{splits[0]}\nval: images/val\nnames:\n  0: person\n", encoding="utf-8")
    return data


def _size_px(style: SceneStyle, options: argparse.Namespace) -> int:
    return int(options.size) if style is SceneStyle.BOOTSTRAP else _DEMO_SIZE_PX


def _label_text(scene: Scene) -> str:
    """One YOLO line a person: class, centre and size as fractions of the image."""
    size = np.array(scene.image.shape[1::-1] * 2)
    corners = scene.boxes_xyxy / size
    centres, sizes = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    rows = np.hstack([centres, sizes])
    return "".join("0 " + " ".join(f"{value:.6f}" for value in row) + "\n" for row in rows)


def _train(data: Path, workdir: Path, options: argparse.Namespace) -> Path:
    """Train from random weights; the checkpoint that did best on the held-out scenes."""
    import torch
    from ultralytics.models import YOLO

    def use_the_processor_well(trainer: Any) -> None:
        torch.set_num_threads(options.threads)
        trainer.model.to(memory_format=torch.channels_last)

    def report(trainer: Any) -> None:
        if trainer.epoch < trainer.epochs:  # the closing evaluation reports once more
            map_50 = trainer.metrics.get("metrics/mAP50(B)", float("nan"))
            print(f"epoch {trainer.epoch + 1}/{trainer.epochs}: mAP50 {map_50:.3f}", flush=True)

    model: Any = YOLO("yolo11n.yaml")
    model.add_callback("on_train_start", use_the_processor_well)
    model.add_callback("on_fit_epoch_end", report)
    model.train(
        data=str(data), project=str(workdir / "runs"), name="bootstrap", epochs=options.epochs,
        imgsz=options.size, seed=options.seed, deterministic=True, device="cpu", workers=0, cache="ram",
        pretrained=False, amp=False, plots=False, retry=options.epochs, verbose=False, **_HYPERPARAMETERS,
    )  # fmt: skip
    return Path(model.trainer.best)


def _save_without_paths(best: Path, out: Path, *, forbidden: tuple[str | Path, ...]) -> None:
    """Keep the network in half precision and the training's figures; refuse a file that names a path."""
    import torch
    import ultralytics

    model = torch.load(best, map_location="cpu", weights_only=False)["model"].half()  # this process has just written it
    kept = {key: value for key, value in dict(model.args).items() if key in _KEPT_ARGUMENTS}
    model.args = kept
    nothing = dict.fromkeys(("best_fitness", "ema", "updates", "optimizer"))
    about = {"epoch": -1, "train_args": kept, "version": ultralytics.__version__, "license": "AGPL-3.0"}
    checkpoint = {"model": model, **about, **nothing}
    torch.save(checkpoint, out)
    with zipfile.ZipFile(out) as archive:
        content = b"".join(archive.read(name) + name.encode() for name in archive.namelist())
    named = [str(path) for path in forbidden if len(str(path)) > 1 and str(path).encode() in content]
    if named:
        out.unlink()
        raise RuntimeError(f"the checkpoint names paths of this machine: {named}")


def _score_row(data: Path, workdir: Path, options: argparse.Namespace) -> str:
    """How well the saved weights do on the validation scenes of a data set, as a row of the card's table."""
    from ultralytics.models import YOLO

    style = SceneStyle(data.parent.name)
    size_px = _size_px(style, options)
    box = YOLO(options.out).val(
        data=str(data), imgsz=size_px, project=str(workdir / "runs"), name=style.value, device="cpu", workers=0,
        plots=False, verbose=False,
    ).box  # fmt: skip
    labels = [path.read_text(encoding="utf-8") for path in (data.parent / "labels" / "val").glob("*.txt")]
    persons = sum(len(label.splitlines()) for label in labels)
    return f"| {style} | {len(labels)} | {persons} | {size_px} px | {box.map50:.3f} | {box.map:.3f} |"


_CARD = """\
# Container weights

`{file}` is a YOLO11n that has seen nothing but painted scenes. It exists so that the demo trains from something
sensible without a network, in a few epochs. **It is not for production**: it has never seen a photograph.

## How it was made

```sh
{command}
```

| | |
|---|---|
| start | random weights (`yolo11n.yaml`), one class: `person` |
| scenes | {images} for training, {val_images} held out, of {size} px, painted by `cv_yolo.adapters.scenes` |
| training | {epochs} epochs, seed {seed}, {threads} processor threads, {minutes:.0f} minutes |
| settings | {settings} |
| versions | {versions} |
| file | {bytes} bytes, half precision, no optimizer state |
| sha256 | `{sha256}` |

## What it scores

| style of the scenes | images | persons | size | mAP50 | mAP50-95 |
|---|---|---|---|---|---|
{rows}

None of these scenes was trained on, and the demo does not use them. Those of style `bootstrap` chose the epoch whose
weights are kept. The style `demo` played no part: its row says how far the weights carry over without fine-tuning.

## Licence

Made with Ultralytics YOLO11, which is licensed under AGPL-3.0; its authors regard trained models as covered by that
licence. The scenes are painted by this project and show no real person.
"""


def _card(options: argparse.Namespace, rows: list[str], training_s: float) -> str:
    content = options.out.read_bytes()
    named = ("images", "val_images", "epochs", "size", "seed", "threads")
    flags = " ".join(f"--{name.replace('_', '-')} {getattr(options, name)}" for name in named)
    out = "" if options.out == _DEFAULT_OUT else f" --out {options.out.name}"
    return _CARD.format(
        file=options.out.name,
        command=f"python tools/train_bootstrap_weights.py {flags}{out}",
        minutes=training_s / 60,
        settings=", ".join(f"{name} {value}" for name, value in _HYPERPARAMETERS.items()),
        versions=_versions(),
        bytes=f"{len(content):,}".replace(",", " "),
        sha256=hashlib.sha256(content).hexdigest(),
        rows="\n".join(rows),
        **{name: getattr(options, name) for name in named},
    )


def _versions() -> str:
    packages = ("torch", "ultralytics", "numpy", "pillow")
    found = [f"{package} {version(package).partition('+')[0]}" for package in packages]
    return ", ".join([f"Python {platform.python_version()}", *found])


if __name__ == "__main__":
    raise SystemExit(main())
