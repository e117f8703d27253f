"""The examples, and the code of docs/python.md."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

import mla
from conftest import ROOT


def run(*command: str) -> str:
    return subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE).stdout.decode()


def test_generate() -> None:
    written = run(str(ROOT / "examples/generate.py"), mla.demo_model(), "In the beginning")
    assert written.startswith("In the beginning") and len(written) > 60
    hello = os.environ.get("MLA_HELLO")  # the same in C
    if hello:
        assert subprocess.run([hello, mla.demo_model(), "In the beginning"], check=True, stdout=subprocess.PIPE).stdout.decode() == written


def test_generate_says_what_is_wrong() -> None:
    result = subprocess.run([sys.executable, str(ROOT / "examples/generate.py"), "/none.gguf", "x"], stderr=subprocess.PIPE)
    assert result.returncode == 1 and b"/none.gguf" in result.stderr and b"Traceback" not in result.stderr


def test_embeddings(model: mla.Model) -> None:
    lines = run(str(ROOT / "examples/embeddings.py"), mla.demo_model(), "The captain of the ship", "The captain of a ship",
                "Her sister was married").splitlines()
    assert [line.split("  ")[1] for line in lines] == ["The captain of a ship", "Her sister was married"]
    assert 1 > float(lines[0].split()[0]) > float(lines[1].split()[0])


def test_the_demo_text() -> None:
    assert run("-m", "mla", "-n", "20").startswith("In the beginning")


GUIDES = [ROOT / "docs/python.md", ROOT / "capi/python/README.md"]


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.name for guide in GUIDES])
def test_the_code_of_the_guides_runs(guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", guide.read_text(), flags=re.M | re.S)
    assert blocks
    (tmp_path / "model.gguf").symlink_to(mla.demo_model())
    monkeypatch.chdir(tmp_path)
    names: Dict[str, Any] = {"__name__": guide.stem}
    for block in blocks:
        exec(compile(block, f"{guide.name}: {block.splitlines()[0]}", "exec"), names)
