"""What `compose.yaml` promises: pinned, unprivileged, limited, private, and no secret of its own."""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo import __version__
from cv_yolo_stack.domain.env_file import PLACEHOLDER, filled, settings_of
from tests.compose_file import ROOT, MissingVariableError, Service, interpolated, services

FILE = ROOT / "compose.yaml"
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
PLACEHOLDERS = [name for name, value in settings_of(EXAMPLE).items() if value == PLACEHOLDER]
RAW: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
JOBS = {"check-env", "databases", "buckets", "stack"}
STORES = {"minio", "rustfs", "seaweedfs"}


def _secrets() -> dict[str, str]:
    """Settings in which each secret names its owner."""
    names = iter(PLACEHOLDERS)
    return settings_of(filled(EXAMPLE, known={}, new_secret=lambda: f"secret-of-{next(names)}"))


ALL = services(_secrets())
SERVERS = [name for name in ALL if name not in JOBS]


def strings(value: Any) -> list[str]:
    """Every text in a part of the file."""
    if isinstance(value, dict):
        return [text for each in (*value, *value.values()) for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


def before(name: str) -> set[str]:
    """Everything that must have happened before a service starts."""
    direct = {each.service for each in ALL[name].dependencies}
    return direct.union(*(before(each) for each in direct))


# The specification


def test_the_file_is_as_the_specification_wants_it() -> None:
    tool = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [str(tool), "--builtin-schema", "vendor.compose-spec", str(FILE)],
        capture_output=True,
        text=True,
        check=False,  # asserted below, with what it wrote
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a${A}b", "a1b"),
        ("$A-$A", "1-1"),
        ("${NONE}", ""),
        ("${NONE:-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("${A:-x}", "1"),
        ("${A:?no}", "1"),
        ("${NONE:-http://localhost:${A:-5}}/", "http://localhost:1/"),
        ("${NONE:-http://localhost:${NONE:-5}}/", "http://localhost:5/"),
        ("$$A ${A}", "$A 1"),
        ("none", "none"),
    ],
)
def test_variables_are_read_by_the_specifications_rules(text: str, expected: str) -> None:
    assert interpolated({"key": [text, 7]}, {"A": "1", "EMPTY": ""}) == {"key": [expected, 7]}


def test_a_variable_that_must_be_there_is_an_error_where_it_is_not() -> None:
    with pytest.raises(MissingVariableError, match="B: set it"):
        interpolated("${B:?set it}", {"B": ""})


# Each container


@pytest.mark.parametrize("name", ALL)
def test_no_container_has_a_privilege_or_can_gain_one(name: str) -> None:
    declared = ALL[name].declared
    assert declared["cap_drop"] == ["ALL"]
    assert declared["security_opt"] == ["no-new-privileges:true"]
    assert declared["read_only"] is True
    user, group = str(declared["user"]).split(":")
    assert int(user) > 0
    assert int(group) > 0
    forbidden = {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "cgroup_parent", "volumes_from"}
    assert forbidden & set(declared) == set()
    assert declared.get("network_mode") != "host"


