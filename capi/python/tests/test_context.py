import gc
import threading
import time
from typing import Any, List, Optional

import numpy as np
import pytest

import mla


def test_logits_of_every_row_are_those_of_one_row_at_a_time(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model) as whole, mla.Context(model) as steps:
        whole.decode(ids[:20], logits=True)
        for row, token in enumerate(ids[:20]):
            steps.decode([token])
            np.testing.assert_allclose(whole.logits(row), steps.logits(), atol=2e-2, rtol=0)
            assert whole.logits(row).argmax() == steps.logits().argmax()


def test_logits_flags(context: mla.Context, ids: List[int]) -> None:
    context.decode(ids[:4], logits=[False, True, False, False])
    np.testing.assert_array_equal(context.logits(), context.logits(1))
    for row in (0, 2, 3, 4, -1):
        with pytest.raises(mla.InvalidArgumentError):
            context.logits(row)
    context.decode(ids[4:6], logits=False)
    with pytest.raises(mla.InvalidArgumentError):
        context.logits()


def test_logits_are_not_copied_and_outlive_the_context(model: mla.Model, ids: List[int]) -> None:
    context = mla.Context(model)
    context.decode(ids[:8])
    view = context.logits()
    assert view.shape == (model.info.n_vocab,) and view.dtype == np.float32
    assert view.ctypes.data == context.logits().ctypes.data
    with pytest.raises(ValueError):
        view[0] = 0
    before = view.copy()
    context.decode(ids[8:9])
    assert (view != before).any()  # it shows what is there now
    after = view.copy()
    context.close()
    del context
    gc.collect()
    np.testing.assert_array_equal(view, after)


def test_memory_that_arrays_show_is_not_replaced(context: mla.Context, ids: List[int]) -> None:
    context.decode(ids[:4])
    view = context.logits()
    part = view[3:9]
    with pytest.raises(mla.InvalidArgumentError, match="copy"):
        context.decode(ids[4:8], logits=True)
    del view
    with pytest.raises(mla.InvalidArgumentError, match="copy"):
        context.decode(ids[4:8], logits=True)
    del part
    context.decode(ids[4:8], logits=True)
    view = context.logits()
    context.decode(ids[8:12], logits=True)  # no more rows than before: fine
    assert view.size


def test_sequences_of_one_batch_do_not_see_each_other(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model) as both, mla.Context(model) as alone:
        a, b = ids[:7], ids[50:57]
        both.decode(a + b, sequences=[0] * 7 + [1] * 7, logits=[False] * 6 + [True] + [False] * 6 + [True])
        alone.decode(b, positions=range(7), sequences=5)
        np.testing.assert_allclose(both.logits(13), alone.logits(), atol=2e-2, rtol=0)
        assert (both.kv.seq_len(0), both.kv.seq_len(1), alone.kv.seq_len(5)) == (7, 7, 7)


def test_positions_and_batches_of_wrong_shapes(context: mla.Context, ids: List[int]) -> None:
    context.decode(np.array(ids[:3], np.int32))
    context.decode(np.array(ids[3:5]))
    assert context.kv.seq_len() == 5
    wrong: Any = (dict(tokens=[]), dict(), dict(tokens=[1], embeddings=np.zeros((1, 256), np.float32)),
                  dict(tokens=ids[:3], positions=[5, 6]), dict(tokens=ids[:3], sequences=[0]), dict(tokens=ids[:3], logits=[True]),
                  dict(tokens=[[1, 2]]), dict(tokens=[10**6]), dict(tokens=[-1]), dict(tokens=[1], positions=[2]),
                  dict(embeddings=np.zeros((2, 255), np.float32)), dict(embeddings=np.zeros(256, np.float32)))
    for arguments in wrong:
        with pytest.raises(mla.InvalidArgumentError):
            context.decode(**arguments)
    for tokens in ([2**40], [1.5], "abc"):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            context.decode(tokens)  # type: ignore[arg-type]
    assert context.kv.seq_len() == 5


