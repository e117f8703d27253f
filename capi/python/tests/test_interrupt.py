"""Ctrl-C, and signals at any moment."""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, List

import pytest

import mla


def interrupt_after(seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_ctrl_c_aborts_a_long_prompt_and_leaves_the_cache_as_it_was(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, n_ctx=1 << 15) as context:
        context.decode(ids[:10])
        timer = interrupt_after(0.2)
        with pytest.raises(KeyboardInterrupt):
            context.decode(ids * (30000 // len(ids)))
        timer.join()
        assert context.kv.seq_len() == 10  # had it ended by itself, there would be 30,000 more
        with pytest.raises(mla.InvalidArgumentError):
            context.logits()
        context.decode(ids[10:12])


def test_ctrl_c_ends_a_generation(model: mla.Model) -> None:
    with mla.Context(model, n_ctx=1 << 14) as context:
        options: Any = dict(max_tokens=1000, temperature=0.0, logit_bias={model.tokenizer.eos or 0: -float("inf")})
        generation = context.generate("And", stream=True, **options)
        next(generation)
        n_tokens = len(generation.tokens)
        for _ in range(3):  # one at a time: a second one in the handler of the first would end the test
            with pytest.raises(KeyboardInterrupt):
                timer = interrupt_after(0.02)
                "".join(generation)
                timer.join()
                time.sleep(1)
            assert n_tokens <= len(generation.tokens) and generation.finish_reason is None
            n_tokens = len(generation.tokens)
        assert "".join(generation)  # it goes on where it was stopped
        context.kv.clear()
        whole = context.generate("And", stream=True, **options)
        assert "".join(whole) and generation.tokens == whole.tokens


def test_ctrl_c_ends_an_async_for() -> None:
    script = """if True:
        import asyncio, mla, os, signal, threading
        model = mla.Model.load(mla.demo_model())
        context = mla.Context(model, n_ctx=1 << 15)
        async def main():
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            async for piece in context.generate([5] * 30000, stream=True):
                pass
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted with", context.kv.seq_len(0), "rows")
        """
    result = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    assert result.stdout == b"interrupted with 0 rows\n"


def test_ctrl_c_stops_a_load() -> None:
    calls: List[str] = []

    def progress(phase: str, done: int, total: int) -> None:
        if not calls:
            os.kill(os.getpid(), signal.SIGINT)
        calls.append(phase)

    with pytest.raises(KeyboardInterrupt):
        mla.Model.load(mla.demo_model(), progress=progress, use_mmap=False)


def test_handlers_run_during_generation_without_damage(model: mla.Model) -> None:
    expected = model.generate("In the beginning", max_tokens=300, seed=3)
    calls: List[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: calls.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(3):
            assert model.generate("In the beginning", max_tokens=300, seed=3) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(calls) > 50


def test_ctrl_c_ends_python_m_mla() -> None:
    command = [sys.executable, "-m", "mla", "-n", "1000000", "-s", "3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stdout.read(1) == b"I"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (130, b"")
