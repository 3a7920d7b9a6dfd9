"""Kubernetes files: what kustomization.yaml lists, commands that exist, rights, and the lists that the queue has."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from deploy.commands import DEPLOY, SETTING_VARIABLES, STOP_SECONDS, check_command, run_dir
from deploy.redis_server import directive
from deploy.test_dockerfile import STAGES, VERSION

from virnucpro_tasks.keys import waiting_gauge

DIGEST, BUILD = "0" * 64, "0" * 10
KUSTOMIZATION = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())


def documents(name: str) -> dict[str, dict[str, Any]]:
    return {
        f"{entry['kind']}/{entry['metadata']['name']}": entry
        for entry in yaml.safe_load_all((DEPLOY / name).read_text())
    }


OBJECTS = {name: entry for file in KUSTOMIZATION["resources"] for name, entry in documents(file).items()}
PODS = {
    name.partition("/")[2]: entry["spec"]["template"]["spec"]
    for name, entry in OBJECTS.items()
    if entry["kind"] in ("Deployment", "StatefulSet")
}
SUPERVISED = ("virnucpro-worker", "virnucpro-coordinator")
OURS = (*SUPERVISED, "virnucpro-flower", "virnucpro-exporter", "virnucpro-client")


def container_of(name: str) -> dict[str, Any]:
    (container,) = PODS[name]["containers"]
    return container


def command_of(name: str) -> list[str]:
    """What the container of a pod runs; what it does not say the image does."""
    container = container_of(name)
    stage = STAGES[container["image"].removeprefix("virnucpro-")]
    return [*container.get("command", stage.entrypoint), *container.get("args", [])]


def test_everything_is_listed_and_every_file_is_there() -> None:
    assert set(PODS) == {*OURS, "virnucpro-redis"}
    listed = {*KUSTOMIZATION["resources"], "kubernetes/keda.yaml"}
    assert {str(file.relative_to(DEPLOY)) for file in (DEPLOY / "kubernetes").glob("*.yaml")} == listed
    made = {"redis-users.conf", "kubernetes/secrets.env"}
    generated = [
        file
        for generator in (*KUSTOMIZATION["configMapGenerator"], *KUSTOMIZATION["secretGenerator"])
        for file in (*generator.get("files", ()), *generator.get("envs", ()))
    ]
    assert {"redis.conf", *made} == set(generated)
    for name in made:
        assert (DEPLOY / f"{name}.example").exists()
        assert name.rpartition("/")[2] in (DEPLOY / ".gitignore").read_text().split()


@pytest.mark.parametrize("name", SUPERVISED)
def test_a_pod_runs_a_command_that_exists_and_is_probed_where_it_beats(name: str) -> None:
    container = container_of(name)
    probe = container["livenessProbe"]["exec"]["command"]
    check_command(command_of(name))
    check_command(probe)
    assert run_dir(command_of(name)) == run_dir(probe)
    assert run_dir(probe) in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert PODS[name]["terminationGracePeriodSeconds"] > STOP_SECONDS


def test_the_worker_names_its_device_and_asks_for_it() -> None:
    container = container_of("virnucpro-worker")
    assert command_of("virnucpro-worker")[-4:] == ["--devices", "0", "--coordinators", "0"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_flower_is_started_and_probed_on_its_port() -> None:
    container = container_of("virnucpro-flower")
    check_command(command_of("virnucpro-flower"))
    (port,) = container["ports"]
    assert command_of("virnucpro-flower")[-1] == str(port["containerPort"])
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthcheck", "port": port["name"]}


def test_one_exporter_is_started_probed_and_reached_on_its_port_and_only_reads_the_store() -> None:
    container = container_of("virnucpro-exporter")
    check_command(command_of("virnucpro-exporter"))
    (port,) = container["ports"]
    assert command_of("virnucpro-exporter")[-1] == str(port["containerPort"])
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/metrics", "port": port["name"]}
    assert OBJECTS["Service/virnucpro-exporter"]["spec"]["ports"][0]["port"] == port["containerPort"]
    (rule,) = OBJECTS["NetworkPolicy/virnucpro-exporter"]["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": port["containerPort"]}]
    assert OBJECTS["Deployment/virnucpro-exporter"]["spec"]["replicas"] == 1
    (mount,) = container["volumeMounts"]
    assert mount["readOnly"] is True


def test_redis_has_our_file_and_its_folders() -> None:
    container, pod = container_of("virnucpro-redis"), PODS["virnucpro-redis"]
    assert container["args"] == ["valkey-server", "/etc/virnucpro/redis.conf", "--bind", "*"]
    assert container["workingDir"] == directive("dir")
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"data": directive("dir"), "configuration": "/etc/virnucpro"}
    assert directive("include") == f"{mounts['configuration']}/redis-users.conf"
    ((volume,), claims) = pod["volumes"], OBJECTS["StatefulSet/virnucpro-redis"]["spec"]["volumeClaimTemplates"]
    assert [claim["metadata"]["name"] for claim in claims] == ["data"]
    sources = [next(iter(source.values()))["name"] for source in volume["projected"]["sources"]]
    generators = {entry["name"]: entry["files"] for entry in KUSTOMIZATION["configMapGenerator"]} | {
        entry["name"]: entry.get("files") for entry in KUSTOMIZATION["secretGenerator"]
    }
    assert [generators[name] for name in sources] == [["redis.conf"], ["redis-users.conf"]]


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_has_no_more_rights_than_it_needs(name: str) -> None:
    pod, container = PODS[name], container_of(name)
    rights = pod["securityContext"]
    assert rights["runAsNonRoot"] and rights["seccompProfile"] == {"type": "RuntimeDefault"}
    assert rights["runAsUser"] == int(STAGES["client"].last("USER")) == rights["fsGroup"]
    assert rights["fsGroupChangePolicy"] == "OnRootMismatch"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]
    assert pod["enableServiceLinks"] is pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", OURS)
def test_variables_are_settings_and_secrets_those_of_the_file(name: str) -> None:
    example = (DEPLOY / "kubernetes" / "secrets.env.example").read_text()
    keys = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    for entry in container_of(name)["env"]:
        assert entry["name"] in SETTING_VARIABLES or (name, entry["name"]) == ("virnucpro-flower", "FLOWER_BASIC_AUTH")
        if "valueFrom" in entry:
            secret = entry["valueFrom"]["secretKeyRef"]
            assert secret["name"] == "virnucpro" and secret["key"] in keys
    assert "@virnucpro-redis:6379/" in example and "Service/virnucpro-redis" in OBJECTS


def test_claims_are_those_that_pods_mount() -> None:
    claimed = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in PODS.values()
        for volume in pod.get("volumes", ())
        if "persistentVolumeClaim" in volume
    }
    assert claimed == {
        entry["metadata"]["name"] for entry in OBJECTS.values() if entry["kind"] == "PersistentVolumeClaim"
    }


def test_redis_is_reached_by_those_who_need_it_alone() -> None:
    everybody = OBJECTS["NetworkPolicy/virnucpro"]["spec"]
    assert everybody["podSelector"] == {} and "ingress" not in everybody
    assert everybody["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = OBJECTS["NetworkPolicy/virnucpro-redis"]["spec"]["ingress"]
    (own, keda) = rule["from"]
    assert set(own["podSelector"]["matchExpressions"][0]["values"]) == set(OURS)
    assert keda["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "keda"}
    assert rule["ports"] == [{"protocol": "TCP", "port": 6379}]


def test_images_are_pinned() -> None:
    tags = {entry["name"]: entry["newTag"] for entry in KUSTOMIZATION["images"]}
    assert set(tags) == {container_of(name)["image"] for name in PODS}
    assert tags["virnucpro-client"] == tags["virnucpro-worker"] == VERSION
    assert f"valkey/valkey:{tags['valkey/valkey']}" in (DEPLOY / "compose.yaml").read_text()


def test_keda_counts_what_waits_and_what_is_taken_where_redis_is() -> None:
    triggers = documents("kubernetes/keda.yaml")["ScaledObject/virnucpro-worker"]["spec"]["triggers"]
    assert [trigger["metadata"]["listName"] for trigger in triggers] == [waiting_gauge(DIGEST, BUILD), "unacked"]
    namespace = KUSTOMIZATION["namespace"]
    assert {trigger["metadata"]["address"] for trigger in triggers} == {f"virnucpro-redis.{namespace}.svc:6379"}
    assert f"Namespace/{namespace}" in OBJECTS
    example = (DEPLOY / "kubernetes" / "secrets.env.example").read_text()
    for entry in documents("kubernetes/keda.yaml")["TriggerAuthentication/virnucpro-redis"]["spec"]["secretTargetRef"]:
        assert entry["name"] == "virnucpro" and f"\n{entry['key']}=" in example


def test_the_scaled_object_scales_the_deployment_that_has_no_number_of_its_own() -> None:
    target = documents("kubernetes/keda.yaml")["ScaledObject/virnucpro-worker"]["spec"]["scaleTargetRef"]["name"]
    assert "replicas" not in OBJECTS[f"Deployment/{target}"]["spec"]
