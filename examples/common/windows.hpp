// The windows that a text is cut into, and their way through a model.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <mla/model.hpp>

#include "common/rows.hpp"

namespace program {

/// n_ctx tokens each, one behind the other; the logits of positions first_scored() … n_ctx - 2 say how likely the next token was.
struct Windows {
  int n_ctx = 0;
  std::vector<mla::Token> tokens;  ///< [n, n_ctx]
  bool whole = false;              ///< the last token is computed too, though it has nothing to predict
  bool all_logits = false;         ///< logits of all computed tokens are asked for, though only those of scored positions are compared

  std::size_t count() const noexcept { return tokens.size() / static_cast<std::size_t>(n_ctx); }
  std::size_t first_scored() const noexcept { return static_cast<std::size_t>(n_ctx) / 2; }
  std::size_t n_scored() const noexcept { return static_cast<std::size_t>(n_ctx) - 1 - first_scored(); }
  bool is_scored(std::size_t i) const noexcept { return i >= first_scored() && i < first_scored() + n_scored(); }
  std::size_t n_fed() const noexcept { return static_cast<std::size_t>(n_ctx) - (whole ? 0 : 1); }  ///< tokens computed
  std::span<const mla::Token> operator[](std::size_t w) const noexcept {
    return std::span(tokens).subspan(w * static_cast<std::size_t>(n_ctx), static_cast<std::size_t>(n_ctx));
  }
};

/// As many windows as the text fills, `most` at most (0: all). Throws Failure if it fills none; `name` is the text's.
Windows cut_windows(const std::string& text, const std::string& name, int n_ctx, int most, const mla::Tokenizer& tokenizer);

inline constexpr mla::Token not_scored = -1;

/// Windows that go through the model together: as many as fit a decode call.
std::size_t windows_at_once(const Windows& windows, std::size_t n_batch) noexcept;
/// Rows that the cache must have for it.
int cache_rows(const Windows& windows, std::size_t n_batch);

/// Runs all windows, and calls use(piece, next) for each decode call that gave logits, in the order of the text: `next` are the tokens that
/// followed piece.rows(), or not_scored. `done` hears after each call how many of the tokens are through.
void run_windows(const Windows& windows, const mla::Tokenizer& tokenizer, Scorer& scorer,
                 const std::function<void(const Piece& piece, std::span<const mla::Token> next)>& use,
                 const std::function<void(std::uint64_t)>& done);

}  // namespace program