def test_input_embeddings(context: mla.Context) -> None:
    vectors = np.random.default_rng(1).standard_normal((3, 256)).astype(np.float32)
    context.decode(embeddings=vectors)
    first = context.logits().copy()
    context.kv.clear()
    context.decode(embeddings=vectors[:, ::-1][:, ::-1])  # not contiguous
    np.testing.assert_array_equal(context.logits(), first)


def test_options(model: mla.Model, ids: List[int]) -> None:
    reference = None
    for attention in ("auto", mla.AttentionMode.deepseek2, "deepseek-mla"):
        for cache_type in ("f16", "q8_0", mla.CacheType.q8_row, "q16_row"):
            with mla.Context(model, attention=attention, cache_type_k=cache_type, cache_type_v=cache_type, n_ctx=256, n_ubatch=16,
                             n_threads=2, n_threads_batch=1) as context:
                assert (context.n_threads, context.n_threads_batch, context.kv.n_pages) == (2, 1, 4)
                context.decode(ids[:40])
                reference = context.logits().copy() if reference is None else reference
                assert np.abs(context.logits() - reference).max() < 0.5
    with pytest.raises(mla.InvalidArgumentError, match="attention is 'fast': use one of"):
        mla.Context(model, attention="fast")
    with pytest.raises(mla.InvalidArgumentError):
        mla.Context(model, n_ctx=-1)


def test_a_cache_of_ones_own(model: mla.Model, ids: List[int]) -> None:
    cache = mla.KvCache(model, n_ctx=256)
    with mla.Context(model, cache=cache) as context:
        context.decode(ids[:10])
        assert context.kv is cache
    assert cache.seq_len() == 10 and not cache.closed
    with mla.Context(model, cache=cache) as context:
        context.decode(ids[10:12])
    assert cache.seq_len() == 12


