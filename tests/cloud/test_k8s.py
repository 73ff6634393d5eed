"""What k8s/ gives a cluster: valid, complete, no more rights than needed, nothing secret."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lamflow.doctor_context import RIGHTS
from lamflow.engine.manifest import ArgoOptions

K8S = Path(__file__).parents[2] / "k8s"
FOLDERS = ("base", "overlays/dev", "overlays/prod")
VERSIONS = ("1.30", "1.36")


def documents(*folders: str) -> list[dict[str, Any]]:
    """All objects in the files of folders, as they are written."""
    files = [file for folder in folders for file in sorted((K8S / folder).glob("*.yaml"))]
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def named(kind: str, name: str, *folders: str) -> dict[str, Any]:
    """The one object of a kind and name."""
    (found,) = [
        document
        for document in documents(*folders or ("base",))
        if (document["kind"], document.get("metadata", {}).get("name")) == (kind, name)
    ]
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_part_of_the_whole(folder: str) -> None:
    kustomization = yaml.safe_load((K8S / folder / "kustomization.yaml").read_text())
    used = set(kustomization["resources"]) | {p["path"] for p in kustomization.get("patches", [])}
    assert {name for name in used if not name.startswith("..")} == {
        file.name for file in (K8S / folder).glob("*.yaml") if file.stem != "kustomization"
    }


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_builds_what_kubernetes_takes(folder: str) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    built = subprocess.run(
        ["kubectl", "kustomize", str(K8S / folder)], capture_output=True, text=True, timeout=60
    )
    assert built.returncode == 0, built.stderr
    found = list(yaml.safe_load_all(built.stdout))
    for document in found:
        for version in VERSIONS:
            validate(document, version, strict=True)
        assert document["metadata"].get("namespace", "lamflow") == "lamflow"
    kinds = {document["kind"] for document in found}
    assert {"Namespace", "Role", "NetworkPolicy", "ResourceQuota"} <= kinds
    assert "Secret" not in kinds
    assert "ClusterRole" not in kinds


def test_rights_are_those_that_the_doctor_asks_for_and_few() -> None:
    role = named("Role", "lamflow-submit")
    given = {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    for group, resource, verbs in RIGHTS:
        assert set(verbs) <= given[group, resource]
    assert ("", "secrets") not in given
    assert not [verbs for verbs in given.values() if "*" in verbs]
    pods = named("Role", "lamflow-workflow")["rules"]
    assert [(rule["resources"], rule["verbs"]) for rule in pods] == [
        (["workflowtaskresults"], ["create", "patch"])
    ]


def test_the_account_of_the_pods_is_there() -> None:
    options = ArgoOptions()
    account = named("ServiceAccount", options.service_account)
    assert account["metadata"]["namespace"] == options.namespace


@pytest.mark.parametrize("overlay", FOLDERS[1:])
def test_artifact_repository_names_a_bucket_and_only_references_to_keys(overlay: str) -> None:
    repository = named("ConfigMap", "artifact-repositories", overlay)
    s3 = yaml.safe_load(repository["data"]["lamflow"])["s3"]
    assert s3["bucket"]
    assert set(s3["secretKeySecret"]) == {"name", "key"}
    default = named("ConfigMap", "artifact-repositories")["metadata"]["annotations"]
    assert default == {"workflows.argoproj.io/default-artifact-repository": "lamflow"}


def test_pods_of_the_development_store_meet_the_restricted_standard() -> None:
    pod = named("Deployment", "lamflow-s3", "overlays/dev")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert ":" in container["image"]
