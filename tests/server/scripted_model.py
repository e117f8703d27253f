"""A model that says what it was built to say: each token is followed by one other, whatever stands before it.

The residual stream is the embedding alone (what attention and feed-forward add is zero), and the output row of a token is the sum of the
embeddings that it follows. Its vocabulary is the 256 bytes, for what it is told, and the pieces of what it says.
"""
import gguf
import numpy as np

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
WIDTH, HEADS, NOPE, ROPE, VALUE, LATENT, FEED = 256, 2, 32, 16, 32, 64, 64


def gpt2_letters():
    """The 256 bytes as the vocabularies of byte-level tokenizers write them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def write(path, chains, chat_template):
    """`chains`: lists of (kind, piece), each said from its second piece on once the first was read. A piece has one follower, so a text that
    needs one twice must be cut otherwise."""
    letters = gpt2_letters()
    spelt = lambda kind, piece: piece if kind != NORMAL else "".join(letters[byte] for byte in piece.encode())
    tokens, kinds = ["<s>", "</s>", *letters.values()], [CONTROL, CONTROL, *[NORMAL] * 256]
    follower = {}
    for chain in chains:
        previous = None
        for kind, piece in [*chain, (CONTROL, "</s>")]:
            text = spelt(kind, piece)
            if text not in tokens:
                tokens.append(text), kinds.append(kind)
            token = tokens.index(text)
            if previous is not None:
                assert follower.setdefault(previous, token) == token, f"{tokens[previous]!r} has two followers"
            previous = token
    rng = np.random.default_rng(1)
    embeddings = rng.standard_normal((len(tokens), WIDTH)).astype(np.float32)
    output = np.zeros_like(embeddings)
    for token, next_token in follower.items():
        output[next_token] += embeddings[token]

    writer = gguf.GGUFWriter(path, "deepseek2")
    writer.add_name("scripted")
    for key, value in {"block_count": 1, "context_length": 4096, "embedding_length": WIDTH, "feed_forward_length": FEED,
                       "attention.head_count": HEADS, "attention.head_count_kv": HEADS, "attention.key_length": NOPE + ROPE,
                       "attention.value_length": VALUE, "attention.kv_lora_rank": LATENT, "rope.dimension_count": ROPE,
                       "leading_dense_block_count": 1, "vocab_size": len(tokens)}.items():
        writer.add_uint32(f"deepseek2.{key}", value)
    writer.add_float32("deepseek2.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32("deepseek2.rope.freq_base", 10000)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("deepseek-llm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_chat_template(chat_template)
    zeros = lambda *shape: np.zeros(shape, np.float32)
    tensors = {"token_embd": embeddings, "output_norm": zeros(WIDTH) + 1, "output": output}
    layer = {"attn_norm": zeros(WIDTH) + 1, "attn_q": zeros(HEADS * (NOPE + ROPE), WIDTH), "attn_kv_a_mqa": zeros(LATENT + ROPE, WIDTH),
             "attn_kv_a_norm": zeros(LATENT) + 1, "attn_kv_b": zeros(HEADS * (NOPE + VALUE), LATENT), "attn_output": zeros(WIDTH, HEADS * VALUE),
             "ffn_norm": zeros(WIDTH) + 1, "ffn_gate": zeros(FEED, WIDTH), "ffn_up": zeros(FEED, WIDTH), "ffn_down": zeros(WIDTH, FEED)}
    for name, tensor in {**tensors, **{f"blk.0.{name}": tensor for name, tensor in layer.items()}}.items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
