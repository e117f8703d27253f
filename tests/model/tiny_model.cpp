#include "tiny_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include "format/gguf_writer.hpp"
#include "quant/dequantize.hpp"
#include "quant/half.hpp"
#include "quant/quantize.hpp"

using namespace mla;
using quant::Type;

namespace {

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::int64_t count(const std::vector<std::uint64_t>& shape) {
  std::uint64_t n = 1;
  for (const std::uint64_t s : shape) n *= s;
  return static_cast<std::int64_t>(n);
}

template <typename Pairs>
auto find_key(Pairs& keys, const std::string& name) {
  return std::find_if(keys.begin(), keys.end(), [&](const auto& entry) { return entry.first == name; });
}

void add_key(format::GgufWriter& writer, const std::string& key, const TinyValue& value) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::uint32_t>) writer.add_uint(key, v);
        else if constexpr (std::is_same_v<T, float>) writer.add_float(key, v);
        else if constexpr (std::is_same_v<T, bool>) writer.add_bool(key, v);
        else if constexpr (std::is_same_v<T, std::string>) writer.add_string(key, v);
        else if constexpr (std::is_same_v<T, std::vector<std::string>>) writer.add_strings(key, v);
        else writer.add_ints(key, v);
      },
      value);
}

// The writer writes only types whose rows it knows. In the file a tensor's name is followed by its shape and the type.
void set_type_number(const std::string& path, const TinyTensor& tensor, std::uint32_t number) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const std::uint64_t length = tensor.name.size();
  const std::size_t name = bytes.find(std::string(reinterpret_cast<const char*>(&length), sizeof length) + tensor.name);
  file.seekp(static_cast<std::streamoff>(name + sizeof length + tensor.name.size() + 4 + 8 * tensor.shape.size()));
  file.write(reinterpret_cast<const char*>(&number), sizeof number);
}

void write_file(const std::string& path, const std::vector<std::pair<std::string, TinyValue>>& keys,
                std::vector<TinyTensor>::const_iterator begin, std::vector<TinyTensor>::const_iterator end) {
  format::GgufWriter writer(path);
  for (const auto& [key, value] : keys) add_key(writer, key, value);
  for (auto tensor = begin; tensor != end; ++tensor) writer.add_tensor(tensor->name, tensor->shape, tensor->type);
  writer.begin_data();
  for (auto tensor = begin; tensor != end; ++tensor) writer.write(tensor->bytes);
  writer.finish();
  for (auto tensor = begin; tensor != end; ++tensor)
    if (tensor->layout != nullptr) set_type_number(path, *tensor, tensor->layout->number);
}

// Where a block keeps a 16-bit scale, and what it is relative to the first: minima and offsets that make the mean 0.
struct Scale {
  std::size_t at;
  float ratio = 1;
};

std::vector<Scale> scales_of(Type type) {
  switch (type) {
    case Type::q4_1: return {{0}, {2, -7.5f}};
    case Type::q5_1: return {{0}, {2, -15.5f}};
    case Type::q2_k: return {{80}, {82, 1.5f}};
    case Type::q4_k: return {{0}, {2, 7.5f}};
    case Type::q5_k: return {{0}, {2, 15.5f}};
    case Type::q3_k: return {{108}};
    case Type::q6_k: return {{208}};
    default: return {{0}};
  }
}

void put_half(float value, std::byte* to) {
  const std::uint16_t half = quant::f32_to_f16(value);
  std::memcpy(to, &half, sizeof half);
}

// The nearest power of two below, as MXFP4 has it.
void put_exponent(float value, std::byte* to) { *to = static_cast<std::byte>(128 + std::ilogb(value)); }

// A nibble on top of each of the last four words of the block.
void put_iq1_m_scale(float value, std::byte* block) {
  const std::uint16_t half = quant::f32_to_f16(value);
  for (int word = 0; word < 4; ++word) {
    std::byte& top = block[49 + 2 * word];
    top = (top & std::byte{15}) | static_cast<std::byte>((half >> (4 * word) & 15) << 4);
  }
}

