"""Argo's REST API: the few calls that lamflow makes, with TLS verified and errors that help.

urllib3 is used and not the `argo-workflows` client: docs/decisions.md tells why.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from lamflow.context import ArgoServer
from lamflow.errors import InputError, LamflowError, Problem, RunError, UnreachableError

_CONNECT_S = 10.0
_READ_S = 60.0
_FOLLOW_S = 600.0
_TRIES = 4  # urllib3 waits between them, longer each time
_PASSING = (429, 500, 502, 503, 504)
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
RUN_LABEL = "lamflow.io/run"


class MissingError(LamflowError):
    """Argo knows no such workflow (any more)."""


class ConflictError(LamflowError):
    """There is a workflow of that name already."""


class ArgoApi:
    """One Argo server and namespace.

    Parameters
    ----------
    server
        Where it is.
    token
        Gives the bearer token, None if none is wanted; called again when it was refused, since
        tokens of cloud providers live for minutes.
    """

    def __init__(self, server: ArgoServer, token: Callable[[], str | None]) -> None:
        from urllib3 import PoolManager

        self.server = server
        self._read_token = token
        self._token: str | None = None
        self._pool = PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=server.ca)

    def submit(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create a workflow, or only see whether it could be; return it as the server has it.

        Raises
        ------
        InputError
            Argo refuses the manifest.
        ConflictError
            The name is taken.
        UnreachableError
            The server does not answer or does not let us.
        """
        body: dict[str, Any] = {"namespace": self.server.namespace, "workflow": manifest}
        if dry_run:
            body["serverDryRun"] = True
        return self._json("POST", self._workflows(), body)

    def get(self, name: str, uid: str | None = None) -> dict[str, Any]:
        """Return a workflow, from the archive if it was deleted; MissingError if it is nowhere."""
        try:
            return self._json("GET", self._workflows(name))
        except MissingError:
            if uid is None:
                raise
            return self._json("GET", f"/api/v1/archived-workflows/{quote(uid)}")

    def act(self, name: str, verb: str) -> dict[str, Any]:
        """Do stop, terminate, suspend, resume or retry to a workflow; RunError if it can't be."""
        body = {"name": name, "namespace": self.server.namespace}
        return self._json("PUT", f"{self._workflows(name)}/{verb}", body)

    def logs(self, name: str, *, follow: bool) -> Iterator[tuple[str, str]]:
        """Yield (pod, line) of all pods that are still there; with `follow` until they end."""
        from urllib3.exceptions import HTTPError

        options = {"logOptions.container": "main", "logOptions.follow": str(follow).lower()}
        path = f"{self._workflows(name)}/log?{urlencode(options)}"
        answer = self._ask("GET", path, stream=True, seconds=_FOLLOW_S if follow else _READ_S)
        rest = b""
        try:
            for block in answer.stream(1 << 14):
                *lines, rest = (rest + block).split(b"\n")
                yield from _log_lines(lines)
            yield from _log_lines([rest])
        except HTTPError:
            return  # the stream broke; the caller asks again if it wants more
        finally:
            answer.release_conn()

    def create_cron(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a CronWorkflow; return it as the server has it.

        Raises
        ------
        InputError
            Argo refuses the manifest.
        ConflictError
            The name is taken.
        """
        body = {"namespace": self.server.namespace, "cronWorkflow": manifest}
        return self._json("POST", self._crons(), body)

    def update_cron(self, name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Replace a CronWorkflow; `manifest` has the resourceVersion that it replaces."""
        body = {"namespace": self.server.namespace, "name": name, "cronWorkflow": manifest}
        return self._json("PUT", self._crons(name), body)

    def get_cron(self, name: str) -> dict[str, Any]:
        """Return a CronWorkflow; MissingError if there is none."""
        return self._json("GET", self._crons(name))

    def list_crons(self, selector: str) -> list[dict[str, Any]]:
        """Return the namespace's CronWorkflows with a label."""
        query = urlencode({"listOptions.labelSelector": selector})
        return list(self._json("GET", f"{self._crons()}?{query}").get("items") or [])

    def act_cron(self, name: str, verb: str) -> dict[str, Any]:
        """Suspend or resume a CronWorkflow."""
        body = {"name": name, "namespace": self.server.namespace}
        return self._json("PUT", f"{self._crons(name)}/{verb}", body)

    def delete_cron(self, name: str) -> None:
        """Remove a CronWorkflow; its workflows stay."""
        self._json("DELETE", f"{self._crons(name)}?deleteOptions.propagationPolicy=Orphan")

    def submit_from_cron(self, name: str, workflow: str, labels: str) -> dict[str, Any]:
        """Start a workflow of a CronWorkflow now, with `labels` (``a=b,c=d``)."""
        options = {"name": workflow, "labels": labels}
        body = {
            "namespace": self.server.namespace, "resourceKind": "CronWorkflow",
            "resourceName": name, "submitOptions": options,
        }  # fmt: skip
        return self._json("POST", f"{self._workflows()}/submit", body)

    def list_runs(self, selector: str = RUN_LABEL) -> list[dict[str, Any]]:
        """Workflows of lamflow in the namespace, live and archived, each once."""
        live = self.list_live(selector)
        query = {
            "listOptions.labelSelector": selector,
            "listOptions.fieldSelector": f"metadata.namespace={self.server.namespace}",
        }
        try:
            old = self._json("GET", f"/api/v1/archived-workflows?{urlencode(query)}")
        except LamflowError:  # an archive is optional, and so is the right to read it
            old = {}
        found: dict[str, dict[str, Any]] = {}
        for workflow in [*live, *(old.get("items") or [])]:
            found.setdefault(workflow["metadata"]["uid"], workflow)
        return list(found.values())

    def list_live(self, selector: str = RUN_LABEL) -> list[dict[str, Any]]:
        """Workflows of lamflow in the namespace that are not deleted."""
        query = {"listOptions.labelSelector": selector}
        found = self._json("GET", f"{self._workflows()}?{urlencode(query)}").get("items") or []
        return list(found)

    def date(self) -> str | None:
        """Return the time that the server's answers bear."""
        return self._ask("GET", "/api/v1/version").headers.get("Date")  # type: ignore[no-any-return]

    def info(self) -> dict[str, Any]:
        """What the server says of itself."""
        return self._json("GET", "/api/v1/version")

    def version(self) -> tuple[int, int]:
        """Return major and minor version; those of today's Argo if it doesn't tell."""
        found = _VERSION.match(str(self.info().get("version", "")))
        return (int(found[1]), int(found[2])) if found else (4, 1)

    def link(self, name: str) -> str:
        """Return the workflow's page."""
        return f"{self.server.server.rstrip('/')}/workflows/{self.server.namespace}/{name}"

    def _workflows(self, name: str = "") -> str:
        path = f"/api/v1/workflows/{quote(self.server.namespace)}"
        return f"{path}/{quote(name)}" if name else path

    def _crons(self, name: str = "") -> str:
        path = f"/api/v1/cron-workflows/{quote(self.server.namespace)}"
        return f"{path}/{quote(name)}" if name else path

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._ask(method, path, body)
        try:
            found = json.loads(answer.data or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UnreachableError(
                f"{self.server.server} answers, but not as Argo does; is it the address of the "
                "Argo server and not of a log-in page or a proxy? lamflow context show"
            )
        return found

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        stream: bool = False,
        seconds: float | None = None,
    ) -> Any:
        seconds = seconds or _READ_S
        if self._token is None:
            self._token = self._read_token()
        answer = self._send(method, path, body, stream, seconds)
        if answer.status == 401:
            renewed = self._read_token()
            if renewed != self._token:
                self._token = renewed
                answer = self._send(method, path, body, stream, seconds)
        if answer.status >= 300:
            raise self._failure(method, path, answer)
        return answer

    def _send(self, method: str, path: str, body: Any, stream: bool, seconds: float) -> Any:
        from urllib3 import Retry, Timeout
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        retries = Retry(
            # A workflow has a name of ours, so that sending it twice can't start two. Actions
            # (PUT) are not repeated: "retry" twice is an error.
            total=_TRIES if method != "PUT" else 0, read=1, redirect=0, status_forcelist=_PASSING,
            allowed_methods=None, backoff_factor=0.5, raise_on_status=False,
            raise_on_redirect=False,
        )  # fmt: skip
        try:
            return self._pool.request(
                method, self.server.server.rstrip("/") + path, headers=headers,
                body=None if body is None else json.dumps(body), retries=retries,
                timeout=Timeout(connect=_CONNECT_S, read=seconds), preload_content=not stream,
            )  # fmt: skip
        except HTTPError as error:
            raise UnreachableError(f"{self.server.server}: {_silence(error)}") from None

    def _failure(self, method: str, path: str, answer: Any) -> LamflowError:
        """Say what a refusal means and what to do."""
        said = _message(answer.data)
        server, namespace = self.server.server, self.server.namespace
        if answer.status == 401:
            reference = self.server.token or "none is named"
            return UnreachableError(
                f"{server}: the token was refused (401); get a new one where the context has it "
                f"from ({reference}): lamflow context show"
            )
        if answer.status == 403:
            return UnreachableError(
                f"{server}: not allowed (403): {said}; k8s/base/rbac.yaml has the rights that "
                f"lamflow needs in namespace {namespace}"
            )
        if answer.status == 404:
            return MissingError(f"{server}: there is no {path.partition('?')[0]} (404)")
        if answer.status == 409:
            return ConflictError(f"{server}: {said or 'exists already'} (409)")
        if 300 <= answer.status < 400:
            return UnreachableError(
                f"{server}: sends us elsewhere ({answer.status}); write the address that it "
                "sends to, with https, into the context"
            )
        if answer.status in (400, 422) and method == "POST":
            return InputError(Problem(server, "", f"Argo refuses the workflow: {said}"))
        if answer.status in (400, 422):
            return RunError(f"{server}: Argo refuses ({answer.status}): {said}")
        return UnreachableError(
            f"{server}: failed with {answer.status} after all attempts: {said}; try again later, "
            "and look at the Argo server's log if it stays so"
        )


def _message(data: bytes) -> str:
    """What the server said, in one line of moderate length."""
    try:
        said = json.loads(data)["message"]
    except (ValueError, KeyError, TypeError):
        said = data.decode("utf-8", "replace")
    return " ".join(str(said).split())[:500]


def _silence(error: Exception) -> str:
    """Why there was no answer."""
    from urllib3 import exceptions

    cause = getattr(error, "reason", None) or error
    if isinstance(cause, exceptions.SSLError):
        return (
            f"the certificate is not trusted ({cause}); name the file of its authority: "
            "lamflow context add NAME --replace --ca FILE ..."
        )
    if isinstance(cause, exceptions.NewConnectionError):
        return "nobody answers there; check the address, a VPN or `kubectl port-forward`"
    if isinstance(cause, (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)):
        return "no answer in time; check the network, a VPN or `kubectl port-forward`"
    return f"{type(cause).__name__}; check address and network"


def _log_lines(lines: list[bytes]) -> Iterator[tuple[str, str]]:
    """Read lines of the log's stream: JSON, bare or as server-sent events."""
    for line in lines:
        text = line.removeprefix(b"data:").strip()
        if not text:
            continue
        try:
            entry = json.loads(text).get("result", {})
        except ValueError:
            continue
        if "podName" in entry:
            yield entry["podName"], entry.get("content", "")
