// Models with the sizes of real ones and random weights, for measuring without a file.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <mla/model.hpp>

namespace bench {

struct SyntheticSpec {
  std::string preset, type;  ///< "v2-lite", "q4_k"
  int n_layers = 0;          ///< 0: the preset's
  int n_dense = -1;          ///< of them, the first ones without experts; -1: the preset's

  /// "PRESET:TYPE"; throws program::Failure that lists what there is.
  static SyntheticSpec parse(const std::string& text);
};

std::vector<std::string> preset_names();

/// Makes the model in memory, with progress on a terminal. The mixture of types is that of real files: kv_b in 8 bits where the
/// others are quantised, the output matrix Q6_K beside Q4_K, router and norms in floats. Unless options.repack is never, weights are
/// made in the layout that the loader would put them in, so that the model takes its size once.
/// Throws program::Failure (more dense layers than layers, more memory than there is), mla::Error.
std::shared_ptr<const mla::Model> make_synthetic(const SyntheticSpec& spec, const mla::ModelOptions& options);

}  // namespace bench