// Scales of a block of one row, or of the same block of a group of rows, whose scales come first.
void put_block_scales(Type type, int group_rows, bool interleaved, float value, std::byte* block) {
  if (type == Type::iq1_m) return put_iq1_m_scale(value, block);
  if (type == Type::mxfp4)
    for (int row = 0; row < group_rows; ++row) put_exponent(value, block + row);
  else if (!interleaved)
    for (const Scale& scale : scales_of(type)) put_half(value * scale.ratio, block + scale.at);
  else
    for (const Scale& scale : scales_of(type))
      for (int row = 0; row < group_rows; ++row, block += 2) put_half(value * scale.ratio, block);
}

void set_scales(TinyTensor& tensor, float value) {
  const quant::TypeTraits& t = quant::traits(tensor.type);
  const int group_rows = tensor.layout != nullptr ? tensor.layout->rows : 1;
  const std::size_t row = quant::row_bytes(tensor.type, static_cast<std::int64_t>(tensor.shape[0])), rows = size(group_rows);
  const std::size_t header = size(t.header_bytes), block = size(t.block_bytes);
  for (std::size_t group = 0; group < tensor.bytes.size(); group += rows * row) {
    std::byte* at = tensor.bytes.data() + group;
    for (std::size_t r = 0; r < rows && header > 0; ++r, at += header) {
      if (header == sizeof value) std::memcpy(at, &value, sizeof value);
      else put_half(value, at);
    }
    for (std::size_t b = 0; b < (row - header) / block && header == 0; ++b)
      put_block_scales(tensor.type, group_rows, tensor.layout != nullptr, value, at + b * rows * block);
  }
}

std::string utf8(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

void add_tokenizer(TinyModel& model) {
  std::vector<std::string> tokens;
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    tokens.push_back(utf8(printable ? byte : next++));
  }
  const std::vector<std::string> more{"<bos>", "<eos>", "th", "the"};
  tokens.insert(tokens.end(), more.begin(), more.end());
  std::vector<std::int32_t> kinds(256, 1);
  kinds.insert(kinds.end(), {3, 3, 1, 1});
  const std::string t = "tokenizer.ggml.";
  model.keys.insert(model.keys.end(), {{t + "model", std::string("gpt2")}, {t + "pre", std::string("deepseek-llm")}, {t + "tokens", tokens},
                                       {t + "token_type", kinds}, {t + "merges", std::vector<std::string>{"t h", "th e"}},
                                       {t + "bos_token_id", 256u}, {t + "eos_token_id", 257u}, {t + "add_bos_token", true},
                                       {"tokenizer.chat_template", std::string("{{ bos_token }}{{ messages[0]['content'] }}")}});
}

class Builder {
 public:
  Builder(const TinyShape& shape, unsigned seed) : s_(shape), random_(seed) {}

  TinyModel build() {
    add_keys();
    if (s_.tokenizer) add_tokenizer(m_);
    matrix("token_embd.weight", {s_.n_embd, s_.n_vocab});
    for (int layer = 0; layer < s_.n_layers; ++layer) add_layer(layer);
    norm("output_norm.weight", s_.n_embd);
    matrix("output.weight", {s_.n_embd, s_.n_vocab});
    return std::move(m_);
  }

