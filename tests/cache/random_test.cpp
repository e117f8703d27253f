// Whatever is done to a cache, its sequences are what a simple model of them says, and no page is lost.
#include <algorithm>
#include <mla/error.hpp>
#include <random>

#include "marked_rows.hpp"

using namespace mla;

namespace {

constexpr int n_sequences = 6;

// A cache, and what each of its sequences should hold.
class Pair {
 public:
  explicit Pair(unsigned seed) : cache_(small, options), random_(seed) { cache_.bind({{1.0, 0.1, 0.01, 0.001}, 7}); }

  void step() {
    const SequenceId seq = pick(n_sequences), other = (seq + 1 + pick(n_sequences - 1)) % n_sequences;
    const Position p0 = pick(200), p1 = pick(4) == 0 ? -1 : p0 + pick(100);
    switch (pick(16)) {
      case 0: return remove(seq, p0, p1);
      case 1: return copy(seq, other, p0 / 2, p1);
      case 2: return pick(20) == 0 ? keep(seq) : defrag();
      case 3: return shift(seq, p0, p1, pick(3) == 0 ? -pick(50) : pick(50));
      case 4: return save_and_load(seq, other);
      case 5: return reuse(seq, other);
      case 6: return pick(40) == 0 ? clear() : remove(seq, p0, p0 + 3);
      default: return append(seq, 1 + pick(40), pick(5) != 0);
    }
  }

  void check() {
    for (SequenceId seq = 0; seq < n_sequences; ++seq) {
      const Rows& expected = model_[seq];
      REQUIRE(contents(cache_, seq) == expected);
      REQUIRE(cache_.seq_len(seq) == static_cast<int>(expected.size()));
      REQUIRE(cache_.seq_pos_min(seq) == (expected.empty() ? -1 : expected.begin()->first));
      REQUIRE(cache_.seq_pos_max(seq) == (expected.empty() ? -1 : expected.rbegin()->first));
    }
  }

  // No page is in use that no sequence refers to, and all can be had.
  void check_pages() {
    clear();
    REQUIRE(cache_.bytes() == 0);
    KvCache::Impl::Transaction transaction(cache_.impl());
    for (Position p = 0; p < options.n_ctx; ++p) add(transaction, cache_.impl(), 0, p, 1);
    REQUIRE(cache_.n_pages_used() == cache_.n_pages());
  }

 private:
  using Rows = std::map<Position, std::uint16_t>;
  static inline const KvCacheOptions options{.n_ctx = 64 * 24, .type_k = CacheType::f16};

  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  static bool within(Position p, Position p0, Position p1) { return p >= p0 && (p1 < 0 || p < p1); }
  // Tokens are as good as marks: rows with the same mark in the same place may be shared.
  static Token token_of(std::uint16_t mark) { return mark; }

  // Runs a call that may find the cache full, which must then be as it was.
  template <typename Call>
  bool succeeds(Call&& call) {
    try {
      call();
      return true;
    } catch (const Error& error) {
      REQUIRE(error.status() == Status::cache_full);
      check();
      return false;
    }
  }

  void remove(SequenceId seq, Position p0, Position p1) {
    const bool had = std::erase_if(model_[seq], [&](const auto& row) { return within(row.first, p0, p1); }) > 0;
    REQUIRE(cache_.seq_rm(seq, p0, p1) == had);
  }

  void copy(SequenceId from, SequenceId to, Position p0, Position p1) {
    cache_.seq_cp(from, to, p0, p1);
    model_[to] = model_[from];
    std::erase_if(model_[to], [&](const auto& row) { return !within(row.first, p0, p1); });
  }

  void keep(SequenceId seq) {
    cache_.seq_keep(seq);
    for (SequenceId other = 0; other < n_sequences; ++other)
      if (other != seq) model_[other].clear();
  }

  void defrag() {
    const int before = cache_.n_pages_used();
    cache_.defrag();
    REQUIRE(cache_.n_pages_used() <= before);
  }

  void clear() {
    cache_.clear();
    for (Rows& rows : model_) rows.clear();
  }

  void shift(SequenceId seq, Position p0, Position p1, Position delta) {
    Rows moved;
    std::vector<Position> order;
    for (const auto& [position, mark] : model_[seq]) {
      order.push_back(position + (within(position, p0, p1) ? delta : 0));
      moved[order.back()] = mark;
    }
    const bool possible = delta == 0 || (std::ranges::is_sorted(order, std::ranges::less_equal{}) && (order.empty() || order.front() >= 0));
    if (!possible) {
      REQUIRE_THROWS_AS(cache_.seq_add(seq, p0, p1, delta), Error);
      return check();
    }
    if (succeeds([&] { cache_.seq_add(seq, p0, p1, delta); })) model_[seq] = moved;
  }

  void save_and_load(SequenceId seq, SequenceId other) {
    if (pick(3) == 0) {  // all, into a new cache that takes the place of this one
      KvCache loaded(small, options);
      loaded.load(cache_.save());
      loaded.bind(cache_.impl().model);
      cache_ = std::move(loaded);
    } else if (!model_[seq].empty()) {
      const auto state = cache_.save(seq);
      if (succeeds([&] { cache_.load(state, other); })) model_[other] = model_[seq];
    }
  }

  // A sequence that begins like another, up to some row.
  void reuse(SequenceId seq, SequenceId to) {
    std::vector<Token> tokens;
    for (const auto& [position, mark] : model_[seq]) {
      if (position != static_cast<Position>(tokens.size())) break;
      tokens.push_back(token_of(mark));
    }
    const int n = static_cast<int>(tokens.size());
    if (n > 0) tokens.resize(static_cast<std::size_t>(pick(n + 1)));
    Rows expected = model_[seq];
    std::erase_if(expected, [&](const auto& row) { return row.first >= static_cast<Position>(tokens.size()); });
    REQUIRE(cache_.reuse_prefix(to, tokens) == static_cast<int>(tokens.size()));
    model_[to] = expected;
  }

  void append(SequenceId seq, int n, bool commit) {
    Rows changed = model_[seq];
    const Position last = changed.empty() ? -1 : changed.rbegin()->first;
    const bool fits = succeeds([&] {
      KvCache::Impl::Transaction transaction(cache_.impl());
      for (int i = 1; i <= n; ++i) {
        const auto mark = static_cast<std::uint16_t>(random_());
        add(transaction, cache_.impl(), seq, last + i, mark, token_of(mark));
        changed[last + i] = mark;
      }
      if (commit) transaction.commit();
    });
    if (fits && commit) model_[seq] = changed;
    if (!fits) remove(seq, 0, -1);  // make room
  }

  KvCache cache_;
  std::array<Rows, n_sequences> model_;
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("10,000 random operations agree with a simple model of sequences") {
  for (const unsigned seed : {1u, 2u, 3u}) {
    Pair pair(seed);
    for (int step = 0; step < 10000; ++step) {
      INFO("seed " << seed << ", step " << step);
      pair.step();
      if (step % 20 == 0) pair.check();
    }
    pair.check();
    pair.check_pages();
  }
}
