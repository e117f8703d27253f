// Context shift: positions of a sequence move, and the rope part of its rows is turned by as much.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cache/kv_cache_impl.hpp"
#include "kernels/elementwise.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace cache {
namespace {

// Turns the rope part of rows by a number of positions. Keys were rotated by position · frequency, and rotations add up.
class Rotation {
 public:
  Rotation(const RowPart& part, const std::vector<double>& frequencies, Position delta) : part_(part), values_(static_cast<std::size_t>(part.width)) {
    for (const double frequency : frequencies) {
      cosines_.push_back(static_cast<float>(std::cos(delta * frequency)));
      sines_.push_back(static_cast<float>(std::sin(delta * frequency)));
    }
  }

  void apply(std::byte* row) {
    read_part(part_, row, 0, part_.width, values_.data());
    kernels::rope_interleaved(values_.data(), cosines_.data(), sines_.data(), part_.width / 2);
    write_part(part_, values_.data(), row);
  }

 private:
  const RowPart& part_;
  std::vector<float> values_, cosines_, sines_;
};

}  // namespace
}  // namespace cache

// Throws if the sequence's positions would not be rising numbers from 0 any more.
void KvCache::Impl::check_shift(SequenceId seq, const Sequence& sequence, Position p0, Position p1, Position delta) const {
  std::int64_t last = -1;
  for (const Entry& entry : sequence)
    for (std::uint64_t live = entry.live; live != 0; live &= live - 1) {
      const Position position = pages_[static_cast<std::size_t>(entry.page)].positions[static_cast<std::size_t>(std::countr_zero(live))];
      const bool moves = position >= p0 && (p1 < 0 || position < p1);
      const std::int64_t moved = std::int64_t{position} + (moves ? delta : 0);
      if (moved < 0 || moved > std::numeric_limits<Position>::max())
        fail(Status::invalid_argument, "position {} of sequence {} would become {}", position, seq, moved);
      if (moved <= last)
        fail(Status::invalid_argument, "position {} of sequence {} would become {}, and there is one at {} before it: remove that with seq_rm first",
             position, seq, moved, last);
      last = moved;
    }
}

// Gives the sequence copies of its own of shared pages with rows in the range; all of them, or none if memory is missing.
void KvCache::Impl::unshare(Sequence& sequence, Position p0, Position p1) {
  std::vector<Entry> own = sequence;
  try {
    for (Entry& entry : own)
      if (pages_[static_cast<std::size_t>(entry.page)].refs > 1 && rows_between(entry, p0, p1) != 0)
        entry = {copy_live_rows(entry), ~std::uint64_t{0} >> (page_rows - std::popcount(entry.live))};
  } catch (...) {
    for (std::size_t i = 0; i < own.size(); ++i)
      if (own[i].page != sequence[i].page) release_page(own[i].page);
    throw;
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i].page != sequence[i].page) release_page(sequence[i].page);
    sequence[i] = own[i];
  }
}

void KvCache::Impl::seq_add(SequenceId seq, Position p0, Position p1, Position delta) {
  const auto found = sequences_.find(seq);
  if (found == sequences_.end() || delta == 0) return;
  if (model.rope_frequencies.empty())
    fail(Status::invalid_argument, "the cache doesn't know how its model rotates keys: bind() it to the model before seq_add()");
  check_shift(seq, found->second, p0, p1, delta);
  cache::Rotation rotation(format.rope, model.rope_frequencies, delta);
  unshare(found->second, p0, p1);  // the last thing that can fail
  for (const Entry& entry : found->second)
    for (std::uint64_t rows = rows_between(entry, p0, p1); rows != 0; rows &= rows - 1) {
      const int row = std::countr_zero(rows);
      pages_[static_cast<std::size_t>(entry.page)].positions[static_cast<std::size_t>(row)] += delta;
      for (int layer = 0; layer < shape.n_layers; ++layer) rotation.apply(this->row({entry.page, row}, layer));
    }
}

}  // namespace mla
