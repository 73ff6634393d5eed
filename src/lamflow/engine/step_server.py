"""Start steps from a process that has everything imported: ``fork`` costs what ``exec`` can't.

A fresh Python that imports what a step needs costs 0.2 CPU seconds, a fork of one that has it
costs 0.01. The run's process starts this server; dflow starts `step_client.py` for each step,
which asks the server for a supervised step and ends with its exit status.
"""

import os
import signal
import socketserver
import sys
from pathlib import Path

from lamflow.engine import step, supervise

_ = step  # imported so that the forked steps have it


class _Handler(socketserver.StreamRequestHandler):
    """Supervise one step in the forked process of the request."""

    def handle(self) -> None:
        folder, script = (Path(os.fsdecode(self.rfile.readline().rstrip(b"\n"))) for _ in "12")
        os.chdir(script.parent / "workdir")
        status = supervise.main(folder, script)
        self.wfile.write(b"%d\n" % status)


class StepServer(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """A process for each request, without a limit: dflow's pool has one already."""

    max_children = 10_000
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave without an answer: the client takes that as a failure."""
        super().handle_error(request, client_address)  # type: ignore[arg-type]
        sys.stderr.flush()


def start_server(socket_path: Path) -> int:
    """Fork the server; it is listening when this returns. It ends with its parent."""
    server = StepServer(str(socket_path), _Handler)
    pid = os.fork()
    if pid:
        server.server_close()
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    supervise.die_with_parent(signal.SIGKILL)
    try:
        server.serve_forever()
    finally:
        os._exit(1)
