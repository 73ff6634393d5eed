"""DeePMD-kit in the test's own process: starting it anew costs 8 CPU seconds each time."""

import contextlib

import pytest


@pytest.fixture
def in_process(monkeypatch):
    """Let DeepmdTrainer call DeePMD-kit here instead of in a child process."""
    import torch
    from deepmd.main import main
    from deepmd.pt.train import training
    from deepmd.pt.utils import env

    from lamflow.train import deepmd_main, deepmd_trainer, freeze

    monkeypatch.setattr(training, "Trainer", deepmd_main.ExactTrainer)
    monkeypatch.setattr(training, "dp_random", training.dp_random)  # the trainer replaces it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other where cores are shared

    def run_module(module, arguments, *, folder, log, environment, watch=lambda: None):
        log.touch()
        with contextlib.chdir(folder):
            if module == "lamflow.train.freeze":
                env.CUSTOM_OP_USE_JIT = False  # training sets it, and it can't be scripted
                checkpoint, target, *heads = arguments
                freeze.freeze_heads(folder / checkpoint, folder / target, heads)
            else:
                main(list(arguments))
        watch()

    monkeypatch.setattr(deepmd_trainer, "run_module", run_module)
    yield
    torch.set_num_threads(threads)