@pytest.mark.parametrize("name", ALL)
def test_every_container_has_limits_and_a_bounded_log(name: str) -> None:
    declared = ALL[name].declared
    limits = declared["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert limits["pids"] > 0
    assert set(declared["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", ALL)
def test_every_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:\w*\d[\w.-]*\.?[\w.-]*(@sha256:[0-9a-f]{64})?", ALL[name].declared["image"])
    tag = ALL[name].declared["image"].split("@")[0].split(":")[1]
    assert re.search(r"\d+\.\d+\.\d+|\d{14}|\d+\.\d+$", tag), "a tag that moves is no pin"


@pytest.mark.parametrize("name", ALL)
def test_mounts_exist_and_the_projects_own_folders_are_read_only(name: str) -> None:
    for volume in ALL[name].declared.get("volumes", []):
        source, _, options = volume.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).is_dir()
            assert options.endswith(":ro")
        else:
            assert source in RAW["volumes"]
    assert "docker.sock" not in " ".join(strings(ALL[name].declared))


@pytest.mark.parametrize("name", ALL)
def test_every_script_that_is_run_is_there(name: str) -> None:
    service = ALL[name]
    places = {target: source for source, target in service.volumes}
    for part in (*service.command, *(service.health or ())):
        if part.startswith("/opt/cv-yolo/"):
            assert (ROOT / places["/opt/cv-yolo"] / Path(part).name).is_file()


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_is_tried_by_use_and_started_again(name: str) -> None:
    declared = ALL[name].declared
    assert declared["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(declared["healthcheck"])
    assert declared["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_is_done_when_it_has_exited(name: str) -> None:
    assert ALL[name].health is None
    assert ALL[name].declared["restart"] == "on-failure:3"


# Together


@pytest.mark.parametrize("name", [name for name in ALL if name != "check-env"])
def test_nothing_starts_before_the_settings_were_checked(name: str) -> None:
    assert "check-env" in before(name)


def test_the_stack_is_registered_after_everything_else() -> None:
    store_doors = {"seaweedfs-door"}
    assert before("stack") == set(ALL) - {"stack"}
    assert {each.service for each in ALL["buckets"].dependencies} == {"minio", "rustfs"} | store_doors
    assert not any(each.required for each in ALL["buckets"].dependencies), "two of the three profiles are off"


@pytest.mark.parametrize("name", ALL)
def test_services_wait_only_for_what_they_need(name: str) -> None:
    for each in ALL[name].dependencies:
        wanted = "service_completed_successfully" if each.service in JOBS else "service_healthy"
        joins = ALL[name].network == each.service
        assert each.condition == wanted or (joins and each.condition == "service_started")


def test_the_database_is_reached_by_the_servers_that_need_it_alone() -> None:
    assert RAW["networks"]["database"]["internal"] is True
    reached_by = {name for name, each in ALL.items() if "database" in each.declared.get("networks", [])}
    assert reached_by == {"mysql", "databases", "mlflow", "zenml-server"}
    assert ALL["mysql"].declared["networks"] == ["database"]
    assert "ports" not in ALL["mysql"].declared


def test_the_documented_ports_are_published_on_this_machine_alone() -> None:
    ports = {port for each in ALL.values() for port in each.declared.get("ports", [])}
    assert ports == {f"127.0.0.1:{port}:{port}" for port in (8080, 5000, 9000, 9001)}
    opened = services(_secrets() | {"BIND_ADDRESS": "0.0.0.0", "MLFLOW_PORT": "5001"})
    assert opened["mlflow"].declared["ports"] == ["0.0.0.0:5001:5000"]
    assert opened["zenml-door"].environment["DOORS"].startswith("127.0.0.1:5001=mlflow:5000 ")
    assert "--mlflow-url=http://localhost:5001" in opened["stack"].command


@pytest.mark.parametrize("name", sorted(STORES))
def test_each_object_store_has_its_profile_and_the_same_name(name: str) -> None:
    assert ALL[name].profiles == [name]
    assert "object-store" in ALL[name].names
    assert {each for each, service in ALL.items() if service.profiles} == STORES | {"seaweedfs-door"}


def test_seaweedfs_exposes_only_s3() -> None:
    assert {"-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"} <= set(ALL["seaweedfs"].command)
    assert ALL["seaweedfs-door"].environment == {"DOORS": "0.0.0.0:9000=127.0.0.1:8333"}


def test_registered_addresses_lead_somewhere_inside_as_they_do_outside() -> None:
    for door, owner in (("zenml-door", "zenml-server"), ("mlflow-door", "mlflow")):
        assert ALL[door].network == owner
        assert "127.0.0.1:9000=object-store:9000" in ALL[door].environment["DOORS"]
    assert ALL["stack"].network == "zenml-server"
    assert ALL["mlflow"].environment["MLFLOW_S3_ENDPOINT_URL"] == "http://localhost:9000"
    assert "--s3-endpoint=http://localhost:9000" in ALL["stack"].command
    team = services(_secrets() | {"S3_URL": "https://s3.example.org", "MLFLOW_URL": "https://mlflow.example.org"})
    assert team["mlflow"].environment["MLFLOW_S3_ENDPOINT_URL"] == "https://s3.example.org"
    assert {"--mlflow-url=https://mlflow.example.org", "--s3-endpoint=https://s3.example.org"} <= set(
        team["stack"].command
    )


# Secrets


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_without_a_secret_the_file_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(MissingVariableError, match=f"{name}: run cv-yolo init-env"):
        services({key: value for key, value in _secrets().items() if key != name})


@pytest.mark.parametrize("name", ALL)
def test_no_secret_is_in_a_command_or_written_in_the_file(name: str) -> None:
    service = ALL[name]
    assert [part for part in (*service.command, *(service.health or ())) if "secret-of-" in part] == []
    raw = Service(name=name, declared=RAW["services"][name]).environment
    for key, value in raw.items():
        if re.search(r"PASSWORD|PWD|STORE_UR[IL]|_KEY(_ID)?$", key):
            assert re.search(r"\$\{\w+:\?run cv-yolo init-env\}", value), key


def test_every_variable_is_in_the_example_and_every_setting_is_used() -> None:
    used = set(re.findall(r"\$\{(\w+)", FILE.read_text(encoding="utf-8")))
    assert used == set(settings_of(EXAMPLE)) - {"COMPOSE_PROFILES"}


def test_each_container_knows_its_own_secrets_only() -> None:
    known = {
        name: {text.split("secret-of-")[1].split("@")[0] for text in strings(each.environment) if "secret-of-" in text}
        for name, each in ALL.items()
    }
    object_store = {"CV_YOLO_S3_SECRET_KEY"}
    assert known == {
        "check-env": set(),  # by env_file: it looks at all of them, and ends
        "mysql": {"MYSQL_ROOT_PASSWORD", "ZENML_DATABASE_PASSWORD"},
        "databases": {"MYSQL_ROOT_PASSWORD", "ZENML_DATABASE_PASSWORD", "MLFLOW_DATABASE_PASSWORD"},
        **dict.fromkeys((*STORES, "buckets"), object_store),
        "mlflow": object_store | {"MLFLOW_DATABASE_PASSWORD", "CV_YOLO_MLFLOW_PASSWORD", "MLFLOW_SESSION_KEY"},
        "zenml-server": {
            *("ZENML_DATABASE_PASSWORD", "CV_YOLO_ZENML_PASSWORD", "ZENML_JWT_KEY", "ZENML_ENCRYPTION_KEY")
        },
        "stack": object_store | {"CV_YOLO_ZENML_PASSWORD", "CV_YOLO_MLFLOW_PASSWORD"},
        **{door: set() for door in ("zenml-door", "mlflow-door", "seaweedfs-door")},
    }
    assert ALL["check-env"].declared["network_mode"] == "none"


# The servers' settings


def test_mlflow_logs_people_in_and_runs_no_jobs() -> None:
    service = ALL["mlflow"]
    assert {"--app-name=basic-auth", "--workers=1", "--artifacts-destination=s3://mlflow"} <= set(service.command)
    assert service.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert {"mlflow:5000", "localhost:*"} <= set(service.environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(","))
    assert service.environment["MLFLOW_AUTH_CONFIG_PATH"] == "/opt/cv-yolo/auth.ini"
    auth = ConfigParser()
    auth.read(ROOT / "docker" / "mlflow" / "auth.ini")
    assert auth["mlflow"]["auth_cache_ttl_seconds"] == "60"
    assert "admin_password" not in auth["mlflow"]


def test_zenml_is_activated_and_encrypts_what_it_keeps() -> None:
    environment = ALL["zenml-server"].environment
    assert environment["ZENML_SERVER_AUTO_ACTIVATE"] == "1"
    assert environment["ZENML_SECRETS_STORE_ENCRYPTION_KEY"] == "secret-of-ZENML_ENCRYPTION_KEY"
    assert environment["ZENML_SERVER_JWT_SECRET_KEY"] == "secret-of-ZENML_JWT_KEY"
    assert environment["ZENML_ANALYTICS_OPT_IN"] == "false"


def test_the_versions_are_those_of_the_clients() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    images = {name: each.declared["image"].split("@")[0] for name, each in ALL.items()}
    assert images["zenml-server"] == f"zenmldocker/zenml-server:{locked['zenml']}"
    assert images["mlflow"] == f"cv-yolo/mlflow:{locked['mlflow']}"
    assert images["stack"] == f"cv-yolo/setup:{__version__}"
    assert images["mysql"].startswith("mysql:8.")
