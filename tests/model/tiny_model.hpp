// Small deepseek2 models of random weights, to be written in every layout that files come in, whole or damaged.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "quant/interleaving.hpp"

struct TinyShape {
  int n_vocab = 40, n_embd = 32, n_layers = 3, n_dense = 1, n_ff = 48;
  int n_heads = 3, n_nope = 16, n_rope = 8, n_value = 12, n_latent = 24, q_lora = 20;
  int n_experts = 8, n_used = 3, n_shared = 1, n_ff_expert = 16, n_groups = 4, n_groups_used = 2;
  bool sigmoid = true;   ///< with a bias, normalised weights and a scale of 2.5, as V3; else softmax, as V2
  bool tokenizer = false;  ///< of the 256 bytes and four more tokens: n_vocab is then 260
};

struct TinyTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  ///< row width first
  mla::quant::Type type = mla::quant::Type::f32;
  std::vector<std::byte> bytes;
  const mla::quant::Interleaving* layout = nullptr;  ///< of the rows, if they are interleaved; `type` is then the base type

  std::vector<float> floats() const;
};

using TinyValue = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::string>, std::vector<std::int32_t>>;

struct TinyModel {
  std::vector<std::pair<std::string, TinyValue>> keys;  ///< full names
  std::vector<TinyTensor> tensors;

  /// Throw std::out_of_range if there is no such thing.
  TinyTensor& tensor(const std::string& name);
  TinyValue& key(const std::string& name);
  /// Replaces or adds deepseek2.<name>.
  void set(const std::string& name, TinyValue value);
  void remove_key(const std::string& name);  ///< deepseek2.<name>
  void remove_tensor(const std::string& name);

  void write(const std::string& path) const;
  /// As <stem>-00001-of-0000n.gguf and so on; tensors dealt out in order. Returns the parts' paths.
  std::vector<std::string> write_split(const std::string& stem, int n_parts) const;
};

TinyTensor float_tensor(const std::string& name, std::vector<std::uint64_t> shape, const std::vector<float>& values);
/// The same tensor in f32, f16, bf16 or q8_0.
TinyTensor stored_as(const TinyTensor& tensor, mla::quant::Type type);
/// Random blocks of any type, interleaved or not, whose values have about this standard deviation.
TinyTensor random_blocks(const std::string& name, const std::vector<std::uint64_t>& shape, mla::quant::Type type, float deviation,
                         unsigned seed, const mla::quant::Interleaving* layout = nullptr);

/// Float weights in the original layout: kv_b only.
TinyModel original_layout(const TinyShape& shape, unsigned seed = 1);
/// The same weights in the mainline layout: k_b and v_b per head, head_count_kv 1.
TinyModel mainline_layout(const TinyModel& original, const TinyShape& shape);
/// In the ik layout: kv_b and, in two dimensions, k_b and v_b.
TinyModel ik_layout(const TinyModel& original, const TinyShape& shape);