def test_other_threads_run_while_it_computes(model: mla.Model, ids: List[int]) -> None:
    """In both ways of computing: beside the main thread, and on the calling thread itself."""
    with mla.Context(model, n_ctx=1 << 14, n_threads=1) as context:
        def ticks_during(compute: threading.Thread) -> int:
            compute.start()
            ticks = 0
            while compute.is_alive():
                time.sleep(0.001)
                ticks += 1
            return ticks

        long = ids * (6000 // len(ids))
        assert ticks_during(threading.Thread(target=lambda: context.decode(long))) > 20


def test_a_context_refuses_a_second_thread(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, n_ctx=1 << 15) as context:
        context.decode([1])
        raised: List[BaseException] = []

        def work() -> None:
            try:
                context.decode(ids * (20000 // len(ids)))
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        with pytest.raises(mla.InvalidArgumentError):
            while True:  # until the thread has begun
                context.logits()
                time.sleep(0.001)
        with pytest.raises(mla.InvalidArgumentError, match="thread"):
            context.decode([1])
        while thread.is_alive():
            context.abort()
            thread.join(0.01)
        assert [type(error) for error in raised] == [mla.AbortedError]
        assert context.kv.seq_len() == 1


def test_close_while_computing_is_safe(model: mla.Model, ids: List[int]) -> None:
    context = mla.Context(model, n_ctx=1 << 13)
    ends: List[object] = []

    def work() -> None:
        try:
            context.decode(ids * (3000 // len(ids)))
            ends.append(None)
        except mla.InvalidArgumentError as error:  # closed before it began
            ends.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    context.close()
    thread.join()
    assert len(ends) == 1
    with pytest.raises(mla.InvalidArgumentError, match="closed"):
        context.decode([1])


def test_embeddings_are_what_the_output_matrix_turns_into_logits(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, cache_type_k="f32") as context:
        context.decode(ids[:12], logits=True, keep_embedding=True)
        states = np.stack([context.embedding(row) for row in range(12)])
        logits = np.stack([context.logits(row) for row in range(12)])
        assert states.shape == (12, model.info.n_embd)
        # logits = states @ output.T: one matrix explains all rows.
        matrix, *_ = np.linalg.lstsq(states.astype(np.float64), logits.astype(np.float64), rcond=None)
        np.testing.assert_allclose(states @ matrix, logits, atol=1e-2)
        context.kv.clear()
        context.decode(ids[:12], keep_embedding=[False] * 11 + [True])
        np.testing.assert_allclose(context.embedding(11), states[11], atol=1e-3)
        with pytest.raises(mla.InvalidArgumentError):
            context.embedding(3)


def test_memory_of_embeddings_is_not_replaced_either(context: mla.Context, ids: List[int]) -> None:
    context.decode(ids[:2], keep_embedding=True)
    view = context.embedding(1)
    with pytest.raises(mla.InvalidArgumentError, match="copy"):
        context.decode(ids[2:8], keep_embedding=True)
    del view
    context.decode(ids[2:8], keep_embedding=True)


def test_a_pool_of_threads_for_two_contexts(model: mla.Model, ids: List[int]) -> None:
    pool = mla.ThreadPool(n_threads=2)
    assert pool.n_threads == 2 and mla.default_threads() >= 1
    with mla.Context(model, thread_pool=pool) as first, mla.Context(model, thread_pool=pool) as second:
        pool.close()
        for context in (first, second):
            context.decode(ids[:30])
        np.testing.assert_array_equal(first.logits(), second.logits())
        assert first.n_threads == 2


def test_memory_need(model: mla.Model, ids: List[int]) -> None:
    need = mla.Context.memory_need(mla.demo_model(), n_ctx=256, n_ubatch=64)
    assert need.weights == model.info.weight_bytes and need.limit
    assert need.cache == mla.KvCache.bytes_at_capacity(model, n_ctx=256)
    with mla.Context(model, n_ctx=256, n_ubatch=64) as context:
        context.decode(ids[:64])
        assert 0 < context.bytes <= need.context * 1.1
    with pytest.raises(mla.NotFoundError):
        mla.Context.memory_need("/none.gguf")


def test_op_timings(context: mla.Context, ids: List[int]) -> None:
    context.decode(ids[:8])
    assert context.op_timings() == []
    context.time_ops()
    context.decode(ids[8:16])
    timings = context.op_timings()
    assert len({entry.name for entry in timings}) == len(timings) > 5 and all(entry.seconds >= 0 and entry.calls for entry in timings)
    context.reset_op_timings()
    assert context.op_timings() == []


def test_deterministic_contexts_agree_to_the_last_bit(model: mla.Model) -> None:
    ids = (model.tokenizer.encode("In the beginning God created the heaven and the earth.") * 20)[:150]

    def last(n_threads: int, n_ubatch: int, cut: int) -> bytes:
        with mla.Context(model, n_ctx=512, n_threads=n_threads, n_ubatch=n_ubatch, deterministic=True) as context:
            context.decode(ids[:cut])
            context.decode(ids[cut:])
            return context.logits().tobytes()

    expected = last(1, 512, 149)
    assert all(last(*how) == expected for how in ((2, 512, 149), (1, 32, 100), (3, 64, 1)))


def test_attention_rates_decide_what_auto_takes(model: mla.Model) -> None:
    ids = model.tokenizer.encode("In the beginning God created the heaven and the earth.")

    def logits(attention: str, rates: Optional[mla.AttentionRates] = None) -> bytes:
        with mla.Context(model, n_ctx=64, n_threads=2, attention=attention, attention_rates=rates) as context:
            context.decode(ids)
            assert rates is None or context.attention_rates == rates
            return context.logits().tobytes()

    absorbed, expanded = mla.AttentionRates(0, 2, 0, 0, 1, 0), mla.AttentionRates(0, 1, 0, 0, 2, 0)
    assert logits("auto", absorbed) == logits("deepseek-mla")
    assert logits("auto", expanded) != logits("deepseek-mla")
    with mla.Context(model, n_ctx=64) as context:
        assert context.attention_rates is None
        context.decode(ids)
        assert context.attention_rates is not None and context.attention_rates.expanded_pair > 0
    with pytest.raises(mla.InvalidArgumentError, match="attention rate"):
        mla.Context(model, n_ctx=64, attention_rates=mla.AttentionRates(-1, 0, 0, 0, 0, 0))
