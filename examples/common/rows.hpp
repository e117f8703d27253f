// Rows of a batch through a model, piece by piece, and what is done with their logits.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <mla/context.hpp>

#include "common/model_options.hpp"

namespace program {

/// What one decode call gave.
class Piece {
 public:
  Piece(const mla::Context& context, mla::ThreadPool& pool, std::size_t begin, std::size_t end, std::vector<std::size_t> rows)
      : context_(context), pool_(pool), begin_(begin), end_(end), rows_(std::move(rows)) {}

  std::size_t end() const noexcept { return end_; }                           ///< rows done, this piece's included
  const std::vector<std::size_t>& rows() const noexcept { return rows_; }     ///< those that asked for logits
  std::span<const float> logits(std::size_t i) const { return context_.logits(static_cast<int>(rows_[i] - begin_)); }  ///< of rows()[i]
  /// Calls use(i, logits(i)) for each i of rows(), on all threads.
  void for_each(const std::function<void(std::size_t i, std::span<const float> logits)>& use) const;

 private:
  const mla::Context& context_;
  mla::ThreadPool& pool_;
  std::size_t begin_, end_;
  std::vector<std::size_t> rows_;
};

/// A context, and the threads that it shares with those who look at its logits.
class Scorer {
 public:
  /// n_batch: rows of one decode call; n_ctx: rows of the cache. The collector may be null.
  Scorer(std::shared_ptr<const mla::Model> model, const ModelFlags& flags, std::size_t n_batch, int n_ctx,
         std::shared_ptr<mla::ImatrixCollector> collector = nullptr);

  void decode(const mla::Batch& rows, const std::function<void(const Piece&)>& use);

  mla::KvCache& cache() noexcept { return context_.cache(); }
  std::size_t n_batch() const noexcept { return n_batch_; }

 private:
  std::size_t n_batch_;
  std::shared_ptr<mla::ThreadPool> pool_;
  mla::Context context_;
};

/// Rows of cache that a sequence of n tokens takes: whole pages.
constexpr std::size_t cache_rows(std::size_t n) noexcept {
  constexpr std::size_t page = mla::KvCache::page_rows;
  return (n + page - 1) / page * page;
}

}  // namespace program
