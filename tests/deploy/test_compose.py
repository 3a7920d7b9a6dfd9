"""compose.yaml: commands that exist, settings that are known, time to stop, and a Redis that keeps what it has."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from deploy.commands import DEPLOY, SETTING_VARIABLES, STOP_SECONDS, check_command, run_dir
from deploy.redis_server import directive
from deploy.test_dockerfile import STAGES, VERSION

TEXT = (DEPLOY / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
SUPERVISED = ("coordinator", "worker", "worker-cpu")


def command_of(name: str) -> list[str]:
    """What the container of a service runs: entrypoint and command, the image's own where the service has none."""
    service = SERVICES[name]
    stage = STAGES[service["build"]["target"]]
    return [*service.get("entrypoint", stage.entrypoint), *service.get("command", stage.command)]


def test_the_services_are_these() -> None:
    assert set(SERVICES) == {"redis", "coordinator", "worker", "worker-cpu", "flower", "exporter", "client"}


@pytest.mark.parametrize("name", OURS)
def test_the_command_exists(name: str) -> None:
    check_command(command_of(name))


@pytest.mark.parametrize("name", OURS)
def test_every_virnucpro_variable_is_a_setting(name: str) -> None:
    ours = {variable for variable in SERVICES[name]["environment"] if variable.startswith("VIRNUCPRO_")}
    assert {"VIRNUCPRO_STORE", "VIRNUCPRO_BROKER_URL"} <= ours <= SETTING_VARIABLES


@pytest.mark.parametrize("name", SUPERVISED)
def test_workers_have_time_to_stop_and_are_probed_where_they_beat(name: str) -> None:
    service = SERVICES[name]
    assert float(service["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
    probe = service["healthcheck"]["test"][1:] if "healthcheck" in service else STAGES["worker"].probe
    check_command(probe)
    assert run_dir(command_of(name)) == run_dir(probe)
    assert [entry.partition(":")[0] for entry in service["tmpfs"]] == [run_dir(probe)]


def test_redis_is_started_from_our_file() -> None:
    service = SERVICES["redis"]
    mounts = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert mounts == {
        "./redis.conf": service["command"][1],
        "./redis-users.conf": directive("include"),
        "redis": directive("dir"),
    }
    # The image gives the folder in which it starts to its user. What the command line says wins over the file.
    assert service["working_dir"] == directive("dir")
    assert service["command"][2:] == ["--bind", "*"]


def test_what_the_host_offers_is_on_loopback() -> None:
    assert SERVICES["flower"]["ports"] == ["127.0.0.1:5555:5555"]
    assert SERVICES["exporter"]["ports"] == ["127.0.0.1:9809:9809"]
    assert SERVICES["redis"]["ports"] == ["${REDIS_ADDRESS:-127.0.0.1}:6379:6379"]
    assert not any("ports" in SERVICES[name] for name in (*SUPERVISED, "client"))


def test_metrics_are_served_and_probed_where_the_port_is_and_the_store_is_only_read() -> None:
    service = SERVICES["exporter"]
    assert command_of("exporter")[-2:] == ["--port", "9809"]
    assert ":9809/metrics" in service["healthcheck"]["test"][-1]
    assert service["volumes"] == [f"{SERVICES['coordinator']['volumes'][0]}:ro"]


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    assert "redis://virnucpro:${REDIS_PASSWORD:?" in TEXT
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith("${FLOWER_BASIC_AUTH:?")
    asked = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert asked == set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))


def test_the_gpu_worker_reserves_gpus_never_falls_back_to_the_cpu_and_splits_nothing() -> None:
    (device,) = SERVICES["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert command_of("worker")[-4:] == ["--devices", "gpu", "--coordinators", "0"]


def test_workers_are_named_after_the_host_and_no_two_alike() -> None:
    names = [SERVICES[name]["hostname"] for name in SUPERVISED]
    assert len(set(names)) == len(names) and all(name.startswith("${HOST_NAME:?") for name in names)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_logs_are_limited_and_images_pinned(name: str) -> None:
    assert {"max-size", "max-file"} <= set(SERVICES[name]["logging"]["options"])
    tag = SERVICES[name]["image"].partition(":")[2]
    assert tag == VERSION if name in OURS else re.fullmatch(r"\d+\.\d+\.\d+\b.*", tag)
