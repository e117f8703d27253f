// defrag(): fewer pages, the same rows, and memory that goes back to the allocator.
#include <mla/error.hpp>

#include "marked_rows.hpp"

using namespace mla;

namespace {

class CountingAllocator : public Allocator {
 public:
  void* allocate(std::size_t n, std::size_t alignment) noexcept override {
    bytes += n;
    return memory_->allocate(n, alignment);
  }
  void deallocate(void* memory, std::size_t n) noexcept override {
    bytes -= n;
    memory_->deallocate(memory, n);
  }
  std::uint64_t bytes = 0;

 private:
  std::shared_ptr<Allocator> memory_ = default_allocator();
};

void fill(KvCache& cache, SequenceId seq, Position first, Position end) {
  for (Position p = first; p < end; ++p) add(cache, seq, p, static_cast<std::uint16_t>(8 * p + seq));
}

}  // namespace

TEST_CASE("defrag packs what is left of a sequence and gives the other pages back") {
  const auto allocator = std::make_shared<CountingAllocator>();
  KvCache cache(small, {.n_ctx = 64 * 10, .allocator = allocator});
  fill(cache, 0, 0, 600);
  for (Position p = 0; p < 600; p += 4) cache.seq_rm(0, p, p + 3);  // every fourth stays
  REQUIRE(cache.n_pages_used() == 10);
  const auto before = contents(cache, 0);
  REQUIRE(before.size() == 150);
  cache.defrag();
  CHECK(contents(cache, 0) == before);
  CHECK(cache.n_pages_used() == 3);
  CHECK(cache.bytes() == 3 * 64 * cache.row_bytes());
  CHECK(allocator->bytes == cache.bytes());
  fill(cache, 0, 600, 600 + 7 * 64 + 42);  // all rows can be used again
  CHECK(cache.n_pages_used() == 10);
  CHECK(allocator->bytes == cache.bytes());
  CHECK_THROWS_AS(fill(cache, 0, 2000, 2001), Error);
  cache.clear();
  CHECK(allocator->bytes > 0);  // kept for reuse until
  cache.defrag();
  CHECK(allocator->bytes == 0);
  fill(cache, 3, 0, 65);
  CHECK(cache.n_pages_used() == 2);
}

TEST_CASE("defrag closes the gaps of a single page, unless its holders have different ones") {
  KvCache cache(small, {.n_ctx = 64});
  fill(cache, 0, 0, 64);
  cache.seq_rm(0, 10, 40);
  CHECK_THROWS_AS(fill(cache, 0, 64, 65), Error);
  const auto before = contents(cache, 0);
  cache.seq_cp(0, 1, 0, 50);
  cache.defrag();
  CHECK(contents(cache, 0) == before);
  cache.seq_rm(1);
  cache.defrag();
  CHECK(contents(cache, 0) == before);
  fill(cache, 0, 64, 64 + 30);
  CHECK(cache.seq_len(0) == 64);
  CHECK_THROWS_AS(fill(cache, 0, 94, 95), Error);
}

TEST_CASE("defrag packs pages that are shared alike and leaves those that are not") {
  KvCache cache(small, {.n_ctx = 64 * 20});
  fill(cache, 0, 0, 64 * 6);
  cache.seq_rm(0, 10, 180);  // pages 0 and 2 are left with 10 and 12 rows, page 1 with none
  cache.seq_cp(0, 1);
  cache.seq_cp(0, 2, 320, -1);                   // holds the last page, too
  fill(cache, 1, 64 * 6, 64 * 6 + 10);  // and 1 goes on alone
  const auto zero = contents(cache, 0), one = contents(cache, 1), two = contents(cache, 2);
  REQUIRE(cache.n_pages_used() == 6);
  cache.defrag();
  CHECK(cache.n_pages_used() == 5 + 0);  // 10 + 12 + 2 · 64 rows in three pages, the page of all three sequences, the page of 1
  CHECK(contents(cache, 0) == zero);
  CHECK(contents(cache, 1) == one);
  CHECK(contents(cache, 2) == two);
  cache.seq_rm(1, 200, 250);  // now 0 and 1 hold different rows of a page: nothing may move
  const auto less = contents(cache, 1);
  cache.defrag();
  CHECK(cache.n_pages_used() == 5);
  CHECK(contents(cache, 0) == zero);
  CHECK(contents(cache, 1) == less);
}

TEST_CASE("defrag keeps the order of rows where a sequence has a page between two that others hold together") {
  KvCache cache(small, {.n_ctx = 64 * 20});
  fill(cache, 0, 0, 64 * 3);
  cache.seq_cp(0, 1);
  for (const SequenceId seq : {0, 1}) cache.seq_rm(seq, 20, 60), cache.seq_rm(seq, 150, 180);
  cache.seq_rm(1, 64, 128);  // 0 has page 1 between, 1 has not
  const auto zero = contents(cache, 0), one = contents(cache, 1);
  cache.defrag();
  CHECK(contents(cache, 0) == zero);
  CHECK(contents(cache, 1) == one);
  CHECK(cache.seq_pos_max(0) == 191);
  CHECK(cache.seq_pos_min(1) == 0);
}
