"""`compose.yaml` as the tests read it: interpolated by the specification's rules, one value for each service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = re.compile(r"\$(?:\$|(?P<plain>\w+)|\{(?P<name>\w+)(?P<rule>:-|:\?)?)")


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """What must have happened to another service; where it is not `required`, only if that one's profile is on."""

    service: str
    condition: str
    required: bool


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as it is declared, with nothing left to interpolate."""

    name: str
    declared: dict[str, Any]

    @property
    def command(self) -> list[str]:
        """What the container runs, where the file says it whole; else what is handed to the image's own program."""
        return [*self.declared.get("entrypoint", []), *self.declared["command"]]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.declared.get("environment", {}))

    @property
    def health(self) -> list[str] | None:
        """The command of its health check; None for a job, which is done when it has exited."""
        check = self.declared["healthcheck"]
        return None if check.get("disable") else check["test"][1:]

    @property
    def network(self) -> str:
        """Whose network it is in: its own, or another's."""
        return str(self.declared.get("network_mode", "")).removeprefix("service:") or self.name

    @property
    def names(self) -> set[str]:
        """By which names others reach it."""
        networks = self.declared.get("networks", {})
        settings = networks.values() if isinstance(networks, dict) else ()
        return {self.name, *(alias for each in settings for alias in (each or {}).get("aliases", ()))}

    @property
    def dependencies(self) -> list[Dependency]:
        return [
            Dependency(service=name, condition=rule["condition"], required=rule.get("required", True))
            for name, rule in self.declared.get("depends_on", {}).items()
        ]

    @property
    def profiles(self) -> list[str]:
        return list(self.declared.get("profiles", []))

    @property
    def volumes(self) -> list[tuple[str, str]]:
        """What is mounted where: a folder of the project (`./…`) or a named volume, and the path in the container."""
        return [
            (source, target) for source, target, *_ in (each.split(":") for each in self.declared.get("volumes", []))
        ]

    @property
    def memory_folders(self) -> list[str]:
        return [each.split(":")[0] for each in self.declared.get("tmpfs", [])]


class MissingVariableError(Exception):
    """A variable without which Docker Compose refuses the file."""


def services(variables: Mapping[str, str], path: Path = ROOT / "compose.yaml") -> dict[str, Service]:
    """All services of the file, whatever their profiles."""
    declared = interpolated(yaml.safe_load(path.read_text(encoding="utf-8")), variables)["services"]
    return {name: Service(name=name, declared=each) for name, each in declared.items()}


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """The same value with each `${…}` in its strings replaced."""
    if isinstance(value, dict):
        return {key: interpolated(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, variables) for each in value]
    return _interpolated_text(value, variables) if isinstance(value, str) else value


def _interpolated_text(text: str, variables: Mapping[str, str]) -> str:
    match = VARIABLE.search(text)
    if match is None:
        return text
    before, after = text[: match.start()], text[match.end() :]
    if match[0] == "$$":
        return f"{before}${_interpolated_text(after, variables)}"
    value = variables.get(match["plain"] or match["name"], "")
    if match["name"]:
        rest, after = _to_the_brace(after)
        if not value and match["rule"] == ":?":
            raise MissingVariableError(f"{match['name']}: {rest}")
        value = value or (_interpolated_text(rest, variables) if match["rule"] == ":-" else "")
    return before + value + _interpolated_text(after, variables)


def _to_the_brace(text: str) -> tuple[str, str]:
    """What stands before the brace that closes, and what after it; braces within are whole."""
    depth = 1
    for place, event in enumerate(text):
        depth += {"{": 1, "}": -1}.get(event, 0)
        if depth == 0:
            return text[:place], text[place + 1 :]
    raise ValueError(f"no closing brace: {text}")
