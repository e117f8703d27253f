// Importance matrices: how strongly each column of a weight matrix is driven, measured over a text. Quantisers round the columns that are
// driven most with the most care.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <mla/model.hpp>

namespace mla {

/// Of one tensor: sums of squared activations for each column of each of its matrices (experts, and heads of k_b and v_b, are matrices of
/// their own).
struct ImatrixEntry {
  std::string name;                  ///< the tensor's: "blk.0.attn_q_a.weight"
  std::vector<float> sums;           ///< [n_matrices, n_columns]; finite, not negative
  std::vector<std::int64_t> counts;  ///< [n_matrices]: rows of activations that were summed; 0: the matrix was never used

  std::int64_t n_columns() const noexcept { return static_cast<std::int64_t>(sums.size() / counts.size()); }
};

struct Imatrix {
  std::vector<ImatrixEntry> entries;
  std::vector<std::string> datasets;  ///< the texts' file names; the old format holds one
  std::uint32_t n_chunks = 0;         ///< pieces of text that were evaluated; 0: the file doesn't say
  std::uint32_t chunk_tokens = 0;     ///< tokens in each; the old format doesn't say

  /// nullptr: the tensor has no entry.
  const ImatrixEntry* find(std::string_view name) const noexcept;
};

/// The two kinds of file in use.
enum class ImatrixFormat : int {
  gguf = 0,  ///< sums and counts of each matrix
  dat = 1,   ///< the older one: means only; experts that were never used can't be told from others
};

/// Reads a file of either format. The old one doesn't say how many matrices a tensor has: such an entry is one matrix of all columns of all
/// of them, whose one count is that of the pieces of text.
/// Throws Error: not_found, io_error, bad_file (cut short, damaged, an entry twice, sums that are negative or not finite); names file and entry.
Imatrix load_imatrix(const std::string& path);

/// Throws Error(io_error) that names the file; a run that fails leaves no file, and one that was there before as it was.
void save_imatrix(const std::string& path, const Imatrix& imatrix, ImatrixFormat format);

/// Adds what another file measured on the same model. Counts of files of the old format are in pieces of text: they are taken as pieces of
/// the other's size, where that says it. Throws Error(invalid_argument) that names an entry of another shape; `into` is then as it was.
void add_imatrix(Imatrix& into, const Imatrix& other);

/// Experts of a tensor that no token went to.
struct UnusedExperts {
  std::string name;
  std::vector<int> experts;
  int n_experts = 0;
  bool filled = false;
};

/// What experts were never used; those of gate and up, which read what the others read, get the mean of the others, as if from one row. An
/// expert's down matrix reads what only that expert makes: it stays without data, and quantisers weigh its columns alike (docs/imatrix.md).
std::vector<UnusedExperts> fill_unused(Imatrix& imatrix);

/// What derive_mla() added.
struct DerivedEntries {
  int n_k_b = 0, n_v_b = 0;
  std::vector<std::string> missing;  ///< entries that it would have needed: "blk.0.attn_kv_b.weight"
};

/// Gives files that were measured on kv_b alone entries for k_b and v_b, in layers that have none. v_b's: the latent's statistics, kv_b's, for
/// each head; exact for the expanded form. k_b's: E[q²] of each column of q_nope from W_q and the statistics of W_q's input, as if its
/// columns were uncorrelated. docs/imatrix.md says how far both are from what is measured.
/// Throws Error(invalid_argument) that names an entry whose shape isn't the model's; `imatrix` is then as it was.
DerivedEntries derive_mla(Imatrix& imatrix, const Model& model);

/// Sums the squared inputs of a model's matrices over all that contexts with ContextOptions::collector decode. Used by one of them at a time.
class ImatrixCollector {
 public:
  explicit ImatrixCollector(std::shared_ptr<const Model> model);
  ~ImatrixCollector();
  ImatrixCollector(const ImatrixCollector&) = delete;
  ImatrixCollector& operator=(const ImatrixCollector&) = delete;

  const std::shared_ptr<const Model>& model() const noexcept;

  /// What was summed since the collector was made; an entry for each matrix that was used at all. Those of kv_b and k_b come in every attention
  /// mode: the latents and q_nope are their inputs, whichever form attention takes. v_b's come from the absorbed form (mode deepseek-mla);
  /// in the expanded one v_b is a part of kv_b. The output's entry holds the rows that asked for logits. A decode that failed may be
  /// summed in part. n_chunks, chunk_tokens and datasets are the caller's to fill.
  /// Throws Error(bad_file) that names the tensor if activations were not finite.
  Imatrix result() const;

  class Impl;  ///< for the library's own use
  Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace mla
