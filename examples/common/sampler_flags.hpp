// The sampler's flags, spelt alike in all programs that generate.
#pragma once
#include <cstdint>

#include <CLI/CLI.hpp>
#include <mla/sampler.hpp>

namespace program {

struct SamplerFlags {
  std::int64_t seed = -1;  ///< -1: another one each time
  mla::SamplerOptions options;

  /// After parsing: puts the seed into the options.
  void choose_seed();
};

void add_sampler_flags(CLI::App& app, SamplerFlags& flags);

}  // namespace program