 private:
  void add_keys() {
    m_.keys = {{"general.architecture", std::string("deepseek2")}, {"general.name", std::string("tiny")}};
    const auto uint = [&](const char* key, int value) { m_.set(key, static_cast<std::uint32_t>(value)); };
    uint("block_count", s_.n_layers), uint("context_length", 2560);
    uint("embedding_length", s_.n_embd), uint("feed_forward_length", s_.n_ff);
    uint("vocab_size", s_.n_vocab), uint("leading_dense_block_count", s_.n_dense);
    uint("attention.head_count", s_.n_heads), uint("attention.head_count_kv", s_.n_heads), uint("attention.kv_lora_rank", s_.n_latent);
    if (s_.q_lora > 0) uint("attention.q_lora_rank", s_.q_lora);
    uint("attention.key_length", s_.n_nope + s_.n_rope), uint("attention.value_length", s_.n_value);
    m_.set("attention.layer_norm_rms_epsilon", 1e-6f);
    uint("rope.dimension_count", s_.n_rope);
    m_.set("rope.freq_base", 10000.0f), m_.set("rope.scaling.type", std::string("yarn")), m_.set("rope.scaling.factor", 40.0f);
    uint("rope.scaling.original_context_length", 64);
    m_.set("rope.scaling.yarn_log_multiplier", 0.1f);
    uint("expert_count", s_.n_experts), uint("expert_used_count", s_.n_used), uint("expert_shared_count", s_.n_shared);
    uint("expert_feed_forward_length", s_.n_ff_expert), uint("expert_gating_func", s_.sigmoid ? 2 : 1);
    m_.set("expert_weights_scale", s_.sigmoid ? 2.5f : 1.0f), m_.set("expert_weights_norm", s_.sigmoid);
    if (s_.n_groups > 1) uint("expert_group_count", s_.n_groups), uint("expert_group_used_count", s_.n_groups_used);
  }

  void add_layer(int layer) {
    const std::string b = fmt::format("blk.{}.", layer);
    const int q_rows = s_.n_heads * (s_.n_nope + s_.n_rope);
    norm(b + "attn_norm.weight", s_.n_embd);
    if (s_.q_lora > 0) {
      matrix(b + "attn_q_a.weight", {s_.n_embd, s_.q_lora});
      norm(b + "attn_q_a_norm.weight", s_.q_lora);
      matrix(b + "attn_q_b.weight", {s_.q_lora, q_rows});
    } else {
      matrix(b + "attn_q.weight", {s_.n_embd, q_rows});
    }
    matrix(b + "attn_kv_a_mqa.weight", {s_.n_embd, s_.n_latent + s_.n_rope});
    norm(b + "attn_kv_a_norm.weight", s_.n_latent);
    matrix(b + "attn_kv_b.weight", {s_.n_latent, s_.n_heads * (s_.n_nope + s_.n_value)});
    matrix(b + "attn_output.weight", {s_.n_heads * s_.n_value, s_.n_embd});
    norm(b + "ffn_norm.weight", s_.n_embd);
    if (layer < s_.n_dense) return add_ffn(b, ".weight", s_.n_ff, {});
    matrix(b + "ffn_gate_inp.weight", {s_.n_embd, s_.n_experts});
    if (s_.sigmoid) values(b + "exp_probs_b.bias", {s_.n_experts}, 0, 0.2f);
    add_ffn(b, "_exps.weight", s_.n_ff_expert, {s_.n_experts});
    if (s_.n_shared > 0) add_ffn(b, "_shexp.weight", s_.n_ff_expert * s_.n_shared, {});
  }

  void add_ffn(const std::string& b, const std::string& suffix, int n_ff, const std::vector<int>& experts) {
    const auto stack = [&](const char* part, std::vector<int> shape) {
      shape.insert(shape.end(), experts.begin(), experts.end());
      matrix(b + part + suffix, shape);
    };
    stack("ffn_gate", {s_.n_embd, n_ff}), stack("ffn_up", {s_.n_embd, n_ff}), stack("ffn_down", {n_ff, s_.n_embd});
  }

