"""A real Argo on a real Kubernetes, prepared for lamflow as k8s/base does it.

Wanted: LAMFLOW_ARGO_SERVER (URL), KUBECONFIG, LAMFLOW_S3_ENDPOINT, LAMFLOW_S3_BUCKET,
LAMFLOW_S3_ACCESS_KEY, LAMFLOW_S3_SECRET_KEY (and LAMFLOW_S3_REGION), reachable from here and from
pods; LAMFLOW_IMAGE, an image of images/base.Containerfile that the cluster can pull. May be set:
LAMFLOW_NAMESPACE (default: the kubeconfig's, else argo), LAMFLOW_ARGO_TOKEN, LAMFLOW_ARGO_CA.
"""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from lamflow.context import add_context
from lamflow.engine.argo import ArgoEngine
from lamflow.engine.records import RunFolder

BASE = Path(__file__).parents[2] / "k8s/base"
REPOSITORY = "artifact-repositories"
SECRET = "lamflow-test-s3"
WANTED = (
    "LAMFLOW_IMAGE", "LAMFLOW_S3_ENDPOINT", "LAMFLOW_S3_BUCKET", "LAMFLOW_S3_ACCESS_KEY",
    "LAMFLOW_S3_SECRET_KEY",
)  # fmt: skip
FIELD = "lamflow-tests"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = [name for name in ("LAMFLOW_ARGO_SERVER", "KUBECONFIG") if not os.environ.get(name)]
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.cluster)
        if absent:
            item.add_marker(pytest.mark.skip(reason=f"{' and '.join(absent)} not set"))


@pytest.fixture(scope="session")
def kubernetes() -> Any:
    from kubernetes import client, config

    config.load_kube_config()
    return client


@pytest.fixture(scope="session")
def namespace(kubernetes: Any) -> str:
    from kubernetes import config

    _, current = config.list_kube_config_contexts()
    named = os.environ.get("LAMFLOW_NAMESPACE")
    return named or current["context"].get("namespace") or "argo"


@pytest.fixture(scope="session")
def prepared(kubernetes: Any, namespace: str) -> Iterator[None]:
    """Accounts, rights and Service of k8s/base, and the test's bucket as artifact repository."""
    if absent := [name for name in WANTED if not os.environ.get(name)]:
        pytest.fail(f"set {', '.join(absent)}; tests/cluster/conftest.py tells what they are")
    core, rights = kubernetes.CoreV1Api(), kubernetes.RbacAuthorizationV1Api()
    create = {
        "ServiceAccount": core.create_namespaced_service_account,
        "Role": rights.create_namespaced_role,
        "RoleBinding": rights.create_namespaced_role_binding,
        "Service": core.create_namespaced_service,
        "NetworkPolicy": kubernetes.NetworkingV1Api().create_namespaced_network_policy,
    }
    for file in ("service-accounts.yaml", "rbac.yaml", "multi-node.yaml"):
        for document in yaml.safe_load_all((BASE / file).read_text()):
            document["metadata"]["namespace"] = namespace
            for subject in document.get("subjects", []):
                subject["namespace"] = namespace
            unless_there(kubernetes, lambda d=document: create[d["kind"]](namespace, d))
    keys = {
        "AWS_ACCESS_KEY_ID": os.environ["LAMFLOW_S3_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": os.environ["LAMFLOW_S3_SECRET_KEY"],
        "AWS_ENDPOINT_URL": os.environ["LAMFLOW_S3_ENDPOINT"],  # for steps that use a registry
        "AWS_DEFAULT_REGION": os.environ.get("LAMFLOW_S3_REGION", "us-east-1"),
    }
    secret = {"metadata": {"name": SECRET}, "stringData": keys}
    unless_there(kubernetes, lambda: core.create_namespaced_secret(namespace, secret))
    ours = unless_there(
        kubernetes, lambda: core.create_namespaced_config_map(namespace, repository())
    )
    yield
    core.delete_namespaced_secret(SECRET, namespace)
    if ours:
        core.delete_namespaced_config_map(REPOSITORY, namespace)


@pytest.fixture
def keys_secret(prepared: None) -> str:
    """Name of the Secret with the keys of the bucket."""
    return SECRET


def unless_there(kubernetes: Any, create: Callable[[], Any]) -> bool:
    """Create an object; tell whether it was not there before."""
    try:
        create()
    except kubernetes.ApiException as error:
        if error.status != 409:
            raise
        return False
    return True


def repository() -> dict[str, Any]:
    """The ConfigMap that makes the test's bucket the artifact repository of the namespace."""
    endpoint = urlsplit(os.environ["LAMFLOW_S3_ENDPOINT"])
    s3 = {
        "bucket": os.environ["LAMFLOW_S3_BUCKET"],
        "endpoint": endpoint.netloc,
        "insecure": endpoint.scheme == "http",
        "region": os.environ.get("LAMFLOW_S3_REGION", "us-east-1"),
        "accessKeySecret": {"name": SECRET, "key": "AWS_ACCESS_KEY_ID"},
        "secretKeySecret": {"name": SECRET, "key": "AWS_SECRET_ACCESS_KEY"},
    }
    annotation = {"workflows.argoproj.io/default-artifact-repository": FIELD}
    return {
        "metadata": {"name": REPOSITORY, "annotations": annotation},
        "data": {FIELD: yaml.safe_dump({"archiveLogs": True, "s3": s3})},
    }


@pytest.fixture(scope="session")
def token(kubernetes: Any, namespace: str, prepared: None) -> str:
    if named := os.environ.get("LAMFLOW_ARGO_TOKEN"):
        return named
    request = {"spec": {"expirationSeconds": 7200}}
    answer = kubernetes.CoreV1Api().create_namespaced_service_account_token(
        "lamflow-submit", namespace, request
    )
    return str(answer.status.token)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """Certificates to trust; Argo's own one, as it stands there now, if none are named."""
    named = os.environ.get("LAMFLOW_ARGO_CA")
    url = urlsplit(os.environ["LAMFLOW_ARGO_SERVER"])
    if named or url.scheme != "https":
        return named
    file = tmp_path_factory.mktemp("authority") / "argo.pem"
    file.write_text(ssl.get_server_certificate((str(url.hostname), url.port or 443)))
    return str(file)


@pytest.fixture
def engine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    namespace: str,
    token: str,
    authority: str | None,
) -> ArgoEngine:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LAMFLOW_ARGO_TOKEN", token)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", os.environ["LAMFLOW_S3_ACCESS_KEY"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", os.environ["LAMFLOW_S3_SECRET_KEY"])
    argo = {
        "server": os.environ["LAMFLOW_ARGO_SERVER"],
        "namespace": namespace,
        "token": "environment:LAMFLOW_ARGO_TOKEN",
    } | ({"ca": authority} if authority else {})
    store = {
        "bucket": os.environ["LAMFLOW_S3_BUCKET"],
        "prefix": f"lamflow-tests/{int(time.time())}-{os.getpid()}-{tmp_path.name[-20:]}",
        "endpoint": os.environ["LAMFLOW_S3_ENDPOINT"],
        "region": os.environ.get("LAMFLOW_S3_REGION", "us-east-1"),
    }
    add_context("cluster", {"argo": argo, "store": store})
    return ArgoEngine("cluster")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "lamflow-runs" / "cluster-test")
