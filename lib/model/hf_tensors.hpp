// The weights of a Hugging Face folder under the names and in the shapes that a GGUF file has them.
#pragma once
#include <list>
#include <mla/host.hpp>
#include <set>
#include <string>
#include <vector>

#include "format/safetensors.hpp"
#include "kernels/matrix.hpp"
#include "model/hf_config.hpp"

namespace mla::model {

/// A tensor of GGUF, and what it is made of.
struct HfTensor {
  enum class Part { whole, k_b, v_b };  ///< whole: rows of the sources one after another; k_b and v_b: of each head of kv_b
  std::string name;
  std::vector<std::uint64_t> shape;      ///< row width first
  std::vector<kernels::Matrix> sources;  ///< in the mapped files: one, or one for each expert
  Part part = Part::whole;
  bool is_matrix = true;  ///< takes the type asked for; norms and routers stay floats

  std::int64_t cols() const noexcept { return static_cast<std::int64_t>(shape[0]); }
  std::int64_t rows() const noexcept;
  /// Rows are loaded in multiples of this many: k_b is made head by head.
  std::int64_t step() const noexcept { return part == Part::k_b ? static_cast<std::int64_t>(shape[1]) : 1; }
  /// Rows first … first + n - 1 as floats [n, cols]; both numbers are multiples of step().
  void load(std::int64_t first, std::int64_t n, float* out) const;
  /// The bytes that they are read from, source by source.
  std::vector<std::span<const std::byte>> bytes_of(std::int64_t first, std::int64_t n) const;
};

class HfTensors {
 public:
  /// Throws Error that names the file and the tensor: bad_file if one is missing or not of the shape that the config demands, unsupported
  /// for a dtype, or for a tensor that may belong to the mathematics and isn't known here.
  HfTensors(const std::string& folder, format::SafetensorsFolder files, const HfModel& model, ConfigForm form, LogSink* log);

  const std::vector<HfTensor>& tensors() const noexcept { return tensors_; }
  const format::SafetensorsFolder& files() const noexcept { return weights_; }
  /// A number that changes with the files' names, sizes and headers, and when they were written.
  std::uint64_t fingerprint() const;

  /// What keeps `tensors()` alive, for who keeps them longer than this.
  std::vector<platform::FileView> take_files() && { return std::move(weights_).take_files(); }
  std::list<std::vector<float>> take_scales() && { return std::move(scales_); }

 private:
  void add_layer(int layer);
  void add_latent(const std::string& to, const std::string& from);
  void add_ffn(const std::string& to, const std::string& suffix, const std::string& from, int n_ff);
  void add_experts(const std::string& to, const std::string& from);
  void add_mtp(const std::string& to, const std::string& from);
  void vector(const std::string& to, const std::string& from, std::int64_t n);
  void matrix(const std::string& to, const std::string& from, std::int64_t rows, std::int64_t cols);
  const format::SafetensorsTensor& require(const std::string& name, const std::vector<std::int64_t>& shape);
  kernels::Matrix source(const std::string& name, const std::vector<std::int64_t>& shape);
  kernels::BlockScales scales_of(const std::string& name, std::int64_t rows, std::int64_t cols);
  void refuse_unused(LogSink* log) const;
  bool is_mtp(std::string_view name) const;

  const Config c_;
  const bool tied_, is_fp8_;
  const ConfigForm form_;
  const std::string folder_;
  format::SafetensorsFolder weights_;
  std::list<std::vector<float>> scales_;  // that are not aligned floats in the files
  std::vector<HfTensor> tensors_;
  std::set<std::string> used_;
};

}  // namespace mla::model
