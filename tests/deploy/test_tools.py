"""Each deployment file is accepted by the tool that was made for its kind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import trustme
import yaml
from deploy.commands import DEPLOY
from deploy.tools import accepted, filled_in, tool

PIP = "pip install --group deploy"
KUBERNETES = "1.37"
"""The newest version whose schemas the validator has; the files use nothing that came after 1.27."""
QUADLET = Path("/usr/libexec/podman/quadlet")


def objects(text: str) -> list[dict]:
    return [entry for entry in yaml.safe_load_all(text) if entry]


def kustomized(folder: Path) -> str:
    """What `kubectl apply --kustomize` would send, where there is a kubectl."""
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not here")
    return accepted(kubectl, "kustomize", ".", folder=filled_in(folder))


def test_yamllint() -> None:
    assert accepted(tool("yamllint", PIP), "--strict", ".") == ""


def test_shellcheck() -> None:
    accepted(tool("shellcheck", PIP), *sorted((DEPLOY / "slurm").glob("*.sbatch")))


def test_hadolint() -> None:
    assert accepted(tool("hadolint", PIP), "Dockerfile") == ""


def test_the_schema_of_compose() -> None:
    accepted(tool("check-jsonschema", PIP), "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_schemas_of_kubernetes(tmp_path: Path) -> None:
    # A program of its own: its schemas take memory and time.
    files = [file for file in (DEPLOY / "kubernetes").glob("*.yaml") if file.name != "keda.yaml"]
    said = accepted(tool("kubernetes-validate", PIP), "--strict", "--kubernetes-version", KUBERNETES, *sorted(files))
    assert said.count("passed for resource") == sum(len(objects(file.read_text())) for file in files)


def test_kustomize_makes_what_redis_and_pods_name(tmp_path: Path) -> None:
    made = {(entry["kind"], entry["metadata"]["name"]): entry for entry in objects(kustomized(tmp_path))}
    assert {("ConfigMap", "virnucpro-redis"), ("Secret", "virnucpro-redis-users"), ("Secret", "virnucpro")} < set(made)
    assert {entry["metadata"].get("namespace") for kind, entry in made.items() if kind[0] != "Namespace"} == {
        "virnucpro"
    }
    for (kind, _), entry in made.items():
        if kind in ("Deployment", "StatefulSet"):
            labels = entry["spec"]["template"]["metadata"]["labels"]
            assert entry["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert all(":" in container["image"] for container in entry["spec"]["template"]["spec"]["containers"])


def test_nginx(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("flower.example.org")
    issued.private_key_pem.write_to_path(tmp_path / "flower.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(tmp_path / "flower.pem", append=True)
    site = (DEPLOY / "nginx" / "flower.conf").read_text()
    assert site.count("/etc/ssl/virnucpro/flower.") == 2
    (tmp_path / "site.conf").write_text(site.replace("/etc/ssl/virnucpro", str(tmp_path)))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/site.conf; }}"
    )
    accepted(tool("nginx", "apt-get install nginx-light"), "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf")


def test_promtool() -> None:
    promtool, folder = tool("promtool", "apt-get install prometheus"), DEPLOY / "prometheus"
    accepted(promtool, "check", "config", "prometheus.yaml", folder=folder)
    accepted(promtool, "test", "rules", "alerts.test.yaml", folder=folder)
    tested = {
        test["alertname"]
        for suite in yaml.safe_load((folder / "alerts.test.yaml").read_text())["tests"]
        for test in suite["alert_rule_test"]
        if "exp_alerts" in test
    }
    for metric in re.findall(r"virnucpro_\w+", (folder / "alerts.yaml").read_text()):
        assert f"| `{metric}` |" in (DEPLOY.parent / "docs" / "metrics.md").read_text()
    (group,) = yaml.safe_load((folder / "alerts.yaml").read_text())["groups"]
    assert {rule["alert"] for rule in group["rules"]} == tested


def test_quadlet(tmp_path: Path) -> None:
    if not QUADLET.exists():
        pytest.skip("Podman's generator of units is not here (Podman 5)")
    units = shutil.copytree(DEPLOY / "podman", tmp_path / "units")
    said = accepted("env", f"QUADLET_UNIT_DIRS={units}", QUADLET, "--dryrun")
    assert said.count("ExecStart=") == len([file for file in units.iterdir() if file.suffix != ".example"])


def test_a_file_with_a_mistake_is_refused(tmp_path: Path) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    (tmp_path / "compose.yaml").write_text(text.replace("    command: [flower", "    comand: [flower"))
    with pytest.raises(AssertionError, match="comand"):
        accepted(tool("check-jsonschema", PIP), "--builtin-schema", "vendor.compose-spec", tmp_path / "compose.yaml")
