#include "perplexity/log_probs.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "common/program.hpp"
#include "common/statistics.hpp"

namespace program::perplexity {
namespace {

static_assert(std::endian::native == std::endian::little, "the file holds numbers as this machine does");

constexpr char magic[] = {'_', 'l', 'o', 'g', 'i', 't', 's', '_'};
using Sizes = std::array<std::int32_t, 3>;  // n_ctx, n_vocab, n_windows
constexpr float deepest = 24;               // below the largest logit
constexpr float steps = 65535;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Failure(path + ": " + why + "; make it with --kl-divergence-base from the model to compare with");
}

}  // namespace

void make_record(std::span<const float> logits, std::span<std::byte> record) {
  const auto [low, high] = std::minmax_element(logits.begin(), logits.end());
  const float top = *high, bottom = std::max(*low, top - deepest), scale = (top - bottom) / steps;
  const auto least = static_cast<float>(static_cast<double>(bottom) - log_sum_exp(logits));
  std::memset(record.data(), 0, record.size());
  std::memcpy(record.data(), &scale, sizeof scale);
  std::memcpy(record.data() + sizeof scale, &least, sizeof least);
  if (!(scale > 0)) return;
  std::byte* out = record.data() + 2 * sizeof(float);
  for (const float logit : logits) {
    const auto code = static_cast<std::uint16_t>(logit > bottom ? std::min(steps, std::nearbyint((logit - bottom) / scale)) : 0.0f);
    std::memcpy(out, &code, sizeof code);
    out += sizeof code;
  }
}

LogProbs read_record(std::span<const std::byte> record, std::size_t n_vocab) noexcept {
  LogProbs p{0, 0, {reinterpret_cast<const std::uint16_t*>(record.data() + 2 * sizeof(float)), n_vocab}};
  std::memcpy(&p.scale, record.data(), sizeof p.scale);
  std::memcpy(&p.least, record.data() + sizeof p.scale, sizeof p.least);
  return p;
}

LogProbsWriter::LogProbsWriter(const std::string& path, const Windows& windows, int n_vocab) : file_(path) {
  const Sizes sizes{windows.n_ctx, n_vocab, static_cast<std::int32_t>(windows.count())};
  file_.write(magic, sizeof magic);
  file_.write(sizes.data(), sizeof sizes);
  file_.write(windows.tokens.data(), windows.tokens.size() * sizeof(mla::Token));
}

LogProbsReader::LogProbsReader(const std::string& path, int n_vocab) : path_(path), file_(path, std::ios::binary) {
  if (!file_) throw Failure("cannot open " + path + ": " + std::strerror(errno));
  char head[sizeof magic];
  Sizes sizes{};
  if (!file_.read(head, sizeof head) || std::memcmp(head, magic, sizeof magic) != 0) refuse(path, "this isn't a file of log-probabilities");
  if (!file_.read(reinterpret_cast<char*>(sizes.data()), sizeof sizes)) refuse(path, "it ends within its header");
  const auto [n_ctx, vocabulary, n_windows] = sizes;
  if (n_ctx < 4 || n_ctx > (1 << 20) || n_windows < 1) refuse(path, fmt::format("{} windows of {} tokens can't be", n_windows, n_ctx));
  if (vocabulary != n_vocab) refuse(path, fmt::format("it is of a vocabulary of {} tokens, and the model has {}", vocabulary, n_vocab));
  windows_.n_ctx = n_ctx;
  const std::uint64_t bytes_of_window =
      static_cast<std::uint64_t>(n_ctx) * sizeof(mla::Token) + windows_.n_scored() * record_bytes(static_cast<std::size_t>(n_vocab));
  const auto begin = file_.tellg();
  file_.seekg(0, std::ios::end);
  const auto held = static_cast<std::uint64_t>(file_.tellg() - begin);
  file_.seekg(begin);
  if (!file_ || held % bytes_of_window != 0 || held / bytes_of_window != static_cast<std::uint64_t>(n_windows))
    refuse(path, fmt::format("{} windows of {} tokens don't take the {} bytes behind its header: it is cut off or damaged", n_windows,
                             n_ctx, held));
  windows_.tokens.resize(static_cast<std::size_t>(n_windows) * static_cast<std::size_t>(n_ctx));
  read(std::as_writable_bytes(std::span(windows_.tokens)));
  for (const mla::Token token : windows_.tokens)
    if (token < 0 || token >= n_vocab) refuse(path, fmt::format("its text has a token {}, and the model has {}", token, n_vocab));
}

void LogProbsReader::read(std::span<std::byte> records) {
  errno = 0;
  if (!file_.read(reinterpret_cast<char*>(records.data()), static_cast<std::streamsize>(records.size())))
    throw Failure("cannot read " + path_ + ": " + (errno != 0 ? std::strerror(errno) : "it has become shorter"));
}

}  // namespace program::perplexity
