// Importance matrices: files, sums of several, and entries for k_b and v_b from those of kv_b and q.
#include "model/imatrix.hpp"

#include <algorithm>

#include "format/imatrix_file.hpp"
#include "kernels/matmul.hpp"
#include "kernels/panels.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

// Counts in pieces of text become counts in rows.
void count_rows(Imatrix& imatrix, std::uint32_t chunk_tokens) {
  if (imatrix.chunk_tokens != 0 || chunk_tokens == 0) return;
  imatrix.chunk_tokens = chunk_tokens;
  for (ImatrixEntry& entry : imatrix.entries) {
    for (float& sum : entry.sums) sum *= static_cast<float>(chunk_tokens);
    for (std::int64_t& count : entry.counts) count *= chunk_tokens;
  }
}

// An entry of the old format has one count for all matrices.
std::int64_t count_at(const ImatrixEntry& entry, std::size_t matrix) { return entry.counts[entry.counts.size() == 1 ? 0 : matrix]; }

void add_entry(ImatrixEntry& into, const ImatrixEntry& other) {
  if (into.counts.size() < other.counts.size()) into.counts.resize(other.counts.size(), into.counts[0]);
  for (std::size_t i = 0; i < into.sums.size(); ++i) into.sums[i] += other.sums[i];
  for (std::size_t i = 0; i < into.counts.size(); ++i) into.counts[i] += count_at(other, i);
}

// The mean of the matrices that have data, for those that have none, with a count of one.
void fill(ImatrixEntry& entry) {
  const auto n = static_cast<std::size_t>(entry.n_columns());
  std::vector<double> mean(n);
  double rows = 0;
  for (const std::int64_t count : entry.counts) rows += static_cast<double>(count);
  for (std::size_t i = 0; i < entry.sums.size(); ++i) mean[i % n] += static_cast<double>(entry.sums[i]) / rows;
  for (std::size_t matrix = 0; matrix < entry.counts.size(); ++matrix) {
    if (entry.counts[matrix] != 0) continue;
    std::ranges::copy(mean, entry.sums.begin() + static_cast<std::ptrdiff_t>(matrix * n));
    entry.counts[matrix] = 1;
  }
}

// E[q²] of each head's nope columns, from the squares of W_q's entries and the statistics of its input.
class QueryStatistics {
 public:
  QueryStatistics(const kernels::Matrix& w_q, const ImatrixEntry& input)
      : w_(w_q), input_(input), rows_(static_cast<std::size_t>(kernels::panel_rows * w_q.cols)) {}

  // Sums of squares of rows first … first + n - 1 of W_q · x.
  void sums(std::int64_t first, std::int64_t n, float* out) {
    for (std::int64_t i = 0; i < n; ++i) {
      const float* row = this->row(first + i);
      double sum = 0;
      for (std::int64_t k = 0; k < w_.cols; ++k) sum += static_cast<double>(row[k]) * row[k] * input_.sums[static_cast<std::size_t>(k)];
      out[i] = static_cast<float>(sum);
    }
  }

 private:
  const float* row(std::int64_t index) {
    const std::int64_t block = index / kernels::panel_rows * kernels::panel_rows;  // a matrix in panels has whole ones
    const std::int64_t n = std::min<std::int64_t>(kernels::panel_rows, w_.rows - block);
    if (block != loaded_) kernels::dequantize_matrix(w_.slice(block, n), rows_.data(), w_.cols);
    loaded_ = block;
    return rows_.data() + (index - block) * w_.cols;
  }

  const kernels::Matrix& w_;
  const ImatrixEntry& input_;
  std::vector<float> rows_;
  std::int64_t loaded_ = -1;
};

const ImatrixEntry* find_shaped(const Imatrix& imatrix, const std::string& name, std::int64_t n_columns, DerivedEntries& report) {
  const ImatrixEntry* entry = imatrix.find(name);
  if (entry == nullptr) report.missing.push_back(name);
  if (entry != nullptr && (entry->counts.size() != 1 || entry->n_columns() != n_columns))
    fail(Status::invalid_argument,
         "entry {} has {} values for {} matrices, and the model's is one of {} columns: it was made for another model", name,
         entry->sums.size(), entry->counts.size(), n_columns);
  return entry;
}

