// Sums of squared inputs of a model's matrices.
#pragma once
#include <mla/imatrix.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/weights.hpp"
#include "platform/input_observer.hpp"

namespace mla {

class ImatrixCollector::Impl final : public platform::InputObserver {
 public:
  explicit Impl(std::shared_ptr<const Model> model);

  void observe(const void* weights, std::int64_t matrix, const float* x, std::int64_t ldx, std::int64_t m, platform::Executor& executor) override;
  Imatrix result() const;

  const std::shared_ptr<const Model> model;

 private:
  struct Sums {
    std::string name;
    std::int64_t n_columns;
    std::vector<double> sums;          // [n_matrices, n_columns]
    std::vector<std::int64_t> counts;  // [n_matrices]
  };

  void add(const void* weights, const std::string& name, std::int64_t n_matrices, std::int64_t n_columns);
  void add(const kernels::Matrix& matrix, const std::string& name);
  void add(const kernels::MatrixStack& stack, const std::string& name);
  void add_layer(const model::LayerWeights& w, const std::string& prefix);

  std::vector<Sums> entries_;
  std::unordered_map<const void*, std::size_t> entry_of_;  // by the address of the weights
};

}  // namespace mla
