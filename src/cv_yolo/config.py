"""The configuration in `configs/*.yaml`, checked, as domain values; every error names file and key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from cv_yolo.domain.data.data_policy import DataPolicy, PolicyException
from cv_yolo.domain.data.findings import ALWAYS_ERRORS, FindingKind, Severity
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.catalogue import METRICS, floor_names
from cv_yolo.domain.evaluation.intervals import MOST_RESAMPLES, Resampling
from cv_yolo.domain.promotion.policy import ALL_CLASSES, Gate, PromotionPolicy, Rule
from cv_yolo.domain.promotion.versions import MODEL_NAME, Stage
from cv_yolo.domain.training.specs import STRIDE_PX
from cv_yolo.errors import ConfigError
from cv_yolo.files import sha256_of


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


Epochs = Annotated[int, Field(ge=1, le=10_000, strict=True)]
ImageSize = Annotated[int, Field(ge=STRIDE_PX, le=4096, multiple_of=STRIDE_PX, strict=True)]
METRIC_PATTERNS: Final = tuple(
    f"^({'|'.join(names)})$"
    for names in ([each.name for each in METRICS if each.selects], [each.name for each in METRICS if each.gates])
)
ALL_KEYS: Final = "docs/reference/configuration.md in zenml-cv-yolo's repository lists all keys"
FLOOR_PATTERN: Final = f"^({'|'.join(floor_names())})$"
SelectionMetric = Annotated[str, Field(pattern=METRIC_PATTERNS[0])]
GateMetric = Annotated[str, Field(pattern=METRIC_PATTERNS[1])]
FloorName = Annotated[str, Field(pattern=FLOOR_PATTERN)]
ModelName = Annotated[str, Field(pattern=f"^{MODEL_NAME}$")]
Floor = Annotated[float, Field(ge=0, lt=1)]
ClassName = Annotated[str, Field(min_length=1)]
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
    registered_model: ModelName | None = None
    policy: str = "configs/policy.yaml"
    training: TrainingConfig = TrainingConfig()
    grid: GridConfig
    resources: ResourcesConfig = ResourcesConfig()


class SelectionConfig(_Strict):
    """The score that chooses: always measured on the validation split, since test never chooses."""

    metric: SelectionMetric = "map_50"
    split: Literal["val"] = "val"


class IntervalsConfig(_Strict):
    """How intervals are made."""

    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=MOST_RESAMPLES)
    seed: int = Field(default=0, ge=0, lt=2**31)


class TestConfig(_Strict):
    """How the test images are used up."""

    min_images: int = Field(default=30, ge=2)
    budget: int = Field(default=20, ge=1)


class GateConfig(_Strict):
    """The requirements of a stage."""

    metric: GateMetric = "map_50"
    rule: Rule = Rule.NON_INFERIORITY
    margin: float = Field(default=0.02, ge=0, le=1)
    class_margin: float | None = Field(default=None, ge=0, le=1)
    slice_margin: float | None = Field(default=None, ge=0, le=1)
    floors: dict[FloorName, Floor] = Field(default_factory=dict)
    class_floor: Floor | None = None
    required_classes: Annotated[tuple[ClassName, ...], BeforeValidator(_as_list)] = ()
    required_boxes: int = Field(default=10, ge=1)
    max_latency_ms: float | None = Field(default=None, gt=0)
    max_size_mb: float | None = Field(default=None, gt=0)

    def to_gate(self, *, provisional: bool = False) -> Gate:
        """The domain's value."""
        given = self.model_dump(exclude={"max_size_mb", "provisional"})
        if self.required_classes == (ALL_CLASSES,):
            given["required_classes"] = ALL_CLASSES
        size_bytes = None if self.max_size_mb is None else round(self.max_size_mb * 1e6)
        return Gate(**given, max_size_bytes=size_bytes, provisional=provisional)


class StagingGateConfig(GateConfig):
    """Into staging, where a policy may let a first version in provisionally, on few test images."""

    provisional: bool = False


class GatesConfig(_Strict):
    """One gate for each stage; no version enters a stage without one."""

    staging: StagingGateConfig | None = None
    production: GateConfig | None = None


