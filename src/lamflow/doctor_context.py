"""Whether a context works: the facts behind `lamflow doctor --context NAME`.

What only Kubernetes knows (rights, artifact repository, GPUs) is asked with the user's kubeconfig;
where that is absent or may not look, the check says so instead of guessing.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from lamflow.context import ArgoServer, BucketPlace, Context, find_context
from lamflow.context_access import open_location, read_token
from lamflow.doctor import Check
from lamflow.engine.argo_api import ArgoApi
from lamflow.engine.argo_keys import below
from lamflow.errors import LamflowError

_MOST_SKEW_S = 300.0  # S3 refuses signatures that are 15 minutes off; tokens fail earlier
_KUBERNETES_S = 10
_REPOSITORIES = "artifact-repositories"
_DEFAULT = "workflows.argoproj.io/default-artifact-repository"
_GPU = "nvidia.com/gpu"
RIGHTS = (
    ("argoproj.io", "workflows", ("create", "get", "list", "watch", "update", "patch", "delete")),
    ("argoproj.io", "cronworkflows", ("create", "get", "list", "update", "patch", "delete")),
    ("", "pods", ("get", "list", "watch", "delete")),  # Argo's server retries as the user
    ("", "pods/log", ("get",)),
)
"""What `lamflow-submit` of k8s/base/rbac.yaml may do: API group, resource, verbs."""


def examine_context(name: str | None, image: str | None = None) -> list[Check]:
    """Look at Argo, rights, bucket, artifact repository, image, GPUs and clocks of a context.

    Raises
    ------
    InputError
        There is no such context.
    """
    _, context = find_context(name)
    return list(_examine(context, name, image))


def _examine(context: Context, name: str | None, image: str | None) -> Iterator[Check]:
    if context.argo:
        api = ArgoApi(context.argo, lambda server=context.argo: read_token(server))  # type: ignore[misc]
        yield _guarded("argo", lambda: _argo(api))
        yield _guarded("clock", lambda: _clock(api))
        yield _guarded("submitting", lambda: _submitting(api))
        yield _asked("rights", lambda: _rights(context.argo))  # type: ignore[arg-type]
    else:
        yield Check("argo", False, False, "the context names no Argo server")
    if context.store:
        yield _guarded("bucket", lambda: _bucket(context.store, name))  # type: ignore[arg-type]
    else:
        yield Check("bucket", False, True, "the context names no bucket")
    if context.argo and context.store:
        yield _asked("artifacts", lambda: _artifacts(context.argo, context.store))  # type: ignore[arg-type]
        yield _asked("gpus", _gpus)
    yield _guarded("image", lambda: _image(image), needed=False)


class _WrongError(LamflowError):
    """A check found something that is not as it must be."""


class _UnknownError(LamflowError):
    """A check could not look."""


def _guarded(name: str, look: Callable[[], str], *, needed: bool = True) -> Check:
    try:
        return Check(name, True, needed, look())
    except _UnknownError as error:
        return Check(name, False, False, str(error))
    except LamflowError as error:
        return Check(name, False, needed, str(error))


def _asked(name: str, look: Callable[[], str]) -> Check:
    """A check that asks Kubernetes."""
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    def ask() -> str:
        try:
            config.load_kube_config()
            return look()
        except config.ConfigException:
            raise _UnknownError("not checked: no kubeconfig") from None
        except client.ApiException as error:
            raise _UnknownError(f"not checked: {error.status} {error.reason}") from None
        except HTTPError:
            raise _UnknownError("not checked: Kubernetes does not answer") from None

    return _guarded(name, ask)


def _argo(api: ArgoApi) -> str:
    version = api.info().get("version", "?")
    api.list_live()
    return f"Argo {version} answers and lists workflows of {api.server.namespace}"


def _clock(api: ArgoApi) -> str:
    told = api.date()
    if told is None:
        raise _UnknownError("not checked: the server tells no time")
    skew = time.time() - parsedate_to_datetime(told).timestamp()
    if abs(skew) > _MOST_SKEW_S:
        way = "ahead of" if skew > 0 else "behind"
        raise _WrongError(
            f"this machine is {abs(skew):.0f} s {way} the cluster; S3 and tokens will be refused: "
            "set the clock (timedatectl set-ntp true)"
        )
    return f"within {abs(skew):.0f} s of the cluster's"


def _submitting(api: ArgoApi) -> str:
    api.submit(_PROBE, dry_run=True)
    return "Argo would take a workflow"


_PROBE: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "lamflow-doctor-"},
    "spec": {
        "entrypoint": "probe",
        "templates": [{"name": "probe", "suspend": {"duration": "1"}}],
    },
}


def _rights(argo: ArgoServer) -> str:
    """Ask Kubernetes what the context's token may do."""
    from kubernetes import client

    api = client.ApiClient()
    token = read_token(argo)
    if token:
        api.configuration.api_key = {"authorization": f"Bearer {token}"}
        api.configuration.cert_file = api.configuration.key_file = None
        api = client.ApiClient(api.configuration)
    reviews = client.AuthorizationV1Api(api)
    lacking = []
    for group, resource, verbs in RIGHTS:
        plain, _, sub = resource.partition("/")
        for verb in verbs:
            attributes = {
                "namespace": argo.namespace, "verb": verb, "group": group, "resource": plain,
                "subresource": sub or None,
            }  # fmt: skip
            review = reviews.create_self_subject_access_review(
                {"spec": {"resourceAttributes": attributes}}, _request_timeout=_KUBERNETES_S
            )
            if not review.status.allowed:
                lacking.append(f"{verb} {resource}")
    if lacking:
        raise _WrongError(
            f"the token may not {', '.join(lacking)} in {argo.namespace}; "
            "kubectl apply -f k8s/base/rbac.yaml gives these rights to lamflow-submit"
        )
    return "the token may all that lamflow does"


