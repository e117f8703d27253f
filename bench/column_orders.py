"""A model whose columns stand in another order: the same function, other blocks for a quantiser. Needs numpy and the gguf package."""
import gguf
import numpy
from original_layout import copy_metadata, finish

RESIDUAL_COLUMNS = ("attn_q_a", "attn_q", "attn_kv_a_mqa", "ffn_gate", "ffn_up", "ffn_gate_exps", "ffn_up_exps", "ffn_gate_shexp",
                    "ffn_up_shexp", "ffn_gate_inp", "output", "token_embd", "attn_norm", "ffn_norm", "output_norm")
RESIDUAL_ROWS = ("attn_output", "ffn_down", "ffn_down_exps", "ffn_down_shexp")


def permuted(name, data, random, neurons, residual):
    layer, base = (name.split(".")[1], name.split(".")[2]) if name.startswith("blk.") else ("", name.split(".")[0])
    if base.startswith(("ffn_gate", "ffn_up", "ffn_down")) and base != "ffn_gate_inp":
        down, part = base.startswith("ffn_down"), base.split("_", 2)[2:]
        stack = data if data.ndim == 3 else data[None]
        width = stack.shape[2 if down else 1]
        orders = neurons.setdefault((layer, *part), [random.permutation(width) for _ in stack])
        stack = numpy.stack([matrix.take(order, axis=1 if down else 0) for matrix, order in zip(stack, orders)])
        data = stack.reshape(data.shape)
    if base in RESIDUAL_COLUMNS:
        data = data.take(residual, axis=-1)
    return data.take(residual, axis=-2) if base in RESIDUAL_ROWS else data


def write_in_order(source, path, seed):
    """Columns of the residual stream and the neurons of every feed-forward part in an order that the seed gives; 0: as they are."""
    reader, random, neurons = gguf.GGUFReader(source), numpy.random.default_rng(seed), {}
    writer = gguf.GGUFWriter(path, "deepseek2")
    copy_metadata(reader, writer)
    residual = random.permutation(reader.fields["deepseek2.embedding_length"].contents())
    for tensor in reader.tensors:
        data = numpy.array(tensor.data)
        data = permuted(tensor.name, data, random, neurons, residual) if seed else data
        writer.add_tensor(tensor.name, numpy.ascontiguousarray(data))
    finish(writer)