class PolicyConfig(_Strict):
    """When a version is promoted, and to what."""

    model: ModelName = "cv_yolo_tiny"
    selection: SelectionConfig = SelectionConfig()
    intervals: IntervalsConfig = IntervalsConfig()
    test: TestConfig = TestConfig()
    gates: GatesConfig

    def to_policy(self, *, source: str, sha256: str) -> PromotionPolicy:
        """The domain's value; `source` and `sha256` name the file it was read from."""
        gates = {}
        if self.gates.staging is not None:
            gates[Stage.STAGING] = self.gates.staging.to_gate(provisional=self.gates.staging.provisional)
        if self.gates.production is not None:
            gates[Stage.PRODUCTION] = self.gates.production.to_gate()
        return PromotionPolicy(
            model=self.model,
            selection_metric=self.selection.metric,
            gates=gates,
            resampling=Resampling(**self.intervals.model_dump()),
            min_images=self.test.min_images,
            test_budget=self.test.budget,
            source=source,
            sha256=sha256,
        )


def _off(value: object) -> object:
    return "off" if value is False else value  # YAML reads `off` as false


def _settable(kind: FindingKind) -> FindingKind:
    if kind in ALWAYS_ERRORS:
        raise ValueError("always an error: it cannot be set or excepted")
    return kind


RuleName = Annotated[FindingKind, AfterValidator(_settable)]
RuleSeverity = Annotated[Severity, BeforeValidator(_off)]


class ExceptionConfig(_Strict):
    """A finding that is accepted: the image, or the two of a pair, and why."""

    rule: RuleName
    places: Annotated[tuple[ClassName, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=2)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class DataPolicyConfig(_Strict):
    """What a data set must be like."""

    rules: dict[RuleName, RuleSeverity] = Field(default_factory=dict)
    groups: Annotated[tuple[ClassName, ...], BeforeValidator(_as_list)] = ()
    required_classes: dict[Split, Annotated[tuple[ClassName, ...], BeforeValidator(_as_list)]] = Field(
        default_factory=dict
    )
    training_size_px: ImageSize = 640
    smallest_box_px: float = Field(default=8.0, gt=0)
    imbalance_ratio: float = Field(default=100.0, gt=1)
    smallest_effect: float = Field(default=0.33, gt=0, le=1)
    registered_model: ModelName = "cv_yolo_tiny"
    exceptions: tuple[ExceptionConfig, ...] = ()

    def to_policy(self) -> DataPolicy:
        """The domain's value."""
        given = self.model_dump(exclude={"rules", "exceptions"})
        exceptions = tuple(PolicyException(**each.model_dump()) for each in self.exceptions)
        return DataPolicy(**given, severities=dict(self.rules), exceptions=exceptions)


Model = TypeVar("Model", bound=BaseModel)


def load_experiment(path: Path, overrides: Mapping[str, Any] | None = None) -> ExperimentConfig:
    """Read an experiment's file; `overrides` maps dotted keys (`grid.epochs`) to the values that replace the file's."""
    return _load(path, ExperimentConfig, overrides or {})


def load_policy(path: Path) -> PromotionPolicy:
    """Read a promotion policy's file; its name and the hash of its content stay with every decision."""
    config = _load(path, PolicyConfig, {})
    try:
        return config.to_policy(source=path.name, sha256=sha256_of(path))
    except ValueError as error:
        raise ConfigError(f"{path}: {error}", hint=ALL_KEYS) from error


def load_data_policy(path: Path) -> DataPolicy:
    """Read the rules of the data gate."""
    return _load(path, DataPolicyConfig, {}).to_policy()


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
        raise ConfigError(f"{path}: no such file", hint="`ls configs` lists the existing ones") from None
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
        reason = {"missing": "missing", "extra_forbidden": "unknown key"}.get(problem["type"], _reason(problem))
        lines.append(f"{source}: {key}: {reason}{given}")
    return ConfigError("; ".join(lines), hint=ALL_KEYS)


def _reason(problem: ErrorDetails) -> str:
    """Pydantic's words; of a metric the names that are allowed, and not their pattern."""
    pattern = problem.get("ctx", {}).get("pattern")
    if pattern in METRIC_PATTERNS:
        return f"not one of {', '.join(pattern.strip('^()$').split('|'))}"
    return "not a metric that may have a floor" if pattern == FLOOR_PATTERN else problem["msg"]


def _is_overridden(key: str, overrides: Mapping[str, Any]) -> bool:
    """Whether the key, what holds it or what it holds came from the command line."""
    return any(f"{key}.".startswith(f"{given}.") or f"{given}.".startswith(f"{key}.") for given in overrides)
