"""One of several processes that train a model together; torchrun starts it.

DeePMD-kit 3.2 takes for granted that each process has a GPU. Where there is none, the same training
runs on CPUs as soon as three calls leave the device out: the process group (gloo alone, since NCCL
refuses to start without a GPU), the choice of the current GPU, and the wrapper of the model.
"""

from typing import Any


def leave_devices_out() -> None:
    """Let DeePMD-kit train in parallel on CPUs, in this process."""
    import torch
    from deepmd.pt.train import training

    start_group, wrap = torch.distributed.init_process_group, training.DDP

    def start_on_cpus(backend: str | None = None, **options: Any) -> None:
        start_group("gloo", **options)

    def wrap_on_cpus(
        model: Any, device_ids: Any = None, output_device: Any = None, **options: Any
    ) -> Any:
        return wrap(model, **options)

    torch.distributed.init_process_group = start_on_cpus
    torch.cuda.set_device = lambda device: None
    training.DDP = wrap_on_cpus


def main() -> None:
    """Run ``deepmd`` with our arguments."""
    import torch

    if not torch.cuda.is_available():
        leave_devices_out()
    from lamflow.train.deepmd_main import run

    run()


if __name__ == "__main__":
    main()
