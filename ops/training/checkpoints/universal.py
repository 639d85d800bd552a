"""Shards of an engine that were laid out in another way: brought into DeepSpeed's universal form, a file a parameter.

Every number of ranks can load that. DeepSpeed writes it in two dialects, one for ZeRO-1 and 2 and one for ZeRO-3, and
reads each only where it was written; so what it has written is said again in the other one where that is needed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops.runtime.files import write_json
from ops.training.loop.engine import TAG

WHOLE, APART = "mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt"
"""The file that holds what is no parameter, by whether weights were whole on each rank or apart."""
MOMENTS = ("fp32", "exp_avg", "exp_avg_sq")


def convert(folder: Path, target: Path, apart: bool) -> None:
    """Turn the shards in `folder` into a form in `target` that an engine can load on any number of ranks; `apart` for
    one under ZeRO-3.

    Raises:
        RuntimeError: DeepSpeed could not.
    """
    universal = target / TAG
    universal.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", "--inject_missing_state"]
    command += ["--input_folder", str(folder / TAG), "--output_folder", str(universal)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"converting {folder} failed:\n{done.stderr[-2000:]}")
    if apart and not (universal / APART).is_file():
        _for_zero3(universal)
    elif not apart and not (universal / WHOLE).is_file():
        _for_whole_weights(universal)
    write_json(target / "converted.json", {"from": str(folder)})


def _for_zero3(universal: Path) -> None:
    """There, how many steps were made stands beside the optimizer's settings."""
    step = _read(next((universal / "zero").rglob("step.pt")))
    state = _read(universal / "zero" / "optimizer_state.pt")
    state["optimizer_state_dict"] = {"state": {0: {"step": step}}, "param_groups": state["param_groups"]}
    _write(universal / "zero" / "optimizer_state.pt", state)
    shutil.copy2(universal / WHOLE, universal / APART)


def _for_whole_weights(universal: Path) -> None:
    """There, each parameter says its shape and how many steps were made, and the optimizer who wrote it."""
    import deepspeed

    state = _read(universal / "zero" / "optimizer_state.pt")
    step = state["optimizer_state_dict"]["state"][0]["step"]
    for shapes in _read(universal / APART)["param_shapes"]:
        for name, shape in shapes.items():
            for moment in MOMENTS:
                path = universal / "zero" / name / f"{moment}.pt"
                _write(path, {"param": _read(path).view(shape)})
            _write(universal / "zero" / name / "step.pt", step)
    _write(universal / "zero" / "optimizer_state.pt", {**state, "ds_version": deepspeed.__version__})
    shutil.copy2(universal / APART, universal / WHOLE)


def _read(path: Path) -> Any:
    """Of a checkpoint of our own, whose hashes were compared: DeepSpeed's files hold more than tensors."""
    import torch

    return torch.load(path, map_location="cpu", weights_only=False)


def _write(path: Path, content: object) -> None:
    import torch

    torch.save(content, path)
