import zipfile

import pytest

from lamflow.train.checkpoints import last_complete


def checkpoint(folder, step, keep=1.0):
    path = folder / f"model.ckpt-{step}.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data", bytes(range(256)) * 40)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    return path


def test_newest_by_step_not_by_name(tmp_path):
    checkpoint(tmp_path, 900)
    newest = checkpoint(tmp_path, 1000)
    assert last_complete(tmp_path) == (1000, newest)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_torn_checkpoint_is_removed(tmp_path, keep):
    whole = checkpoint(tmp_path, 100)
    torn = checkpoint(tmp_path, 200, keep)
    assert last_complete(tmp_path) == (100, whole)
    assert not torn.exists()


def test_flipped_bytes_are_noticed(tmp_path):
    path = checkpoint(tmp_path, 100)
    content = bytearray(path.read_bytes())
    content[500] ^= 0xFF
    path.write_bytes(content)
    assert last_complete(tmp_path) is None


def test_other_files_are_left_alone(tmp_path):
    other = tmp_path / "model.ckpt-best.pt"
    other.touch()
    assert last_complete(tmp_path) is None
    assert other.exists()
