// Sequences from a state file: everything is checked and read into free pages before the cache changes.
#include <algorithm>
#include <cstring>

#include "cache/kv_cache_impl.hpp"
#include "cache/state_file.hpp"
#include "platform/checked.hpp"
#include "platform/checksum.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

using namespace cache;
using platform::checked_add;
using platform::checked_mul;

struct Tables {
  std::vector<StatePage> pages;
  std::vector<StateRow> rows;
  std::vector<StateSequence> sequences;
  std::vector<StateEntry> entries;
};

[[noreturn]] void fail_damaged(const std::string& name, const char* what) { fail(Status::bad_file, "{}: saved KV cache is damaged: {}", name, what); }

// Whether the counts make up the size that the file has; only then is memory taken for them.
bool sizes_agree(const StateHeader& h, std::uint64_t size) {
  std::optional<std::uint64_t> total = sizeof h;
  const auto add = [&](std::uint64_t count, std::optional<std::uint64_t> each) {
    const auto bytes = each ? checked_mul(count, *each) : std::nullopt;
    total = total && bytes ? checked_add(*total, *bytes) : std::nullopt;
  };
  add(h.n_pages, sizeof(StatePage) + sizeof(std::uint64_t));  // and the checksum of its rows
  add(h.n_rows, sizeof(StateRow));
  add(h.n_rows, checked_mul(h.n_layers, h.row_bytes));
  add(h.n_sequences, sizeof(StateSequence));
  add(h.n_entries, sizeof(StateEntry));
  return total == size && h.total_bytes == size;
}

template <typename T>
void read_table(StateSource& source, std::vector<T>& table, std::uint64_t n, platform::Checksum& sum) {
  table.resize(static_cast<std::size_t>(n));
  const auto bytes = std::as_writable_bytes(std::span(table));
  source.read(bytes);
  sum.update(bytes);
}

StateHeader read_header(StateSource& source) {
  StateHeader header{};
  if (source.size() >= sizeof header) source.read({reinterpret_cast<std::byte*>(&header), sizeof header});
  if (header.magic != state_magic) fail(Status::bad_file, "{}: not a saved KV cache", source.name());
  if (header.version != state_version)
    fail(Status::unsupported, "{}: saved KV cache of version {}, and this library reads version {}", source.name(), header.version, state_version);
  if (!sizes_agree(header, source.size())) fail_damaged(source.name(), "its size is not what its header says; was it cut off?");
  return header;
}

Tables read_tables(StateSource& source, const StateHeader& header) {
  StateHeader bare = header;
  bare.checksum = 0;
  platform::Checksum sum;
  sum.update(&bare, sizeof bare);
  Tables t;
  read_table(source, t.pages, header.n_pages, sum);
  read_table(source, t.rows, header.n_rows, sum);
  read_table(source, t.sequences, header.n_sequences, sum);
  read_table(source, t.entries, header.n_entries, sum);
  if (sum.value() != header.checksum) fail_damaged(source.name(), "the checksum of its tables is wrong");
  return t;
}

// The checksum keeps accidents out; these rules keep the cache's own, whoever made the file.
void check_tables(const Tables& t, const std::string& name) {
  std::vector<std::size_t> first_row{0};
  for (const StatePage& page : t.pages) first_row.push_back(first_row.back() + static_cast<std::size_t>(std::popcount(page.live)));
  if (first_row.back() != t.rows.size()) fail_damaged(name, "its pages don't add up");
  std::vector<std::uint64_t> held(t.pages.size(), 0);
  std::size_t next = 0;
  std::int64_t last_id = -1;
  for (const StateSequence& sequence : t.sequences) {
    if (sequence.id <= last_id || sequence.n_entries == 0 || sequence.n_entries > t.entries.size() - next) fail_damaged(name, "its sequences make no sense");
    last_id = sequence.id;
    std::int64_t last_position = -1;
    for (const StateEntry& entry : std::span(t.entries).subspan(next, sequence.n_entries)) {
      if (entry.page >= t.pages.size() || entry.live == 0 || (entry.live & ~t.pages[entry.page].live) != 0) fail_damaged(name, "its sequences refer to rows that aren't there");
      held[entry.page] |= entry.live;
      for (std::uint64_t live = entry.live; live != 0; live &= live - 1) {
        const std::uint64_t before = t.pages[entry.page].live & ((live & -live) - 1);
        const StateRow& row = t.rows[first_row[entry.page] + static_cast<std::size_t>(std::popcount(before))];
        if (row.position <= last_position || row.token < no_token) fail_damaged(name, "its rows are out of order");
        last_position = row.position;
      }
    }
    next += sequence.n_entries;
  }
  for (std::size_t i = 0; i < held.size(); ++i)
    if (held[i] != t.pages[i].live || held[i] == 0) fail_damaged(name, "rows belong to no sequence");
  if (next != t.entries.size()) fail_damaged(name, "its sequences don't add up");
}

}  // namespace