  void norm(const std::string& name, int n) { values(name, {n}, 1, 0.1f); }
  void matrix(const std::string& name, const std::vector<int>& shape) {
    values(name, shape, 0, 1 / std::sqrt(static_cast<float>(shape[0])));
  }
  void values(const std::string& name, const std::vector<int>& shape, float mean, float deviation) {
    std::normal_distribution<float> normal(mean, deviation);
    std::vector<std::uint64_t> sizes(shape.begin(), shape.end());
    std::vector<float> numbers(size(count(sizes)));
    for (float& number : numbers) number = normal(random_);
    m_.tensors.push_back(float_tensor(name, std::move(sizes), numbers));
  }

  const TinyShape& s_;
  std::mt19937 random_;
  TinyModel m_;
};

// The head's part of kv_b: rows `first` to first + n of each head, transposed or not.
std::vector<float> part_of_heads(const std::vector<float>& kv_b, const TinyShape& s, int first, int n, bool transposed) {
  std::vector<float> out(size(std::int64_t{s.n_heads} * n * s.n_latent));
  for (int h = 0; h < s.n_heads; ++h) {
    const float* from = kv_b.data() + std::int64_t{h * (s.n_nope + s.n_value) + first} * s.n_latent;
    float* to = out.data() + std::int64_t{h} * n * s.n_latent;
    for (int row = 0; row < n; ++row)
      for (int r = 0; r < s.n_latent; ++r) to[transposed ? r * n + row : row * s.n_latent + r] = from[row * s.n_latent + r];
  }
  return out;
}

TinyModel with_heads_apart(const TinyModel& original, const TinyShape& s, bool keep_kv_b, bool flat) {
  TinyModel model = original;
  const auto sizes = [&](int width, int rows) {
    const auto w = static_cast<std::uint64_t>(width), r = static_cast<std::uint64_t>(rows), h = static_cast<std::uint64_t>(s.n_heads);
    return flat ? std::vector<std::uint64_t>{w, r * h} : std::vector<std::uint64_t>{w, r, h};
  };
  for (int layer = 0; layer < s.n_layers; ++layer) {
    const std::string b = fmt::format("blk.{}.attn_", layer);
    const std::vector<float> kv_b = model.tensor(b + "kv_b.weight").floats();
    model.tensors.push_back(float_tensor(b + "k_b.weight", sizes(s.n_nope, s.n_latent), part_of_heads(kv_b, s, 0, s.n_nope, true)));
    model.tensors.push_back(float_tensor(b + "v_b.weight", sizes(s.n_latent, s.n_value),
                                         part_of_heads(kv_b, s, s.n_nope, s.n_value, false)));
    if (!keep_kv_b) model.remove_tensor(b + "kv_b.weight");
  }
  return model;
}

}  // namespace

std::vector<float> TinyTensor::floats() const {
  const auto width = static_cast<std::int64_t>(shape[0]), rows = count(shape) / width;
  std::vector<std::byte> restored(layout != nullptr ? bytes.size() : 0);
  if (layout != nullptr) quant::restore_rows(*layout, bytes.data(), restored.data(), rows, width);
  const std::byte* plain = layout != nullptr ? restored.data() : bytes.data();
  std::vector<float> out(size(count(shape)));
  for (std::int64_t row = 0; row < rows; ++row)
    quant::dequantize(type, plain + size(row) * quant::row_bytes(type, width), out.data() + row * width, width);
  return out;
}

TinyTensor& TinyModel::tensor(const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TinyTensor& t) { return t.name == name; });
  if (found == tensors.end()) throw std::out_of_range("no tensor " + name);
  return *found;
}

TinyValue& TinyModel::key(const std::string& name) {
  const auto found = find_key(keys, name);
  if (found == keys.end()) throw std::out_of_range("no key " + name);
  return found->second;
}

void TinyModel::set(const std::string& name, TinyValue value) {
  const auto found = find_key(keys, "deepseek2." + name);
  if (found != keys.end())
    found->second = std::move(value);
  else
    keys.emplace_back("deepseek2." + name, std::move(value));
}

