// Tensors by name, checked against the shape that the config demands.
#pragma once
#include <functional>
#include <set>
#include <string>

#include "model/weights.hpp"

namespace mla::model {

class TensorReader {
 public:
  /// `keep_going` is called during what takes long, and throws to stop.
  TensorReader(LoadedModel& model, const ModelOptions& options, std::function<void()> keep_going)
      : model_(model), allocator_(options.allocator), keep_going_(std::move(keep_going)) {}

  bool has(const std::string& name) const { return model_.file.find(name) != nullptr; }

  /// [rows, cols]; the name without ".weight". Throws Error(bad_file) if it is missing or of another shape.
  kernels::Matrix matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  /// count × [rows, cols]: a 3-D tensor, or a 2-D one of count · rows rows as ik_llama.cpp writes k_b and v_b.
  kernels::MatrixStack stack(const std::string& name, std::int64_t count, std::int64_t rows, std::int64_t cols);
  /// [n] floats; other types are converted to floats in memory of the model's own. `name` is whole.
  const float* vector(const std::string& name, std::int64_t n);

  /// Throws Error(unsupported) that names the first tensor of the file that nobody asked for, those of the layers from
  /// `first_mtp` to before `end_mtp` apart.
  void refuse_unread(int first_mtp, int end_mtp) const;

 private:
  const format::TensorInfo& require(const std::string& name);
  // Rows one after another: those of the file, or, where it has them interleaved, restored in memory of the model's own.
  kernels::Matrix view(const format::TensorInfo& tensor, std::int64_t rows, std::int64_t cols);
  kernels::MatrixStack separate(const format::TensorInfo& tensor, std::int64_t count, std::int64_t rows, std::int64_t cols);
  LoadedModel& model_;
  std::shared_ptr<Allocator> allocator_;
  std::function<void()> keep_going_;
  std::set<std::string> used_;
};

}  // namespace mla::model
