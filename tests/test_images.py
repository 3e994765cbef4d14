"""The content of the files for containers; `.ci/images` checks their syntax with the tools that read them."""

import re
from typing import Any

import pytest
import yaml

from app.config import PROJECT, Settings, known_names

DOCKERFILES = [PROJECT / "docker" / name for name in ("Dockerfile", "Dockerfile.gpu")]
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, each in SERVICES.items() if each["image"].startswith("arcid")}
KUBERNETES = {
    (each["kind"], each["metadata"]["name"]): each
    for path in (PROJECT / "docker" / "kubernetes").glob("*/**/*.yaml")
    if path.name != "kustomization.yaml"
    for each in yaml.safe_load_all(path.read_text("utf-8"))
}
PODS = {
    name: KUBERNETES[kind, name]["spec"]["template"]["spec"]
    for kind, name in (("Deployment", "arcid"), ("Job", "arcid-setup"))
}
CONTAINERS = [
    (name, each) for name, pod in PODS.items() for each in (*pod.get("initContainers", []), *pod["containers"])
]


# Images


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_lock_that_is_copied_passes_the_dockerignore(path):
    copied = re.findall(
        r"requirements/\w+\.txt", " ".join(re.findall(r"^COPY .*$", path.read_text("utf-8"), re.MULTILINE))
    )
    passed = re.findall(r"^!(\S+)$", (PROJECT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert copied
    assert set(copied) <= set(passed)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_built_from_hashed_packages_and_runs_without_privileges(path):
    text = path.read_text("utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["arcid"\]$', last, re.MULTILINE)  # no shell, so that it receives SIGTERM
    assert "--insecure" not in last
    assert not re.search(r"\b(pip|apt-get) install\b", last)


def test_both_images_are_built_alike():
    def stages(path):
        text = path.read_text("utf-8").replace("gpu.txt", "cpu.txt")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {stage.split()[2]: stage for stage in "\n".join(lines).split("\nFROM ") if stage.startswith("packages ")}

    cpu, gpu = map(stages, DOCKERFILES)
    assert set(cpu) == {"arcid", "networks", "trimmed"}
    assert cpu == gpu


def test_what_is_pinned_is_a_version():
    texts = [path.read_text("utf-8") for path in DOCKERFILES]
    images = [line for text in texts for line in re.findall(r"^ARG BASE=(.*)", text, re.MULTILINE)]
    images += [each["image"] for name, each in SERVICES.items() if name not in OURS]
    for image in images:
        assert re.search(r":[^:]*\d+\.\d+|:RELEASE\.\d{4}", image), image


# Compose


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_contained(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"]
    assert service["healthcheck"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["read_only"] is (name not in {"milvus", "etcd"})
    assert "privileged" not in service


def test_only_this_machine_reaches_what_is_published():
    published = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert len(published) == 6
    for port in published:
        assert re.fullmatch(r"\$\{PUBLISH_\w+:-127\.0\.0\.1:\d+\}:\d+", port)


def test_only_the_demo_runs_without_keys():
    insecure = {name for name, each in SERVICES.items() if "--insecure" in each.get("command", [])}
    assert insecure == {"arcid", "gpu"}


def test_the_demo_starts_without_a_profile_and_not_beside_one():
    assert all(each["profiles"] for each in SERVICES.values())
    assert "COMPOSE_PROFILES=demo" in (PROJECT / ".env").read_text("utf-8").splitlines()
    assert {name for name, each in SERVICES.items() if "demo" in each["profiles"]} == {"arcid"}


def test_the_demos_have_the_photos_of_the_demo_and_readable_logs():
    for name in ("arcid", "gpu"):
        assert SERVICES[name]["command"][:2] == ["demo", "--keep"]
        assert "demo" in SERVICES[name]["build"]["args"]["LOCKS"].split()
        assert SERVICES[name]["environment"]["ARCID_LOG_JSON"] == "false"


def test_databases_have_no_way_out_and_no_secret_of_theirs_is_in_the_file():
    assert COMPOSE["networks"]["back"]["internal"] is True
    for name in ("postgres", "milvus", "etcd", "objects"):
        assert SERVICES[name]["networks"] == ["back"]
        assert "ports" not in SERVICES[name]
        said = {**SERVICES[name].get("environment", {})}
        assert not [key for key in said if re.search(r"PASSWORD$|SECRET|ACCESS_KEY", key)]
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("${SECRETS:-.data/secrets}/")


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_of_compose_exist(name):
    given = {key for key in SERVICES[name].get("environment", {}) if key.startswith("ARCID_")}
    files = {each.upper() for each in SERVICES[name].get("secrets", []) if each.startswith("arcid_")}
    assert given | files <= known_names(Settings)


# Kubernetes


@pytest.mark.parametrize("name", PODS)
def test_pods_satisfy_the_restricted_standard(name):
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # ARCID_PORT would be an unknown setting, an error


@pytest.mark.parametrize(("pod", "container"), CONTAINERS, ids=[f"{pod}-{each['name']}" for pod, each in CONTAINERS])
def test_containers_cannot_write_or_rise(pod, container):
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    volumes = {each["name"] for each in PODS[pod]["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} <= volumes
    names = {each["name"] for each in container.get("env", [])} | set(KUBERNETES["ConfigMap", "arcid"]["data"])
    assert names <= known_names(Settings)


def test_probes_ask_the_right_questions():
    (service,) = PODS["arcid"]["containers"]
    asked = {name: service[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert PODS["arcid"]["terminationGracePeriodSeconds"] > 5 + Settings().limits.grace_seconds


def test_what_belongs_together_has_the_same_names():
    deployment = KUBERNETES["Deployment", "arcid"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["Service", "arcid"]["spec"]["selector"] == labels
    assert KUBERNETES["PodDisruptionBudget", "arcid"]["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["HorizontalPodAutoscaler", "arcid"]["spec"]["scaleTargetRef"]["name"] == "arcid"
    assert "replicas" not in deployment["spec"]  # otherwise each `apply` resets the autoscaler's number
    policy = KUBERNETES["NetworkPolicy", "arcid"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert KUBERNETES["Job", "arcid-setup"]["spec"]["template"]["metadata"]["labels"] != labels
    (monitored,) = KUBERNETES["ServiceMonitor", "arcid"]["spec"]["endpoints"]
    assert monitored["port"] == KUBERNETES["Service", "arcid"]["spec"]["ports"][0]["name"]


def test_no_secret_is_in_the_manifests():
    assert not [name for name in KUBERNETES if name[0] == "Secret"]
