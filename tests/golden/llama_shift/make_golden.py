"""Writes logits.npy: what llama.cpp says after a context shift.  python make_golden.py

150 tokens of the demo model's vocabulary in f32 cache rows; the first 20 are removed, the others move down by 20, and one more token is decoded."""

import ctypes
import pathlib

import llama_cpp as llama
import numpy as np

HERE = pathlib.Path(__file__).parent
MODEL = str(HERE.parents[2] / "examples/models/demo-f16.gguf")
TOKENS = [300 + token * 7 % 1000 for token in range(150)]
REMOVED = 20

llama.llama_backend_init()
model = llama.llama_model_load_from_file(MODEL.encode(), llama.llama_model_default_params())
options = llama.llama_context_default_params()
options.n_ctx, options.n_batch, options.n_threads = 512, 512, 2
options.type_k = options.type_v = 0  # f32
context = llama.llama_init_from_model(model, options)


def decode(tokens: list, position: int) -> None:
    batch = llama.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position + i, 1, i + 1 == len(tokens)
        batch.seq_id[i][0] = 0
    assert llama.llama_decode(context, batch) == 0
    llama.llama_batch_free(batch)


decode(TOKENS[:-1], 0)
memory = llama.llama_get_memory(context)
assert llama.llama_memory_can_shift(memory)
assert llama.llama_memory_seq_rm(memory, 0, 0, REMOVED)
llama.llama_memory_seq_add(memory, 0, REMOVED, -1, -REMOVED)
decode(TOKENS[-1:], len(TOKENS) - 1 - REMOVED)
n_vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
logits = np.ctypeslib.as_array(ctypes.cast(llama.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float)), (n_vocab,))
np.save(HERE / "logits.npy", logits.astype(np.float32)[None])
