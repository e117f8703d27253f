"""The examples, and the code of the guides."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

import mla
from conftest import ROOT


EXAMPLES = ROOT / "examples/python"


def run(*command: str) -> str:
    return subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE).stdout.decode()


def test_generate() -> None:
    written = run(str(EXAMPLES / "generate.py"), mla.demo_model(), "In the beginning")
    assert written.startswith("In the beginning") and len(written) > 60
    hello = os.environ.get("MLA_HELLO")  # the same in C
    if hello:
        assert subprocess.run([hello, mla.demo_model(), "In the beginning"], check=True, stdout=subprocess.PIPE).stdout.decode() == written


def test_generate_says_what_is_wrong() -> None:
    result = subprocess.run([sys.executable, str(EXAMPLES / "generate.py"), "/none.gguf", "x"], stderr=subprocess.PIPE)
    assert result.returncode == 1 and b"/none.gguf" in result.stderr and b"Traceback" not in result.stderr


def test_embeddings() -> None:
    texts = ("The captain of the ship", "The captain of a ship", "Her sister was married")
    command = [str(EXAMPLES / "embeddings.py"), mla.demo_model(), texts[0]]
    near, far = run(*command, texts[1]), run(*command, texts[2])
    assert 1 > float(near) > float(far)
    program = os.environ.get("MLA_EMBEDDINGS")  # the same in C
    if program:
        written = subprocess.run([program, mla.demo_model(), *texts[:2]], check=True, stdout=subprocess.PIPE).stdout.decode()
        assert abs(float(written) - float(near)) < 2e-4


def test_the_demo_text() -> None:
    assert run("-m", "mla", "-n", "20").startswith("In the beginning")


GUIDES = ["README.md", "docs/python.md", "capi/python/README.md"]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_code_of_the_guides_runs(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / guide).read_text(), flags=re.M | re.S)
    assert blocks
    (tmp_path / "model.gguf").symlink_to(mla.demo_model())
    monkeypatch.chdir(tmp_path)
    names: Dict[str, Any] = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, f"{guide}: {block.splitlines()[0]}", "exec"), names)
