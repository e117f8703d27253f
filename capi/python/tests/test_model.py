import gc
import logging
import os
import re
from pathlib import Path
from typing import List, Tuple

import pytest

import mla
from conftest import ROOT


def test_info(model: mla.Model) -> None:
    assert (model.info.architecture, model.info.n_vocab, model.info.n_embd, model.info.n_layers) == ("deepseek2", 2048, 256, 3)
    assert str(model.info.n_parameters) in repr(model)


def test_version() -> None:
    cmake = re.search(r"project\(mla VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert cmake and mla.__version__ == cmake[1]
    assert mla.isa_name() in ("scalar", "avx2", "avx512")


def test_close_is_idempotent_and_closed_objects_say_so() -> None:
    model = mla.Model.load(mla.demo_model())
    context, sampler, template = mla.Context(model), mla.Sampler(), model.chat_template
    assert template
    kv = context.kv
    for thing in (sampler, template, context, model):
        thing.close()
        thing.close()
        assert thing.closed
    for call in (lambda: context.decode([1]), context.logits, context.abort, kv.clear, lambda: sampler.accept(1),
                 lambda: model.generate("a"), lambda: template.render([]), lambda: mla.Context(model)):
        with pytest.raises(mla.InvalidArgumentError, match="closed"):
            call()


def test_a_context_keeps_its_model_alive(ids: List[int]) -> None:
    with mla.Model.load(mla.demo_model()) as model:
        context = mla.Context(model)
        generation = model.generate("And", max_tokens=10, seed=1, stream=True)
        expected = model.generate("And", max_tokens=10, seed=1)
    del model
    gc.collect()
    context.decode(ids[:5])
    assert context.logits().size == 2048 and "".join(generation) == expected


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(mla.NotFoundError, match=re.escape(str(tmp_path / "none.gguf"))) as raised:
        mla.Model.load(tmp_path / "none.gguf")
    assert isinstance(raised.value, FileNotFoundError) and isinstance(raised.value, mla.Error) and raised.value.status == 2
    assert "\n" not in str(raised.value)
    (tmp_path / "bad.gguf").write_bytes(Path(mla.demo_model()).read_bytes()[:1000])
    with pytest.raises(mla.BadFileError, match="bad.gguf"):
        mla.Model.load(tmp_path / "bad.gguf")
    with pytest.raises(mla.Error):
        mla.Model.load(mla.demo_model(), overrides={"no.such.key": "1"})
    with pytest.raises(mla.InvalidArgumentError, match="repack is 'maybe'"):
        mla.Model.load(mla.demo_model(), repack="maybe")
    with pytest.raises(TypeError):
        mla.Model.load(5)  # type: ignore[arg-type]


def test_progress_and_log() -> None:
    calls: List[Tuple[str, int, int]] = []
    lines: List[Tuple[int, str]] = []

    def progress(phase: str, done: int, total: int) -> None:
        calls.append((phase, done, total))

    mla.Model.load(mla.demo_model(), use_mmap=False, progress=progress, log=lambda level, line: lines.append((level, line)))
    assert calls and all(0 <= done <= total for _, done, total in calls)
    assert all(level in (logging.DEBUG, logging.INFO, logging.WARNING) and line for level, line in lines)


def test_progress_that_stops_or_raises() -> None:
    with pytest.raises(mla.AbortedError):
        mla.Model.load(mla.demo_model(), use_mmap=False, progress=lambda phase, done, total: False)

    def raising(phase: str, done: int, total: int) -> None:
        raise KeyError(phase)

    with pytest.raises(KeyError):
        mla.Model.load(mla.demo_model(), use_mmap=False, progress=raising)


def test_overrides(tmp_path: Path) -> None:
    lesser = mla.Model.load(mla.demo_model(), overrides={"deepseek2.expert_used_count": "2"})
    assert lesser.info.n_experts_used == 2


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_many_lives_leak_nothing() -> None:
    def live() -> None:
        with mla.Model.load(mla.demo_model(), use_mmap=False) as model, mla.Context(model, n_ctx=64) as context:
            context.decode([1, 2, 3])
            context.logits()
            model.generate("And", max_tokens=3)

    for _ in range(20):
        live()
    gc.collect()
    before = resident()
    for _ in range(200):
        live()
    gc.collect()
    assert resident() - before < 20 << 20  # 100 KB a life; the model alone is 8.7 MB