def _bucket(place: BucketPlace, name: str | None) -> str:
    store, _ = open_location(f"s3://{place.bucket}/{place.prefix or 'x'}", name)
    key = below(place.prefix, "doctor", secrets.token_hex(8))
    store.write(key, b"lamflow doctor\n")
    try:
        if store.read(key)[0] != b"lamflow doctor\n":
            raise _WrongError(f"{store.url}: what is read is not what was written")
    finally:
        store.delete(key)
    return f"s3://{place.bucket}/{place.prefix}: writing, reading and deleting work"


def _artifacts(argo: ArgoServer, place: BucketPlace) -> str:
    """Compare the namespace's artifact repository with the context's bucket."""
    import yaml
    from kubernetes import client

    try:
        found = client.CoreV1Api().read_namespaced_config_map(
            _REPOSITORIES, argo.namespace, _request_timeout=_KUBERNETES_S
        )
    except client.ApiException as error:
        if error.status != 404:
            raise
        raise _UnknownError(
            f"namespace {argo.namespace} has no ConfigMap {_REPOSITORIES}; the cluster's default "
            f"repository must be bucket {place.bucket} (k8s/base/artifact-repository.yaml)"
        ) from None
    default = (found.metadata.annotations or {}).get(_DEFAULT) or next(iter(found.data or {}), "")
    s3 = (yaml.safe_load((found.data or {}).get(default) or "{}") or {}).get("s3", {})
    if s3.get("bucket") != place.bucket:
        raise _WrongError(
            f"Argo puts artifacts into bucket {s3.get('bucket')!r}, the context names "
            f"{place.bucket!r}; change one of them (ConfigMap {_REPOSITORIES} in {argo.namespace})"
        )
    return f"Argo puts artifacts into {place.bucket}, too"


def _gpus() -> str:
    from kubernetes import client

    nodes = client.CoreV1Api().list_node(_request_timeout=_KUBERNETES_S).items
    count = sum(int((node.status.allocatable or {}).get(_GPU, 0)) for node in nodes)
    if not count:
        raise _UnknownError(
            f"no node offers {_GPU}; train on CPUs with resources: {{train: {{gpu: 0}}}}, or "
            "install the GPU operator"
        )
    return f"{count} of {_GPU} on {len(nodes)} nodes"


def _image(image: str | None) -> str:
    from lamflow.engine.manifest import DEFAULT_IMAGE
    from lamflow.registry_image import ImageError, look_up_image

    wanted = image or DEFAULT_IMAGE
    try:
        return f"{wanted}: {look_up_image(wanted)}"
    except ImageError as error:
        raise _WrongError(
            f"{wanted}: {error}; build and push your own (scripts/images.sh) and name it: "
            "resources: {cpu: {image: ...}, train: {image: ...}}"
        ) from None
