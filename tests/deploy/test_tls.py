"""Redis behind TLS, with a user and a password: a job from submission to results, and who is turned away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from deploy.redis_server import PASSWORD, USER
from deploy.tls import made_certificate, started_tls_redis
from service.deployment import SAMPLE, Deployment

pytestmark = pytest.mark.service


@dataclass(frozen=True)
class Reachable:
    """Where the server is, and the files of the authority that signed its certificate and of another one."""

    address: str
    authority: Path
    stranger: Path

    def url(self, *, password: str = PASSWORD, authority: Path | None = None, scheme: str = "rediss") -> str:
        checks = f"?ssl_cert_reqs=required&ssl_ca_certs={authority or self.authority}" if scheme == "rediss" else ""
        return f"{scheme}://{USER}:{password}@{self.address}{checks}"


@pytest.fixture(scope="module")
def reachable(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reachable]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = made_certificate(folder)
    stranger = made_certificate(tmp_path_factory.mktemp("stranger")).authority
    with started_tls_redis(folder, server=server, certificate=certificate) as address:
        yield Reachable(address, certificate.authority, stranger)


@pytest.fixture
def deployment(reachable: Reachable, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(tmp_path, reachable.url()) as started:
        yield started


def test_a_job_runs_to_its_results(deployment: Deployment) -> None:
    deployment.start_workers("cpu")
    out = deployment.folder / "out"
    said = deployment.messages("submit", str(SAMPLE), "--output", str(out))
    assert (out / "records.tsv").read_bytes().count(b"\n") == 15
    assert all(finding["ok"] for finding in deployment.json("doctor"))
    # And nobody tells the password
    for text in (said, deployment.log.read_text(), deployment.run("config", "show"), deployment.run("doctor")):
        assert PASSWORD not in text


@pytest.mark.parametrize("command", [("submit", str(SAMPLE)), ("worker", "--devices", "none"), ("doctor",)])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"authority": "stranger"}, "certificate verify failed"),
        ({"password": "guessed-9f"}, "invalid username-password"),
        ({"scheme": "redis"}, "cannot be reached"),
    ],
    ids=["authority", "password", "no TLS"],
)
def test_who_is_not_let_in_is_told_why(
    deployment: Deployment, reachable: Reachable, command: tuple[str, ...], wrong: dict[str, str], said: str
) -> None:
    changes = {name: reachable.stranger if value == "stranger" else value for name, value in wrong.items()}
    stranger = replace(deployment, broker_url=reachable.url(**changes))  # type: ignore[arg-type]
    finished = stranger.finish(*command, expect=4)
    shown = (finished.stdout + finished.stderr).decode()
    assert said in shown
    assert PASSWORD not in shown and "guessed-9f" not in shown
