"""Kubernetes files: commands that exist, settings that are known, and the lists that the queue really has."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from deploy.commands import DEPLOY, SETTING_VARIABLES, STOP_SECONDS, check_command, run_dir
from deploy.test_dockerfile import STAGES

from virnucpro_tasks.keys import waiting_gauge

DIGEST, BUILD = "0" * 64, "0" * 10


def documents(name: str) -> dict[str, dict[str, Any]]:
    return {
        f"{entry['kind']}/{entry['metadata']['name']}": entry
        for entry in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
    }


DEPLOYMENTS = documents("workers.yaml")


def pod_of(name: str) -> dict[str, Any]:
    return DEPLOYMENTS[f"Deployment/{name}"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", ["virnucpro-worker", "virnucpro-coordinator"])
def test_a_pod_runs_a_command_that_exists_and_is_probed_where_it_beats(name: str) -> None:
    (container,) = pod_of(name)["containers"]
    stage = STAGES[container["image"].removeprefix("virnucpro-")]
    command = [*container.get("command", stage.entrypoint), *container["args"]]
    probe = container["livenessProbe"]["exec"]["command"]
    check_command(command)
    check_command(probe)
    assert run_dir(command) == run_dir(probe)
    assert run_dir(probe) in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {entry["name"] for entry in container["env"]} <= SETTING_VARIABLES


@pytest.mark.parametrize("name", ["virnucpro-worker", "virnucpro-coordinator"])
def test_a_pod_is_given_time_and_no_variables_of_services(name: str) -> None:
    pod = pod_of(name)
    assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsUser"] == int(STAGES["client"].last("USER"))


def test_keda_counts_what_waits_and_what_is_taken() -> None:
    triggers = documents("keda.yaml")["ScaledObject/virnucpro-worker"]["spec"]["triggers"]
    assert [trigger["metadata"]["listName"] for trigger in triggers] == [waiting_gauge(DIGEST, BUILD), "unacked"]


def test_the_scaled_object_scales_the_deployment_that_has_no_number_of_its_own() -> None:
    target = documents("keda.yaml")["ScaledObject/virnucpro-worker"]["spec"]["scaleTargetRef"]["name"]
    assert "replicas" not in DEPLOYMENTS[f"Deployment/{target}"]["spec"]
