#include "server/disk_cache.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <mla/error.hpp>

#include "common/program.hpp"

namespace server {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view magic = "mla-ids\n";
constexpr std::size_t most_tokens = std::size_t{1} << 24;

// FNV-1a over the bytes of the ids.
std::uint64_t hash_of(PrefixTree::Tokens tokens) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : std::as_bytes(tokens)) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
  return hash;
}

std::optional<std::vector<mla::Token>> read_tokens(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size <= magic.size() || size > magic.size() + most_tokens * sizeof(mla::Token) ||
      (size - magic.size()) % sizeof(mla::Token) != 0)
    return {};
  std::ifstream file(path, std::ios::binary);
  std::string head(magic.size(), '\0');
  std::vector<mla::Token> tokens((size - magic.size()) / sizeof(mla::Token));
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  file.read(reinterpret_cast<char*>(tokens.data()), static_cast<std::streamsize>(tokens.size() * sizeof(mla::Token)));
  if (!file || head != magic || std::ranges::any_of(tokens, [](mla::Token token) { return token < 0; })) return {};
  return tokens;
}

void write_tokens(const fs::path& path, PrefixTree::Tokens tokens) {
  const fs::path part = path.string() + ".part";
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file << magic;
  file.write(reinterpret_cast<const char*>(tokens.data()), static_cast<std::streamsize>(tokens.size_bytes()));
  file.close();
  if (!file) throw program::Failure("cannot write " + part.string());
  fs::rename(part, path);
}

void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

}  // namespace

DiskCache::DiskCache(fs::path folder, std::uint64_t limit_bytes, std::uint64_t fingerprint, const mla::KvCacheOptions& options)
    : folder_(std::move(folder)),
      limit_bytes_(limit_bytes),
      prefix_(fmt::format("{:016x}-{}{}{}-", fingerprint, static_cast<int>(options.layout), static_cast<int>(options.type_k),
                          static_cast<int>(options.type_v))) {
  fs::create_directories(folder_);
  read_folder();
}

// A process that was killed may have left a tokens file without its state, or files that were not finished.
void DiskCache::read_folder() {
  for (const fs::directory_entry& file : fs::directory_iterator(folder_)) {
    const std::string name = file.path().stem().string(), ending = file.path().extension().string();
    if (!name.starts_with(prefix_)) continue;
    if (ending == ".part") remove_quietly(file.path());
    if (ending != ".tokens") continue;
    std::error_code error;
    Entry entry{name, {}, fs::file_size(state_file(name), error), {}};
    if (!error) entry.last_use = fs::last_write_time(state_file(name), error);
    auto tokens = read_tokens(file.path());
    if (error || !tokens || name != fmt::format("{}{:016x}", prefix_, hash_of(*tokens))) {
      remove_quietly(file.path());
      remove_quietly(state_file(name));
      continue;
    }
    entry.tokens = std::move(*tokens);
    add(std::move(entry));
  }
}

void DiskCache::add(Entry entry) {
  tree_.insert(entry.tokens, next_id_);
  bytes_ += entry.bytes;
  entries_.emplace(next_id_++, std::move(entry));
}

void DiskCache::forget(int id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  tree_.erase(found->second.tokens);
  bytes_ -= found->second.bytes;
  remove_quietly(state_file(found->second.name));
  remove_quietly(tokens_file(found->second.name));
  entries_.erase(found);
}

bool DiskCache::load(int id, mla::KvCache& kv, mla::SequenceId seq) {
  Entry& entry = entries_.at(id);
  try {
    kv.load(state_file(entry.name).string(), seq);
  } catch (const mla::Error& error) {
    if (error.status() == mla::Status::cache_full || error.status() == mla::Status::out_of_memory) throw;
    program::notice(fmt::format("a saved prompt can't be used, so it is removed: {}", error.what()));
    forget(id);
    return false;
  }
  entry.last_use = fs::file_time_type::clock::now();
  std::error_code ignored;
  fs::last_write_time(state_file(entry.name), entry.last_use, ignored);  // what the next process goes by
  return true;
}

void DiskCache::save(const mla::KvCache& kv, mla::SequenceId seq, Tokens tokens) {
  if (tokens.size() < least_tokens || tokens.size() > most_tokens || tree_.match(tokens).length + least_tokens > tokens.size()) return;
  if (kv.row_bytes() * tokens.size() > limit_bytes_) return;
  const std::string name = fmt::format("{}{:016x}", prefix_, hash_of(tokens));
  try {
    write_tokens(tokens_file(name), tokens);
    kv.save(state_file(name).string(), seq);
  } catch (const std::exception& error) {  // a full disk is no reason to fail the answer
    program::notice(fmt::format("a prompt of {} tokens was not saved: {}", tokens.size(), error.what()));
    remove_quietly(tokens_file(name));
    return;
  }
  for (const int id : tree_.beginnings_of(tokens)) forget(id);
  std::error_code ignored;
  add({name, {tokens.begin(), tokens.end()}, fs::file_size(state_file(name), ignored), fs::file_time_type::clock::now()});
  while (bytes_ > limit_bytes_)
    forget(std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.last_use; })->first);
}

}  // namespace server
