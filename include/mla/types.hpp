// Plain types that several headers share.
#pragma once
#include <cstdint>
#include <string_view>

namespace mla {

using Token = std::int32_t;       ///< index into the vocabulary
using Position = std::int32_t;    ///< place of a token in its sequence, from 0
using SequenceId = std::int32_t;  ///< names a sequence in a cache; any value from 0

/// How attention is computed and what the KV cache holds (docs/attention.md).
enum class AttentionMode : int {
  automatic = 0,     ///< "auto": latent cache; expanded or absorbed mathematics, whichever is cheaper for the step
  deepseek2 = 1,     ///< "deepseek2": keys and values of every head in the cache, plain multi-head attention
  deepseek_mla = 2,  ///< "deepseek-mla": latent cache, absorbed mathematics always
};

/// What a row of the KV cache holds.
enum class CacheLayout : int {
  latent = 0,    ///< (c | k_pe): kv_lora_rank + rope values per token and layer
  expanded = 1,  ///< per head the nope part of K, and V; k_pe once
};

/// Number format of cache rows. In quantised rows the rope part stays 16-bit. `_row`: one f32 scale for the whole row, or for each head of
/// the expanded layout.
enum class CacheType : int {
  f32 = 0,
  f16 = 1,
  bf16 = 2,
  q8_0 = 3,    ///< blocks of 32 values with an f16 scale: 8.5 bits a value
  q6_0 = 4,    ///< 6.5 bits
  q4_0 = 5,    ///< 4.5 bits
  q8_row = 6,
  q16_row = 7,  ///< the default: finer than f16, and what the integer kernels of attention multiply without rewriting it
};
inline constexpr CacheType all_cache_types[] = {CacheType::f32, CacheType::f16, CacheType::bf16, CacheType::q8_0,
                                                CacheType::q6_0, CacheType::q4_0, CacheType::q8_row, CacheType::q16_row};

/// How a machine with several memory nodes is used (docs/threads.md). On one with a single node all are the same.
enum class Numa : int {
  none = 0,       ///< threads and memory wherever the system puts them
  distribute = 1, ///< "distribute": threads in equal shares on all nodes and bound to them; repacked weights page by page on all
  isolate = 2,    ///< "isolate": threads and repacked weights on the node where the model is loaded
  numactl = 3,    ///< "numactl": threads in equal shares on the nodes that numactl allows; memory as numactl says
  split = 4,      ///< "split": every weight matrix and expert cut by rows into the nodes' memory, and computed there
  replicate = 5,  ///< "replicate": a copy of the weights on each node
};

const char* to_string(AttentionMode mode) noexcept;  ///< "auto", "deepseek2", "deepseek-mla"
const char* to_string(CacheType type) noexcept;      ///< "f32", "f16", "bf16", "q8_0", "q6_0", "q4_0", "q8_row", "q16_row"
const char* to_string(Numa mode) noexcept;           ///< "none", "distribute", …
/// The reverse of to_string(); throws Error(invalid_argument) that lists the names there are.
AttentionMode parse_attention_mode(std::string_view name);
CacheType parse_cache_type(std::string_view name);
Numa parse_numa(std::string_view name);

}  // namespace mla
