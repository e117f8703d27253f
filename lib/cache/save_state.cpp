// Sequences to a state file.
#include <cstring>

#include "cache/kv_cache_impl.hpp"
#include "cache/state_file.hpp"
#include "platform/checksum.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

using namespace cache;

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

// The tables of the file, and the cache's own numbers of its pages.
struct KvCache::Impl::SavePlan {
  std::vector<int> page_numbers;
  std::vector<StatePage> pages;  // in the order in which sequences first refer to them
  std::vector<StateRow> rows;
  std::vector<StateSequence> sequences;
  std::vector<StateEntry> entries;
};

KvCache::Impl::SavePlan KvCache::Impl::plan_save(SequenceId seq) const {
  SavePlan plan;
  std::vector<int> numbers(pages_.size(), -1);
  for (const auto& [id, sequence] : sequences_) {
    if (seq != all_sequences && id != seq) continue;
    plan.sequences.push_back({id, static_cast<std::uint32_t>(sequence.size())});
    for (const Entry& entry : sequence) {
      int& number = numbers[static_cast<std::size_t>(entry.page)];
      if (number < 0) {
        number = static_cast<int>(plan.pages.size());
        plan.pages.push_back({0});
        plan.page_numbers.push_back(entry.page);
      }
      plan.pages[static_cast<std::size_t>(number)].live |= entry.live;
      plan.entries.push_back({static_cast<std::uint32_t>(number), 0, entry.live});
    }
  }
  if (seq != all_sequences && plan.sequences.empty()) fail(Status::invalid_argument, "sequence {} is empty: there is nothing to save", seq);
  for (std::size_t i = 0; i < plan.pages.size(); ++i) {
    const Page& page = pages_[static_cast<std::size_t>(plan.page_numbers[i])];
    for (std::uint64_t live = plan.pages[i].live; live != 0; live &= live - 1) {
      const auto row = static_cast<std::size_t>(std::countr_zero(live));
      plan.rows.push_back({page.positions[row], page.tokens[row]});
    }
  }
  return plan;
}

void KvCache::Impl::save(StateSink& sink, SequenceId seq) const {
  const SavePlan plan = plan_save(seq);
  const auto u32 = [](auto value) { return static_cast<std::uint32_t>(value); };
  const bool latent = options.layout == CacheLayout::latent;
  StateHeader header{state_magic, state_version, u32(shape.n_layers), u32(shape.n_heads), u32(shape.n_nope), u32(shape.n_rope), u32(shape.n_value),
                     u32(shape.n_latent), u32(options.layout), u32(options.type_k), latent ? 0 : u32(options.type_v), format.bytes, model.fingerprint,
                     plan.pages.size(), plan.rows.size(), plan.sequences.size(), plan.entries.size(), 0, 0};
  const std::span<const std::byte> tables[] = {bytes_of(plan.pages), bytes_of(plan.rows), bytes_of(plan.sequences), bytes_of(plan.entries)};
  header.total_bytes = sizeof header + plan.pages.size() * sizeof(std::uint64_t) + plan.rows.size() * (page_bytes() / page_rows);
  for (const auto& table : tables) header.total_bytes += table.size();
  platform::Checksum sum;
  sum.update(&header, sizeof header);
  for (const auto& table : tables) sum.update(table);
  header.checksum = sum.value();

  sink.reserve(header.total_bytes);
  sink.write({reinterpret_cast<const std::byte*>(&header), sizeof header});
  for (const auto& table : tables) sink.write(table);
  for (std::size_t i = 0; i < plan.pages.size(); ++i) {
    const std::span<const std::byte> page{pages_[static_cast<std::size_t>(plan.page_numbers[i])].memory.data(), page_bytes()};
    platform::Checksum rows;
    for_each_piece(page, plan.pages[i].live, static_cast<std::size_t>(shape.n_layers), format.bytes, [&](std::span<const std::byte> piece) {
      rows.update(piece);
      sink.write(piece);
    });
    const std::uint64_t value = rows.value();
    sink.write({reinterpret_cast<const std::byte*>(&value), sizeof value});
  }
}

}  // namespace mla
