#!/usr/bin/env python3
"""The demo model, or another one in floats, with k_b and v_b joined to kv_b, as older files have it and peers read it:

    bench/original_layout.py IN.gguf OUT.gguf     needs numpy and the gguf package
"""
import sys

import gguf
import numpy


def copy_metadata(reader, writer, changed=()):
    """All keys but the architecture; those in `changed` get another value, or are left out where it is None."""
    changed = dict(changed)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value, kind = changed.get(name, field.contents()), field.types[0]
        if value is not None:
            writer.add_array(name, value) if kind == gguf.GGUFValueType.ARRAY else writer.add_key_value(name, value, kind)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_original_layout(source, path):
    reader, writer = gguf.GGUFReader(source), gguf.GGUFWriter(path, "deepseek2")
    key = lambda name: reader.fields["deepseek2.attention." + name].contents()
    sizes = {"head_count_kv": key("head_count"), "key_length": key("key_length_mla"), "value_length": key("value_length_mla"),
             "key_length_mla": None, "value_length_mla": None}
    copy_metadata(reader, writer, {"deepseek2.attention." + name: value for name, value in sizes.items()})
    tensors = {tensor.name: numpy.array(tensor.data) for tensor in reader.tensors}
    for name, data in tensors.items():
        if ".attn_v_b." in name:
            continue
        if ".attn_k_b." in name:  # of each head [latent, nope]
            joined = numpy.concatenate([data.transpose(0, 2, 1), tensors[name.replace(".attn_k_b.", ".attn_v_b.")]], axis=1)
            name, data = name.replace(".attn_k_b.", ".attn_kv_b."), numpy.ascontiguousarray(joined.reshape(-1, joined.shape[2]))
        writer.add_tensor(name, data)
    finish(writer)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write_original_layout(sys.argv[1], sys.argv[2])
