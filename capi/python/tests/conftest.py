from pathlib import Path
from typing import Iterator

import pytest

import mla

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def model() -> Iterator[mla.Model]:
    with mla.Model.load(mla.demo_model()) as loaded:
        yield loaded


@pytest.fixture
def context(model: mla.Model) -> Iterator[mla.Context]:
    with mla.Context(model, n_ctx=1024) as made:
        yield made


@pytest.fixture(scope="session")
def ids(model: mla.Model) -> "list[int]":
    """Tokens of some text."""
    return model.tokenizer.encode((ROOT / "examples/models/heldout.txt").read_text()[:2000])
