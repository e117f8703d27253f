from pathlib import Path
from typing import List

import numpy as np
import pytest

import mla


def logits_of_next(context: mla.Context, token: int) -> "np.typing.NDArray[np.float32]":
    context.decode([token])
    return context.logits().copy()


@pytest.mark.parametrize("to_file", [True, False])
def test_a_saved_sequence_goes_on_as_it_would_have(model: mla.Model, ids: List[int], tmp_path: Path, to_file: bool) -> None:
    with mla.Context(model) as first, mla.Context(model) as second:
        first.decode(ids[:100])
        if to_file:
            first.kv.save(tmp_path / "state", seq=0)
            second.kv.load(str(tmp_path / "state"), seq=0)
        else:
            state = first.kv.save()
            assert isinstance(state, bytes)
            second.kv.load(memoryview(state))
        assert second.kv.seq_len() == 100
        np.testing.assert_array_equal(logits_of_next(first, ids[100]), logits_of_next(second, ids[100]))


def test_states_that_cannot_be_loaded(model: mla.Model, ids: List[int], tmp_path: Path) -> None:
    with mla.Context(model) as context, mla.Context(model, cache_type_k="q8_0") as other:
        context.decode(ids[:10])
        state = context.kv.save()
        with pytest.raises(mla.NotFoundError):
            context.kv.load(tmp_path / "none")
        with pytest.raises(mla.NotFoundError):
            context.kv.save(tmp_path / "none" / "state")
        for bad in (b"", state[:-1], state[:50] + bytes([state[50] ^ 1]) + state[51:]):
            with pytest.raises(mla.BadFileError):
                context.kv.load(bad)
        with pytest.raises(mla.InvalidArgumentError):
            other.kv.load(state)
        with pytest.raises(mla.InvalidArgumentError):
            context.kv.save(seq=3)
        assert context.kv.seq_len() == 10


def test_sequences(context: mla.Context, ids: List[int]) -> None:
    kv = context.kv
    context.decode(ids[:100])
    pages = kv.n_pages_used
    kv.seq_cp(0, 1)
    assert kv.seq_len(1) == 100 and kv.n_pages_used == pages
    assert kv.seq_rm(0, 50) and not kv.seq_rm(0, 50)
    assert (kv.seq_len(0), kv.seq_pos_min(0), kv.seq_pos_max(0)) == (50, 0, 49)
    kv.seq_rm(0, 0, 10)
    kv.seq_add(0, 10, -1, -10)
    assert (kv.seq_pos_min(0), kv.seq_pos_max(0)) == (0, 39)
    kv.seq_keep(1)
    assert (kv.seq_len(0), kv.seq_len(1)) == (0, 100)
    assert kv.reuse_prefix(2, ids[:60] + [1, 2]) == 60 and kv.seq_len(2) == 60
    kv.defrag()
    kv.clear()
    assert (kv.bytes, kv.n_pages_used, kv.seq_len(1), kv.seq_pos_max(1)) == (0, 0, 0, -1)


def test_sizes(model: mla.Model, ids: List[int]) -> None:
    for layout, attention in (("latent", "auto"), ("expanded", "deepseek2")):
        size = mla.KvCache.bytes_at_capacity(model, layout=layout, n_ctx=128)
        cache = mla.KvCache(model, layout=layout, n_ctx=128)
        assert cache.n_pages == 2 and cache.row_bytes * 128 == size
        with mla.Context(model, cache=cache, attention=attention) as context:
            context.decode(ids[:128])
        assert cache.bytes == size
        cache.close()
        cache.close()


def test_the_cache_keeps_the_context_alive(model: mla.Model, ids: List[int]) -> None:
    context = mla.Context(model)
    context.decode(ids[:3])
    kv = context.kv
    del context
    assert kv.seq_len() == 3
