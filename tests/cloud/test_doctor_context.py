"""`lamflow doctor --context` names what is wrong with a cluster, a bucket or an image."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from answers import answering, write_kubeconfig
from argo_stub import NAMESPACE, TOKEN, Stub, argo_stub

from lamflow.context import add_context
from lamflow.doctor import Check
from lamflow.doctor_context import examine_context
from lamflow.registry_image import parse_image
from lamflow.testing.s3_servers import BUCKET, S3Server, moto_server

REPOSITORY = {
    "metadata": {
        "name": "artifact-repositories",
        "annotations": {"workflows.argoproj.io/default-artifact-repository": "mine"},
    },
    "data": {"mine": f"s3: {{bucket: {BUCKET}}}", "other": "s3: {bucket: elsewhere}"},
}


class Cluster:
    """What Kubernetes answers; tests change it."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.repository: Any = REPOSITORY
        self.gpus = "2"

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path.endswith("selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            right = f"{asked['verb']} {asked['resource']}"
            return 201, {"status": {"allowed": right not in self.denied}, "spec": body["spec"]}
        if path.endswith("/configmaps/artifact-repositories"):
            return (200, self.repository) if self.repository else (404, {"reason": "NotFound"})
        if path.endswith("/nodes"):
            return 200, {"items": [{"status": {"allocatable": {"nvidia.com/gpu": self.gpus}}}]}
        if path == "/v2/team/lamflow/manifests/1":
            return 200, {}
        return (401 if "private" in path else 404), {}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture
def stub() -> Iterator[Stub]:
    with argo_stub() as stub:
        yield stub


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def place(server: S3Server) -> dict[str, str]:
    return {"bucket": BUCKET, "prefix": "p", "endpoint": server.endpoint, "region": "us-east-1"}


@pytest.fixture
def address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub: Stub, cluster: Cluster,
    server: S3Server, place: dict[str, str],
) -> Iterator[str]:  # fmt: skip
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("STUB_TOKEN", TOKEN)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION",
                        str(tmp_path / "kubeconfig"))  # fmt: skip
    monkeypatch.setattr("lamflow.engine.argo_api._TRIES", 0)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    argo = {"server": stub.url, "namespace": NAMESPACE, "token": "environment:STUB_TOKEN"}
    add_context("stub", {"argo": argo, "store": place})
    with answering(cluster) as url:
        write_kubeconfig(tmp_path / "kubeconfig", url)
        yield url.removeprefix("http://")


def found(address: str, image: str = "team/lamflow:1") -> dict[str, Check]:
    return {check.name: check for check in examine_context("stub", f"{address}/{image}")}


def test_all_is_well(address: str, stub: Stub) -> None:
    checks = found(address)
    assert [check.name for check in checks.values() if not check.ok] == []
    assert set(checks) == {
        "argo", "clock", "submitting", "rights", "bucket", "artifacts", "gpus", "image",
    }  # fmt: skip
    assert stub.errors == []
    assert stub.workflows == {}


def test_a_wrong_token(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_TOKEN", "wrong-8213")
    check = found(address)["argo"]
    assert (check.ok, check.needed) == (False, True)
    assert "the token was refused (401)" in check.what
    assert "wrong-8213" not in check.what


def test_a_missing_right(address: str, cluster: Cluster) -> None:
    cluster.denied = {"create workflows", "get pods"}
    check = found(address)["rights"]
    assert (check.ok, check.needed) == (False, True)
    assert "may not create workflows, get pods, get pods/log in science" in check.what
    assert "kubectl apply -f k8s/base/rbac.yaml" in check.what


@pytest.mark.parametrize("place", [{"bucket": "nowhere"}])
def test_a_missing_bucket(address: str, server: S3Server, place: dict[str, str]) -> None:
    place |= {"endpoint": server.endpoint, "region": "us-east-1"}
    argo = {"server": "http://127.0.0.1:9"}
    add_context("stub", {"argo": argo, "store": place}, replace=True)
    assert "there is no bucket 'nowhere'" in found(address)["bucket"].what


@pytest.fixture
def reader(server: S3Server) -> Iterator[dict[str, str]]:
    """Keys of somebody who may read and not write; moto looks at rights as long as this lasts."""
    import boto3
    import urllib3

    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=server.endpoint, **keys)
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    switch = f"{server.endpoint}/moto-api/reset-auth"
    urllib3.request("POST", switch, body=b"0")
    yield {"AWS_ACCESS_KEY_ID": made["AccessKeyId"],
           "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}  # fmt: skip
    urllib3.request("POST", switch, body=b"inf")


def test_a_bucket_that_can_not_be_written(
    address: str, reader: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in reader.items():
        monkeypatch.setenv(name, value)
    check = found(address)["bucket"]
    assert (check.ok, check.needed) == (False, True)
    assert "refused (AccessDenied): the credentials are not allowed to do this" in check.what


def test_an_artifact_repository_that_points_elsewhere(address: str, cluster: Cluster) -> None:
    cluster.repository = {**REPOSITORY, "data": {"mine": "s3: {bucket: other-bucket}"}}
    check = found(address)["artifacts"]
    assert (check.ok, check.needed) == (False, True)
    assert f"bucket 'other-bucket', the context names '{BUCKET}'" in check.what
    cluster.repository = None
    check = found(address)["artifacts"]
    assert (check.ok, check.needed) == (False, False)
    assert "has no ConfigMap artifact-repositories" in check.what


def test_an_image_that_can_not_be_pulled(address: str) -> None:
    assert "has no such image" in found(address, "team/absent:1")["image"].what
    assert "wants a log-in" in found(address, "team/private:1")["image"].what
    check = found("127.0.0.1:9", "team/lamflow:1")["image"]
    assert "does not answer" in check.what


def test_no_gpu(address: str, cluster: Cluster) -> None:
    cluster.gpus = "0"
    check = found(address)["gpus"]
    assert not check.ok
    assert "no node offers nvidia.com/gpu; train on CPUs with resources" in check.what


@pytest.mark.parametrize(("seconds", "way"), [(-4000.0, "ahead of"), (4000.0, "behind")])
def test_a_wrong_clock(address: str, stub: Stub, seconds: float, way: str) -> None:
    stub.clock_s = seconds
    check = found(address)["clock"]
    assert (check.ok, check.needed) == (False, True)
    assert f"{way} the cluster" in check.what


def test_without_a_kubeconfig_it_says_what_was_not_checked(address: str, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").unlink()
    checks = found(address)
    for name in ("rights", "artifacts", "gpus"):
        assert (checks[name].ok, checks[name].needed) == (False, False)
        assert "not checked: no kubeconfig" in checks[name].what


@pytest.mark.parametrize(
    ("image", "registry", "repository", "reference"),
    [
        ("python", "registry-1.docker.io", "library/python", "latest"),
        ("ghcr.io/lamflow/lamflow:0.1.0", "ghcr.io", "lamflow/lamflow", "0.1.0"),
        ("localhost:5000/a/b", "localhost:5000", "a/b", "latest"),
        ("quay.io/a/b@sha256:12", "quay.io", "a/b", "sha256:12"),
    ],
)
def test_names_of_images(image: str, registry: str, repository: str, reference: str) -> None:
    name = parse_image(image)
    assert (name.registry, name.repository, name.reference) == (registry, repository, reference)
