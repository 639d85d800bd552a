from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ops.runtime.files import replacing


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.parquet"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()
        assert temporary.suffix == ".parquet"
    with replacing(path) as temporary:
        assert temporary.read_text() == ""
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["table.parquet"]


@pytest.mark.costly
def test_the_umask_decides_who_may_read_what_is_written(tmp_path: Path) -> None:
    """Also where a library makes its files private, and where a checkpoint is sealed."""
    code = (
        "import os, sys, torch; from pathlib import Path; from safetensors.torch import save_file\n"
        "from models.tensor_file import save_tensors; from ops.runtime.files import replacing, write_json\n"
        "from ops.training.checkpoints.store import seal, write\n"
        "for umask in sys.argv[2:]:\n"
        "    os.umask(int(umask))\n"
        "    folder = Path(sys.argv[1], umask)\n"
        "    write_json(folder / 'a.json', {})\n"
        "    with replacing(folder / 'b.safetensors') as temporary:\n"
        "        save_file({'a': torch.zeros(2)}, temporary)\n"
        "    save_tensors({'a': torch.zeros(2)}, folder / 'c.safetensors', {})\n"
        "    files = {'d.safetensors': lambda file: save_file({'a': torch.zeros(2)}, file)}\n"
        "    seal(folder / 'step', {}, write(folder / 'step', files))\n"
    )
    umasks = [0o002, 0o022, 0o027, 0o077]
    subprocess.run([sys.executable, "-c", code, str(tmp_path), *map(str, umasks)], check=True)
    for umask in umasks:
        files = [path for path in (tmp_path / str(umask)).rglob("*") if path.is_file()]
        assert len(files) == 6
        assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~umask}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of")
            raise error

    with pytest.raises(type(error)):
        write()
    assert os.listdir(tmp_path) == ["a.json"]
    assert path.read_text() == "old"


def test_what_a_killed_writer_leaves_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from ops.runtime.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half of a long text')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "a.json"
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    assert not path.exists()
    with replacing(path) as temporary:
        temporary.write_text("short")
    assert path.read_text() == "short"
    assert os.listdir(tmp_path) == ["a.json"]


def test_two_writers_of_a_file_wait_for_each_other(tmp_path: Path) -> None:
    path, begun, go_on = tmp_path / "a.json", threading.Event(), threading.Event()

    def first() -> None:
        with replacing(path) as temporary:
            temporary.write_text("first")
            begun.set()
            go_on.wait(10)

    def second() -> None:
        with replacing(path) as temporary:
            temporary.write_text("second")

    threads = [threading.Thread(target=each) for each in (first, second)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive()
    assert not path.exists()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert path.read_text() == "second"
    assert os.listdir(tmp_path) == ["a.json"]
