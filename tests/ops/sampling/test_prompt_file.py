from pathlib import Path

import pytest

from ops.sampling.prompt_file import read_prompts
from ops.sampling.request import SamplingError


def test_each_line_is_a_prompt(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffa café\r\n\r\n  a red square \n".encode())
    assert read_prompts(file) == ["a café", "a red square"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file of prompts"),
        (b" \n\n", "holds no prompt: write one on each line"),
        (b"a cat\nein K\xe4fer\n", "line 2, is not UTF-8: save it in that encoding"),
    ],
)
def test_a_file_that_holds_none_says_why(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "prompts.txt").write_bytes(content)
    with pytest.raises(SamplingError, match=message):
        read_prompts(tmp_path / "prompts.txt")
