"""Resolve pyproject.toml into the two lock files: `python .ci/lock.py` (also `make lock`).

Each lock pins every package of its set, dependencies included; pip's own resolver decides, and nothing is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements.lock": ["demo,ray,test", "torch==2.14.1", "torchvision==0.29.1"],
    "requirements-npu.lock": ["demo,npu,test", "torchvision==0.29.0"],
}
REASONS = {
    "antlr4-python3-runtime": "Dagster's selection parser is generated with 4.13; 4.9 breaks every string selection",
    "omegaconf": "a pre-release: the first that vendors its antlr, so that DVC and Dagster can share an environment",
    "hydra-core": "a pre-release, for the same reason as omegaconf",
    "pandas": "great-expectations 1.24 is not tested with pandas 3",
    "click": "with 8.5, typer 0.24 loses the help of all positional arguments",
    "typer": "from 0.25 on, `dg --help` lists no commands or options",
    "pytest": "under 9.2, xdist 3.8 loses the groups of tests that share a fixture",
    "torch-npu": "asks for exactly torch 2.14.0, hence this lock of its own",
    "torch": "2.14.1 for CUDA and CPU; the Ascend set needs 2.14.0",
    "torchvision": "each release belongs to one release of torch",
}
LINUX_ONLY = ("nvidia-", "cuda-", "triton")


def resolve(extras: str, *pins: str) -> dict[str, str]:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--report", report.name, "--editable", f"{ROOT}[{extras}]", *pins]
        subprocess.run(command, check=True)
        installs = json.loads(Path(report.name).read_text(encoding="utf-8"))["install"]
    found = {item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"] for item in installs}
    found.pop("soraflow")
    return dict(sorted(found.items()))


def line(name: str, version: str) -> str:
    # nvidia-ml-py is plain Python; the rest of NVIDIA's packages have wheels for 64-bit Linux on x86 and Arm alone.
    linux = name.startswith(LINUX_ONLY) and name != "nvidia-ml-py"
    marker = ' ; sys_platform == "linux"' if linux else ""
    reason = f"  # {REASONS[name]}" if name in REASONS else ""
    return f"{name}=={version}{marker}{reason}\n"


def main() -> None:
    for file, (extras, *pins) in LOCKS.items():
        head = f"# Made by .ci/lock.py, extras {extras}. Install with: pip install --no-deps -r {file}\n"
        (ROOT / file).write_text(
            head + "".join(line(*item) for item in resolve(extras, *pins).items()), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
