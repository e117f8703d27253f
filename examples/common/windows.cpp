#include "common/windows.hpp"

#include <algorithm>

#include "common/program.hpp"

namespace program {

Windows cut_windows(const std::string& text, const std::string& name, int n_ctx, int most, const mla::Tokenizer& tokenizer) {
  if (n_ctx < 4) throw Failure("-c " + std::to_string(n_ctx) + ": a window has at least 4 tokens");
  Windows windows{n_ctx, tokenizer.encode(text)};
  std::size_t n = windows.count();
  if (n == 0)
    throw Failure(name + " has " + std::to_string(windows.tokens.size()) + " tokens, less than one window of " +
                           std::to_string(n_ctx) + ": take a longer text or a smaller -c");
  if (most > 0) n = std::min(n, static_cast<std::size_t>(most));
  windows.tokens.resize(n * static_cast<std::size_t>(n_ctx));
  return windows;
}

std::size_t windows_at_once(const Windows& windows, std::size_t n_batch) noexcept {
  return std::clamp<std::size_t>(n_batch / windows.n_fed(), 1, windows.count());
}

int cache_rows(const Windows& windows, std::size_t n_batch) {
  return static_cast<int>(windows_at_once(windows, n_batch) * cache_rows(windows.n_fed()));
}

void run_windows(const Windows& windows, const mla::Tokenizer& tokenizer, Scorer& scorer,
         const std::function<void(const Piece&, std::span<const mla::Token>)>& use, const std::function<void(std::uint64_t)>& done) {
  const std::size_t at_once = windows_at_once(windows, scorer.n_batch()), n_fed = windows.n_fed();
  mla::Batch rows;
  std::vector<mla::Token> next;
  for (std::size_t first = 0; first < windows.count(); first += at_once) {
    const std::size_t end = std::min(windows.count(), first + at_once);
    rows.clear();
    for (std::size_t w = first; w < end; ++w)
      for (std::size_t i = 0; i < n_fed; ++i) {
        const bool begins = i == 0 && tokenizer.add_bos();  // every window begins as a text does
        rows.add(begins ? tokenizer.bos() : windows[w][i], static_cast<mla::Position>(i), static_cast<mla::SequenceId>(w - first),
                 windows.all_logits || windows.is_scored(i));
      }
    scorer.cache().clear();
    scorer.decode(rows, [&](const Piece& piece) {
      next.clear();
      for (const std::size_t row : piece.rows()) {
        const std::size_t i = row % n_fed;
        next.push_back(windows.is_scored(i) ? windows[first + row / n_fed][i + 1] : not_scored);
      }
      if (!next.empty()) use(piece, next);
      done(first * n_fed + piece.end());
    });
  }
}

}  // namespace program
