"""The figure of the gate: the width of intervals and the power of the gate, by the number of test images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final

from benchmarks.gate_trials import MARGIN, SCENARIOS, Study, Trial, run_trials
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.decision import Verdict

IMAGES: Final = (10, 30, 100, 300, 1000, 3000)
TRIALS: Final = 300
WIDTHS: Final = {
    "champion/map_50": ("one model's mAP50", "#1f5fa8", "o"),
    "better-champion/map_50": ("difference of two models, paired", "#c05a1c", "s"),
}
PROMOTIONS: Final = {
    "superiority/better": ("better by 0.05, must be better", "#1f5fa8", "o"),
    "non-inferiority/equal": (f"equal, must not be worse by {MARGIN:g}", "#2c7f4f", "s"),
    "superiority/equal": ("equal, must be better", "#c05a1c", "^"),
    "non-inferiority/worse": (f"worse by {MARGIN:g}, must not be worse by {MARGIN:g}", "#8b3a8b", "v"),
}


def draw(path: Path, *, resampling: Resampling, seed: int, processes: int = 1) -> None:
    """Simulate, draw and print the numbers; the suffix of the path selects the format."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": "gate", "svg.fonttype": "path", "font.size": 9}
    from matplotlib import pyplot as plt

    trials = {
        images: list(
            run_trials(
                Study(scenario=SCENARIOS["one class"], images=images, resampling=resampling, seed=seed, light=True),
                TRIALS,
                processes=processes,
            )
        )
        for images in IMAGES
    }
    widths = {name: [mean(_widths(trials[images], name)) for images in IMAGES] for name in WIDTHS}
    promoted = {
        name: [100 * mean(trial.verdicts[name] is Verdict.PROMOTE for trial in trials[images]) for images in IMAGES]
        for name in PROMOTIONS
    }
    for name, values in (widths | promoted).items():
        print(f"{name:24}", *(f"{images}: {value:.3g}  " for images, value in zip(IMAGES, values, strict=True)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.9), layout="constrained")
    _lines(left, WIDTHS, widths)
    left.set(title="Width of the 95 % interval", ylabel="from end to end")
    left.set_ylim(bottom=0)
    _lines(right, PROMOTIONS, promoted)
    right.axhline(5, color="#777777", linewidth=0.8, linestyle=":")
    right.set(
        title="How often the gate promotes", ylabel="% of simulated test sets", ylim=(-3, 140), yticks=range(0, 101, 20)
    )
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _lines(axes: Any, styles: Mapping[str, tuple[str, str, str]], values: Mapping[str, Sequence[float]]) -> None:
    for name, (label, colour, marker) in styles.items():
        axes.plot(IMAGES, values[name], label=label, color=colour, marker=marker, markersize=4.5, linewidth=1.4)
    axes.set_xscale("log")
    axes.set_xticks(IMAGES, [f"{images:,}".replace(",", " ") for images in IMAGES])
    axes.minorticks_off()
    axes.set_xlabel("test images")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def _widths(trials: Sequence[Trial], name: str) -> list[float]:
    found = (trial.estimates.get(name) for trial in trials)
    return [each.interval.width for each in found if each is not None and each.interval is not None]
