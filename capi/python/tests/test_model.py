import gc
import logging
import mmap
import os
import re
import weakref
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
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

    for _ in range(200):  # the allocator's heaps grow for as long, by what threads happen to meet; 300 lives on they are flat
        live()
    gc.collect()
    before = resident()
    for _ in range(200):
        live()
    gc.collect()
    assert resident() - before < 20 << 20  # 100 KB a life; the model alone is 8.7 MB


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "mmap", "aligned"])
def test_a_model_from_memory(kind: str) -> None:
    data = Path(mla.demo_model()).read_bytes()
    source: Any = data
    if kind == "bytearray":
        source = bytearray(data)
    elif kind == "mmap":
        with open(mla.demo_model(), "rb") as file:
            source = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    elif kind == "aligned":
        room = np.empty(len(data) + 32, np.uint8)
        source = room[-room.ctypes.data % 32:][:len(data)]
        source[:] = np.frombuffer(data, np.uint8)
    model = mla.Model.load(source)
    context = mla.Context(model)
    model.close()
    del data, source, model
    gc.collect()
    with mla.Model.load(mla.demo_model()) as file_model:
        assert context.generate("And", max_tokens=10, seed=1) == file_model.generate("And", max_tokens=10, seed=1)


def test_memory_that_is_no_model() -> None:
    for data in (b"", b"GGUF", os.urandom(1000), Path(mla.demo_model()).read_bytes()[:100000]):
        with pytest.raises(mla.BadFileError):
            mla.Model.load(data)


def test_embed(model: mla.Model) -> None:
    texts = ["The captain of the ship", "The captain of a ship", "Her sister was married"]
    vectors = model.embed(texts)
    assert vectors.shape == (3, model.info.n_embd) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    np.testing.assert_array_equal(model.embed(texts[1]), vectors[1])
    rows = model.embed(texts[0], pooling="none", normalize=False)
    assert rows.shape == (len(model.tokenizer.encode(texts[0])), model.info.n_embd)
    np.testing.assert_allclose(model.embed(texts[0], normalize=False), rows.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(model.embed(texts[0], pooling="last", normalize=False), rows[-1], atol=1e-3)
    cases: Any = ({"text": ""}, {"text": "a", "pooling": "max"}, {"text": texts, "pooling": "none"})
    for wrong in cases:
        if wrong != {"text": ""} or not model.tokenizer.add_bos:
            with pytest.raises(mla.InvalidArgumentError):
                model.embed(**wrong)


def test_embedding_leaves_a_contexts_own_text_alone(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, n_ctx=512) as context:
        context.decode(ids[:20])
        context.embed("something else")
        assert context.kv.seq_len(0) == 20 and context.kv.n_pages_used == 1


def test_a_model_goes_with_its_last_user() -> None:
    gc.collect()
    gc.disable()
    try:
        model = mla.Model.load(mla.demo_model())
        context = mla.Context(model)
        model.generate("And", max_tokens=3)
        "".join(model.generate("And", max_tokens=3, stream=True))
        context.generate("And", max_tokens=3)
        model.embed("And")
        handles = [weakref.ref(model.handle), weakref.ref(context.handle)]
        del model, context
        assert [handle() for handle in handles] == [None, None]
    finally:
        gc.enable()
