// Weights of a model: views into the mapped file, and the few matrices derived from it.
#pragma once
#include <list>
#include <memory>
#include <mla/model.hpp>
#include <span>
#include <vector>

#include "attention/attention.hpp"
#include "format/gguf.hpp"
#include "layers/ffn.hpp"
#include "model/config.hpp"
#include "moe/experts.hpp"
#include "platform/executor.hpp"
#include "platform/memory.hpp"

namespace mla::model {

struct LayerWeights {
  const float* attention_norm = nullptr;  ///< [n_embd]
  kernels::Matrix q;                      ///< [H·(N+P), n_embd]; empty if there is q_a
  kernels::Matrix q_a, q_b;               ///< [q_lora, n_embd], [H·(N+P), q_lora]
  const float* q_a_norm = nullptr;        ///< [q_lora]
  kernels::Matrix kv_a;                   ///< [R+P, n_embd]
  const float* kv_a_norm = nullptr;       ///< [R]
  attention::LatentWeights latent;        ///< k_b, v_b, k_nope
  kernels::Matrix attention_out;          ///< [n_embd, H·V]

  const float* ffn_norm = nullptr;  ///< [n_embd]
  layers::FfnWeights dense;         ///< of a dense layer, or the shared expert
  moe::ExpertWeights experts;       ///< of a layer with experts
};

/// A model in memory. Views point into `file`, `derived` and `repacked`; immutable once loaded.
struct LoadedModel {
  format::GgufFile file;
  Config config;
  kernels::Matrix token_embedding;     ///< [n_vocab, n_embd]
  const float* output_norm = nullptr;  ///< [n_embd]
  kernels::Matrix output;              ///< [n_vocab, n_embd]
  std::vector<LayerWeights> layers;
  std::vector<platform::Buffer> derived;  ///< k_b of files that have only kv_b, rows that were interleaved, norms that aren't floats
  std::list<std::vector<kernels::Matrix>> separate;  ///< views of experts that are not one after another
  std::list<std::vector<float>> scales;  ///< of a Hugging Face folder's matrices, where its files don't have them as floats
  platform::Buffer repacked;              ///< weights in another layout, or elsewhere, than the mapped file's (model/repack.hpp)
  std::shared_ptr<const platform::NumaPlan> numa;  ///< nullptr: nodes are of no interest
  std::vector<platform::Buffer> copies;   ///< of `repacked`, on all nodes but the first, under Numa::replicate
  std::shared_ptr<attention::KnownRates> attention_rates = std::make_shared<attention::KnownRates>();
  platform::Replicas replicas;            ///< the same as executors want it
  std::uint64_t n_parameters = 0;
  std::uint64_t fingerprint = 0;  ///< of the file and the overrides (model/fingerprint.hpp)
};

/// A GGUF file, or a Hugging Face folder. Throws Error that names the file and the key or tensor; nothing is left behind.
LoadedModel load_path(const std::string& path, const ModelOptions& options);
/// A GGUF file behind an open descriptor, which may be closed then.
LoadedModel load_descriptor(int descriptor, const ModelOptions& options);
/// A GGUF file in memory that outlives the result.
LoadedModel load_memory(std::span<const std::byte> bytes, const ModelOptions& options);

}  // namespace mla::model
