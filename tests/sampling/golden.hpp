// What the tests of the sampler share with tests/golden/sampling/make_golden.py.
#pragma once
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <mla/sampler.hpp>
#include "sampling/random.hpp"

/// The lines of a golden file but for comments.
inline std::vector<std::istringstream> golden_lines(const std::string& name) {
  const std::string path = std::string(MLA_SOURCE_DIR "/tests/golden/sampling/") + name;
  std::ifstream file(path);
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(file, line);) {
    if (line[0] != '#') lines.emplace_back(line);
  }
  if (lines.empty()) throw std::runtime_error(path + " is missing or empty");
  return lines;
}

template <typename T>
T take(std::istringstream& line) {
  T value;
  if (!(line >> value)) throw std::runtime_error("golden file: a line ends early: " + line.str().substr(0, 60));
  return value;
}

/// make_logits() of the script.
inline std::vector<float> make_logits(std::size_t n, std::uint64_t seed, float step = 0) {
  std::vector<float> logits(n);
  for (float& logit : logits) {
    const double u = static_cast<double>(mla::sampling::splitmix64(seed) >> 40) * 0x1p-24;
    const double value = 24.0 * (u * u * u * u - 0.25);
    logit = static_cast<float>(step > 0 ? std::floor(value / step) * step : value);
  }
  return logits;
}

/// Every stage at its neutral value.
inline mla::SamplerOptions neutral_options() {
  mla::SamplerOptions options;
  options.temperature = 1;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  return options;
}

inline mla::SamplerOptions take_options(std::istringstream& line) {
  mla::SamplerOptions options;
  options.temperature = take<float>(line);
  options.top_k = take<int>(line);
  for (float* value : {&options.top_p, &options.min_p, &options.typical_p, &options.repeat_penalty, &options.presence_penalty,
                       &options.frequency_penalty}) {
    *value = take<float>(line);
  }
  return options;
}