void TinyModel::remove_key(const std::string& name) {
  (void)key("deepseek2." + name);
  keys.erase(find_key(keys, "deepseek2." + name));
}

void TinyModel::remove_tensor(const std::string& name) {
  tensors.erase(tensors.begin() + (&tensor(name) - tensors.data()));
}

void TinyModel::write(const std::string& path) const { write_file(path, keys, tensors.begin(), tensors.end()); }

std::vector<std::string> TinyModel::write_split(const std::string& stem, int n_parts) const {
  std::vector<std::string> paths;
  const auto n = static_cast<std::ptrdiff_t>(tensors.size());
  for (int part = 0; part < n_parts; ++part) {
    auto part_keys = part == 0 ? keys : std::vector<std::pair<std::string, TinyValue>>{};
    part_keys.insert(part_keys.end(), {{"split.no", static_cast<std::uint32_t>(part)}, {"split.count", static_cast<std::uint32_t>(n_parts)},
                                       {"split.tensors.count", static_cast<std::uint32_t>(n)}});
    paths.push_back(fmt::format("{}-{:05}-of-{:05}.gguf", stem, part + 1, n_parts));
    write_file(paths.back(), part_keys, tensors.begin() + n * part / n_parts, tensors.begin() + n * (part + 1) / n_parts);
  }
  return paths;
}

TinyTensor float_tensor(const std::string& name, std::vector<std::uint64_t> shape, const std::vector<float>& values) {
  TinyTensor tensor{name, std::move(shape), Type::f32, std::vector<std::byte>(values.size() * sizeof(float))};
  if (static_cast<std::int64_t>(values.size()) != count(tensor.shape)) throw std::invalid_argument("values of tensor " + name);
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

TinyTensor stored_as(const TinyTensor& tensor, Type type) {
  const std::vector<float> values = tensor.floats();
  TinyTensor out{tensor.name, tensor.shape, type, std::vector<std::byte>(quant::row_bytes(type, count(tensor.shape)))};
  quant::quantize(type, values.data(), out.bytes.data(), count(tensor.shape));
  return out;
}

TinyTensor random_blocks(const std::string& name, const std::vector<std::uint64_t>& shape, Type type, float deviation, unsigned seed,
                         const quant::Interleaving* layout) {
  std::mt19937 random(seed);
  if (quant::traits(type).block_size == 1) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(size(count(shape)));
    for (float& value : values) value = normal(random);
    return stored_as(float_tensor(name, shape, values), type);
  }
  const auto width = static_cast<std::int64_t>(shape[0]);
  TinyTensor tensor{name, shape, type, std::vector<std::byte>(size(count(shape) / width) * quant::row_bytes(type, width)), layout};
  for (std::byte& byte : tensor.bytes) byte = static_cast<std::byte>(random());
  set_scales(tensor, 1);
  double sum = 0;
  const std::vector<float> values = tensor.floats();
  for (const float value : values) sum += static_cast<double>(value) * value;
  set_scales(tensor, deviation / static_cast<float>(std::sqrt(sum / static_cast<double>(values.size()))));
  return tensor;
}

TinyModel original_layout(const TinyShape& shape, unsigned seed) { return Builder(shape, seed).build(); }

TinyModel mainline_layout(const TinyModel& original, const TinyShape& s) {
  TinyModel model = with_heads_apart(original, s, false, false);
  model.set("attention.head_count_kv", 1u);
  model.set("attention.key_length", static_cast<std::uint32_t>(s.n_latent + s.n_rope));
  model.set("attention.value_length", static_cast<std::uint32_t>(s.n_latent));
  model.set("attention.key_length_mla", static_cast<std::uint32_t>(s.n_nope + s.n_rope));
  model.set("attention.value_length_mla", static_cast<std::uint32_t>(s.n_value));
  return model;
}

TinyModel ik_layout(const TinyModel& original, const TinyShape& shape) { return with_heads_apart(original, shape, true, true); }
