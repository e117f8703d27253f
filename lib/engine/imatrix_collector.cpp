#include "engine/imatrix_collector.hpp"

#include <algorithm>
#include <cmath>

#include "engine/model_impl.hpp"
#include "model/imatrix.hpp"
#include "platform/executor.hpp"
#include "platform/fail.hpp"

namespace mla {

ImatrixCollector::Impl::Impl(std::shared_ptr<const Model> m) : model(std::move(m)) {
  if (!model) fail(Status::invalid_argument, "a collector needs a model");
  const model::LoadedModel& loaded = model->impl().loaded;
  for (std::size_t layer = 0; layer < loaded.layers.size(); ++layer) add_layer(loaded.layers[layer], fmt::format("blk.{}.", layer));
  add(loaded.output, loaded.output.data == loaded.token_embedding.data ? "token_embd.weight" : "output.weight");
}

void ImatrixCollector::Impl::add(const void* weights, const std::string& name, std::int64_t n_matrices, std::int64_t n_columns) {
  entry_of_.emplace(weights, entries_.size());
  entries_.push_back({name, n_columns, std::vector<double>(static_cast<std::size_t>(n_matrices * n_columns)),
                      std::vector<std::int64_t>(static_cast<std::size_t>(n_matrices))});
}

void ImatrixCollector::Impl::add(const kernels::Matrix& matrix, const std::string& name) {
  if (matrix) add(matrix.data, name, 1, matrix.cols);
}

void ImatrixCollector::Impl::add(const kernels::MatrixStack& stack, const std::string& name) {
  if (stack) add(stack.first.data, name, stack.count, stack.first.cols);
}

void ImatrixCollector::Impl::add_layer(const model::LayerWeights& w, const std::string& prefix) {
  add(w.q, prefix + "attn_q.weight");
  add(w.q_a, prefix + "attn_q_a.weight");
  add(w.q_b, prefix + "attn_q_b.weight");
  add(w.kv_a, prefix + "attn_kv_a_mqa.weight");
  add(&w.latent, prefix + "attn_kv_b.weight", 1, w.latent.v_b.first.cols);
  add(w.latent.k_b, prefix + "attn_k_b.weight");
  add(w.latent.v_b, prefix + "attn_v_b.weight");
  add(w.attention_out, prefix + "attn_output.weight");
  const std::string end = w.experts.router ? "_shexp.weight" : ".weight";
  add(w.dense.gate, prefix + "ffn_gate" + end);
  add(w.dense.up, prefix + "ffn_up" + end);
  add(w.dense.down, prefix + "ffn_down" + end);
  add(w.experts.router, prefix + "ffn_gate_inp.weight");
  add(w.experts.gate, prefix + "ffn_gate_exps.weight");
  add(w.experts.up, prefix + "ffn_up_exps.weight");
  add(w.experts.down, prefix + "ffn_down_exps.weight");
}

// Each column is summed by one task, in the order of the rows: the result doesn't depend on the number of threads.
void ImatrixCollector::Impl::observe(const void* weights, std::int64_t matrix, const float* x, std::int64_t ldx, std::int64_t m,
                                     platform::Executor& executor) {
  constexpr std::int64_t columns_per_task = 256;
  const auto found = entry_of_.find(weights);
  if (found == entry_of_.end()) return;
  Sums& entry = entries_[found->second];
  double* const sums = entry.sums.data() + matrix * entry.n_columns;
  executor.parallel_for(static_cast<int>((entry.n_columns + columns_per_task - 1) / columns_per_task), [&](int task, int) {
    const std::int64_t begin = task * columns_per_task, end = std::min(begin + columns_per_task, entry.n_columns);
    for (std::int64_t row = 0; row < m; ++row)
      for (std::int64_t i = begin; i < end; ++i) sums[i] += static_cast<double>(x[row * ldx + i]) * static_cast<double>(x[row * ldx + i]);
  });
  entry.counts[static_cast<std::size_t>(matrix)] += m;
}

Imatrix ImatrixCollector::Impl::result() const {
  Imatrix out;
  for (const Sums& entry : entries_) {
    if (std::ranges::all_of(entry.counts, [](std::int64_t count) { return count == 0; })) continue;
    if (!std::ranges::all_of(entry.sums, [](double sum) { return std::isfinite(static_cast<float>(sum)); }))
      fail(Status::bad_file, "{}: what {} was multiplied with was not finite: the model is damaged", model->info().name, entry.name);
    out.entries.push_back({entry.name, {entry.sums.begin(), entry.sums.end()}, entry.counts});
  }
  return out;
}

ImatrixCollector::ImatrixCollector(std::shared_ptr<const Model> model) : impl_(std::make_unique<Impl>(std::move(model))) {}
ImatrixCollector::~ImatrixCollector() = default;
const std::shared_ptr<const Model>& ImatrixCollector::model() const noexcept { return impl_->model; }
Imatrix ImatrixCollector::result() const { return impl_->result(); }

DerivedEntries derive_mla(Imatrix& imatrix, const Model& model) { return model::derive_mla(imatrix, model.impl().loaded); }

}  // namespace mla