// Pages taken for a file; given back unless they are handed over.
struct KvCache::Impl::Loaded {
  Impl& cache;
  Tables tables;
  std::vector<int> pages;
  ~Loaded() {
    for (const int page : pages) cache.release_page(page);
  }
};

// Whether rows of the file are rows of this cache.
void KvCache::Impl::check_state(const StateHeader& h, const std::string& name) const {
  const bool latent = options.layout == CacheLayout::latent;
  const auto same = [](std::uint32_t stored, auto own) { return stored == static_cast<std::uint32_t>(own); };
  if (!same(h.n_layers, shape.n_layers) || !same(h.n_heads, shape.n_heads) || !same(h.n_nope, shape.n_nope) || !same(h.n_rope, shape.n_rope) ||
      !same(h.n_value, shape.n_value) || !same(h.n_latent, shape.n_latent))
    fail(Status::invalid_argument, "{}: saved KV cache of a model of another shape", name);
  if (!same(h.layout, options.layout) || !same(h.type_k, options.type_k) || !same(h.type_v, latent ? 0 : static_cast<int>(options.type_v)) ||
      h.row_bytes != format.bytes)
    fail(Status::invalid_argument, "{}: saved KV cache of another layout or row type: this cache is {}, {}{}{}", name, latent ? "latent" : "expanded",
         to_string(options.type_k), latent ? "" : "/", latent ? "" : to_string(options.type_v));
  if (h.fingerprint != 0 && model.fingerprint != 0 && h.fingerprint != model.fingerprint)
    fail(Status::invalid_argument, "{}: saved KV cache of another model", name);
  if (h.n_pages > static_cast<std::uint64_t>(max_pages_ - used_))
    fail(Status::cache_full, "{}: saved KV cache of {} pages, and {} of the cache's {} are free: remove sequences or make it with a larger n_ctx", name,
         h.n_pages, max_pages_ - used_, max_pages_);
}

bool KvCache::Impl::is_valid_page(int page, std::uint64_t live) noexcept {
  for (; live != 0; live &= live - 1)
    for (int layer = 0; layer < shape.n_layers; ++layer)
      if (!is_valid_row(format, row({page, std::countr_zero(live)}, layer))) return false;
  return true;
}

void KvCache::Impl::read_pages(StateSource& source, Loaded& loaded) {
  loaded.pages.reserve(loaded.tables.pages.size());
  const StateRow* stored = loaded.tables.rows.data();
  for (const StatePage& read : loaded.tables.pages) {
    loaded.pages.push_back(take_page());
    Page& page = pages_[static_cast<std::size_t>(loaded.pages.back())];
    for (std::uint64_t live = read.live; live != 0; live &= live - 1, ++stored) {
      const auto row = static_cast<std::size_t>(std::countr_zero(live));
      page.positions[row] = stored->position;
      page.tokens[row] = stored->token;
    }
    page.filled = 64 - std::countl_zero(read.live);
    platform::Checksum sum;
    for_each_piece(std::span(page.memory.data(), page_bytes()), read.live, static_cast<std::size_t>(shape.n_layers), format.bytes,
                   [&](std::span<std::byte> piece) {
                     source.read(piece);
                     sum.update(piece);
                   });
    std::uint64_t expected;
    source.read({reinterpret_cast<std::byte*>(&expected), sizeof expected});
    if (sum.value() != expected) fail_damaged(source.name(), "the checksum of its rows is wrong");
    if (!is_valid_page(loaded.pages.back(), read.live)) fail_damaged(source.name(), "it has rows that no cache writes");
  }
}

void KvCache::Impl::load(StateSource& source, SequenceId seq) {
  const StateHeader header = read_header(source);
  Loaded loaded{*this, read_tables(source, header), {}};
  if (seq != all_sequences && header.n_sequences != 1)
    fail(Status::invalid_argument, "{}: saved KV cache of {} sequences, where one is wanted: load all of them", source.name(), header.n_sequences);
  check_state(header, source.name());
  check_tables(loaded.tables, source.name());
  std::map<SequenceId, Sequence> read;
  const StateEntry* entry = loaded.tables.entries.data();
  read_pages(source, loaded);
  for (const StateSequence& stored : loaded.tables.sequences) {
    Sequence& sequence = read[seq == all_sequences ? stored.id : seq];
    for (std::uint32_t i = 0; i < stored.n_entries; ++i, ++entry) sequence.push_back({loaded.pages[entry->page], entry->live});
  }

  // Nothing fails from here on.
  for (const int page : loaded.pages) pages_[static_cast<std::size_t>(page)].refs = 0;
  for (const auto& [id, sequence] : read)
    for (const Entry& held : sequence) ++pages_[static_cast<std::size_t>(held.page)].refs;
  loaded.pages.clear();
  if (seq == all_sequences) clear();
  if (sequences_.empty() && model.fingerprint == 0) model.fingerprint = header.fingerprint;
  seq_rm(seq, 0, -1);
  sequences_.merge(read);
}

}  // namespace mla
