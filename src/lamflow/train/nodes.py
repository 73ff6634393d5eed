"""Training over several machines: which of them this one is, and how they find each other.

The Argo engine starts a pod for each node and tells it by environment variables
(`lamflow.engine.argo_nodes`). Node 0 keeps checkpoints and writes the result; the others help.
"""

import os
import socket
import time
from dataclasses import dataclass

from lamflow.errors import InputError, Problem, TransientError

COUNT, RANK, ADDRESS = "LAMFLOW_NODES", "LAMFLOW_NODE_RANK", "LAMFLOW_NODE_ADDRESS"
JOIN_S = 3600
"""So long a node waits for the others: they may have to wait for GPUs."""
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class Nodes:
    """The machines that train one model.

    Attributes
    ----------
    count
        How many.
    rank
        Number of this one, from 0.
    address
        ``host:port`` of node 0.
    """

    count: int = 1
    rank: int = 0
    address: str = ""

    @classmethod
    def from_environment(cls) -> "Nodes":
        """Read what the engine has set; one node if it has set nothing.

        Raises
        ------
        InputError
            The variables don't go together.
        """
        try:
            count = int(os.environ.get(COUNT, 1))
            rank = int(os.environ.get(RANK, 0))
        except ValueError:
            raise InputError(
                Problem("environment", f"{COUNT}, {RANK}", "must be numbers")
            ) from None
        address = os.environ.get(ADDRESS, "")
        if not 0 <= rank < count or (count > 1 and ":" not in address):
            what = f"must be a rank below {count} and host:port of node 0"
            raise InputError(Problem("environment", f"{RANK}, {ADDRESS}", what))
        return cls(count, rank, address)

    def launch(self, processes: int) -> list[str]:
        """Arguments for torchrun: `processes` on each node; ranks stay, so node 0 has rank 0."""
        each = f"--nproc-per-node={processes}"
        if self.count == 1:
            return ["--standalone", each]
        host, _, port = self.address.rpartition(":")
        return [
            f"--nnodes={self.count}", f"--node-rank={self.rank}", each,
            f"--master-addr={host}", f"--master-port={port}",
            "--rdzv-backend=static", f"--rdzv-conf=timeout={JOIN_S}",
        ]  # fmt: skip

    def wait_for_first(self) -> None:
        """Wait until node 0 has a name in the cluster; TransientError if it gets none."""
        host = self.address.rpartition(":")[0]
        end = time.monotonic() + JOIN_S
        while self.rank > 0:
            try:
                socket.getaddrinfo(host, None)
            except OSError:
                if time.monotonic() > end:
                    raise TransientError(f"node 0 ({host}) did not come") from None
                time.sleep(_LOOK_EVERY_S)
            else:
                return
