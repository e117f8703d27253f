"""The demo model that comes with the package."""

from pathlib import Path

from .errors import NotFoundError

_NAME = "demo-f16.gguf"


def demo_model() -> str:
    """The path of a small DeepSeek-V3 that has read the King James Bible, Jane Austen and Moby-Dick."""
    here = Path(__file__).resolve().parent
    for path in (here / _NAME, here / "../../../../examples/models" / _NAME):  # installed; in the source tree
        if path.exists():
            return str(path)
    raise NotFoundError(f"{_NAME} is not in {here}: reinstall package mla")
