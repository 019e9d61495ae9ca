"""What a person writes in `configs/*.yaml`, checked, as domain values; every refusal names file and key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cv_yolo.domain.promotion import PromotionPolicy
from cv_yolo.domain.training import STRIDE_PX
from cv_yolo.domain.versions import Alias
from cv_yolo.errors import ConfigError


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


Epochs = Annotated[int, Field(ge=1, le=10_000, strict=True)]
ImageSize = Annotated[int, Field(ge=STRIDE_PX, le=4096, multiple_of=STRIDE_PX, strict=True)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|\d+)$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingConfig(_Strict):
    """How each run of the grid trains."""

    batch_size: int = Field(default=8, ge=1, le=4096)
    optimizer: Literal["SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSProp"] = "AdamW"
    learning_rate: float = Field(default=0.0003, gt=0, le=1)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0005, ge=0, le=1)
    warmup_epochs: float = Field(default=0.0, ge=0, le=10_000)
    mosaic: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    device: Device = "auto"


class GridConfig(_Strict):
    """Which runs: every number of epochs with every image size."""

    epochs: Annotated[tuple[Epochs, ...], BeforeValidator(_as_list), Field(min_length=1)]
    image_size_px: Annotated[tuple[ImageSize, ...], BeforeValidator(_as_list), Field(min_length=1)]


class ResourcesConfig(_Strict):
    """How much of the machine to use; absent means as much as there is."""

    parallel_runs: int | None = Field(default=None, ge=1, le=64)
    threads_per_run: int | None = Field(default=None, ge=1, le=256)


class ExperimentConfig(_Strict):
    """One experiment: the data, where training starts from, how it trains, and which runs."""

    dataset: str = Field(min_length=1)
    experiment: str = Field(default="cv_yolo_tiny", min_length=1)
    model: str = Field(min_length=1)
    policy: str = "configs/policy.yaml"
    training: TrainingConfig = TrainingConfig()
    grid: GridConfig
    resources: ResourcesConfig = ResourcesConfig()


class SelectionConfig(_Strict):
    """The score that chooses: always measured on the validation split, since test never chooses."""

    metric: Literal["map_50", "map_50_95", "f1"] = "map_50"
    split: Literal["val"] = "val"


class PolicyConfig(_Strict):
    """When a run is promoted, and to what."""

    model: str = Field(default="cv_yolo_tiny", min_length=1)
    alias: Literal["staging"] = "staging"
    selection: SelectionConfig = SelectionConfig()
    floor: float = Field(default=0.0, ge=0, le=1)
    keep_better_champion: bool = True

    def to_policy(self) -> PromotionPolicy:
        """The domain's value."""
        return PromotionPolicy(
            model=self.model,
            alias=Alias(self.alias),
            metric=self.selection.metric,
            floor=self.floor,
            keep_better_champion=self.keep_better_champion,
        )


Model = TypeVar("Model", bound=BaseModel)


def load_experiment(path: Path, overrides: Mapping[str, Any] | None = None) -> ExperimentConfig:
    """Read an experiment's file; `overrides` maps dotted keys (`grid.epochs`) to the values that replace the file's."""
    return _load(path, ExperimentConfig, overrides or {})


def load_policy(path: Path) -> PromotionPolicy:
    """Read a promotion policy's file."""
    return _load(path, PolicyConfig, {}).to_policy()


def parse_override(text: str) -> tuple[str, Any]:
    """`training.seed=1` as key and value; the value is read as YAML."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {text}: expected key=value", hint="for example --set training.learning_rate=0.002")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: the value is not YAML: {' '.join(str(error).split())}") from error


def _load(path: Path, model: type[Model], overrides: Mapping[str, Any]) -> Model:
    content = _read(path)
    for key, value in overrides.items():
        _put(content, key, value)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _refusal(path, error, overrides) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", hint="give one with --config; `ls configs` shows ours") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        child = content.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {key}: `{parent}` holds a value, not keys")
        content = child
    content[last] = value


def _refusal(path: Path, error: ValidationError, overrides: Mapping[str, Any]) -> ConfigError:
    lines = []
    for problem in error.errors():
        places = isinstance(problem["loc"][-1], int) and problem["type"] != "invalid_key"  # the third of `epochs`
        key = ".".join(map(str, problem["loc"][:-1] if places else problem["loc"]))
        source = "the command line" if _is_overridden(key, overrides) else str(path)
        given = "" if problem["type"] in {"missing", "extra_forbidden"} else f" (given: {problem['input']!r})"
        reason = {"missing": "missing", "extra_forbidden": "unknown key"}.get(problem["type"], problem["msg"])
        lines.append(f"{source}: {key}: {reason}{given}")
    return ConfigError("; ".join(lines), hint="docs/reference/configuration.md lists all keys")


def _is_overridden(key: str, overrides: Mapping[str, Any]) -> bool:
    """Whether the key, what holds it or what it holds came from the command line."""
    return any(f"{key}.".startswith(f"{given}.") or f"{given}.".startswith(f"{key}.") for given in overrides)
