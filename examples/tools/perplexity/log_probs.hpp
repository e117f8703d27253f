// Saved log-probabilities of a model over a text, in the format that llama-perplexity writes and reads (docs/perplexity.md):
// "_logits_", n_ctx, n_vocab, n_windows (32 bits each), the tokens [n_windows, n_ctx], then a record for each scored position of each
// window: a scale and the least value as floats, and for each token of the vocabulary 16 bits, value = least + scale · code.
#pragma once
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>

#include "common/output_file.hpp"
#include "common/windows.hpp"

namespace program::perplexity {

/// One record: log-probabilities of a vocabulary in 16 bits each. A code of 0 says only "at most this".
struct LogProbs {
  float scale, least;
  std::span<const std::uint16_t> codes;  ///< [n_vocab]
};

/// Bytes of a record: two floats, the codes, and 16 bits more for a vocabulary of odd size.
constexpr std::size_t record_bytes(std::size_t n_vocab) noexcept {
  return 2 * sizeof(float) + (n_vocab + n_vocab % 2) * sizeof(std::uint16_t);
}

/// Rounds the logits of one position into a record. Values more than 24 below the largest become code 0.
void make_record(std::span<const float> logits, std::span<std::byte> record);
LogProbs read_record(std::span<const std::byte> record, std::size_t n_vocab) noexcept;

class LogProbsWriter {
 public:
  LogProbsWriter(const std::string& path, const Windows& windows, int n_vocab);
  void write(std::span<const std::byte> records) { file_.write(records.data(), records.size()); }
  void finish() { file_.finish(); }

 private:
  OutputFile file_;
};

/// Throws Failure that names the file, also where it isn't one of this model's vocabulary or of another length than it says.
class LogProbsReader {
 public:
  LogProbsReader(const std::string& path, int n_vocab);
  const Windows& windows() const noexcept { return windows_; }
  void read(std::span<std::byte> records);  ///< the next ones

 private:
  std::string path_;
  std::ifstream file_;
  Windows windows_;
};

}  // namespace program::perplexity