ImatrixEntry derive_v_b(const std::string& name, const ImatrixEntry& kv_b, const CacheShape& s) {
  ImatrixEntry v_b{name, {}, std::vector<std::int64_t>(static_cast<std::size_t>(s.n_heads), kv_b.counts[0])};
  for (int head = 0; head < s.n_heads; ++head) v_b.sums.insert(v_b.sums.end(), kv_b.sums.begin(), kv_b.sums.end());
  return v_b;
}

ImatrixEntry derive_k_b(const std::string& name, const ImatrixEntry& q, const kernels::Matrix& w_q, const CacheShape& s) {
  ImatrixEntry k_b{name, std::vector<float>(static_cast<std::size_t>(s.n_heads) * static_cast<std::size_t>(s.n_nope)),
                   std::vector<std::int64_t>(static_cast<std::size_t>(s.n_heads), q.counts[0])};
  QueryStatistics queries(w_q, q);
  for (std::int64_t head = 0; head < s.n_heads; ++head)
    queries.sums(head * (s.n_nope + s.n_rope), s.n_nope, k_b.sums.data() + head * s.n_nope);
  return k_b;
}

}  // namespace

Imatrix load_imatrix(const std::string& path) { return format::read_imatrix(path); }

void save_imatrix(const std::string& path, const Imatrix& imatrix, ImatrixFormat format) {
  format == ImatrixFormat::gguf ? format::write_imatrix_gguf(path, imatrix) : format::write_imatrix_dat(path, imatrix);
}

void add_imatrix(Imatrix& into, const Imatrix& other) {
  Imatrix sum = into, part = other;
  count_rows(sum, part.chunk_tokens);
  count_rows(part, sum.chunk_tokens);
  for (ImatrixEntry& entry : part.entries) {
    const auto found = std::ranges::find(sum.entries, entry.name, &ImatrixEntry::name);
    if (found == sum.entries.end()) {
      sum.entries.push_back(std::move(entry));
      continue;
    }
    const std::size_t a = found->counts.size(), b = entry.counts.size();
    if (found->sums.size() != entry.sums.size() || (a != b && a != 1 && b != 1))
      fail(Status::invalid_argument,
           "entry {} has {} values for {} matrices in one file and {} for {} in another: they are not of one model", entry.name,
           found->sums.size(), a, entry.sums.size(), b);
    add_entry(*found, entry);
  }
  for (const std::string& dataset : part.datasets)
    if (std::ranges::find(sum.datasets, dataset) == sum.datasets.end()) sum.datasets.push_back(dataset);
  sum.n_chunks += part.n_chunks;
  into = std::move(sum);
}

std::vector<UnusedExperts> fill_unused(Imatrix& imatrix) {
  std::vector<UnusedExperts> all;
  for (ImatrixEntry& entry : imatrix.entries) {
    UnusedExperts unused{entry.name, {}, static_cast<int>(entry.counts.size()), false};
    for (std::size_t i = 0; i < entry.counts.size(); ++i)
      if (entry.counts[i] == 0) unused.experts.push_back(static_cast<int>(i));
    if (unused.experts.empty()) continue;
    unused.filled = unused.experts.size() < entry.counts.size() && !entry.name.ends_with("ffn_down_exps.weight");
    if (unused.filled) fill(entry);
    all.push_back(std::move(unused));
  }
  return all;
}

namespace model {

DerivedEntries derive_mla(Imatrix& imatrix, const LoadedModel& loaded) {
  const CacheShape& s = loaded.config.shape;
  DerivedEntries report;
  std::vector<ImatrixEntry> derived;
  for (std::size_t layer = 0; layer < loaded.layers.size(); ++layer) {
    const LayerWeights& w = loaded.layers[layer];
    const std::string prefix = fmt::format("blk.{}.attn_", layer), k_name = prefix + "k_b.weight", v_name = prefix + "v_b.weight";
    if (imatrix.find(v_name) == nullptr)
      if (const ImatrixEntry* kv_b = find_shaped(imatrix, prefix + "kv_b.weight", s.n_latent, report))
        derived.push_back(derive_v_b(v_name, *kv_b, s)), ++report.n_v_b;
    if (imatrix.find(k_name) == nullptr) {
      const kernels::Matrix& w_q = w.q ? w.q : w.q_b;
      if (const ImatrixEntry* q = find_shaped(imatrix, prefix + (w.q ? "q.weight" : "q_b.weight"), w_q.cols, report))
        derived.push_back(derive_k_b(k_name, *q, w_q, s)), ++report.n_k_b;
    }
  }
  std::ranges::move(derived, std::back_inserter(imatrix.entries));
  return report;
}

}  // namespace model
}  // namespace mla
