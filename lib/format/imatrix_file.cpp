#include "format/imatrix_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "format/gguf_reader.hpp"
#include "format/gguf_writer.hpp"
#include "platform/checked.hpp"
#include "platform/fail.hpp"

namespace mla {

const ImatrixEntry* Imatrix::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(entries, name, &ImatrixEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

namespace format {
namespace {

constexpr std::string_view sums_suffix = ".in_sum2", counts_suffix = ".counts";
constexpr const char *datasets_key = "imatrix.datasets", *chunks_key = "imatrix.chunk_count", *tokens_key = "imatrix.chunk_size";

void check_sums(const ImatrixEntry& entry, const std::string& path) {
  for (const float sum : entry.sums)
    if (!std::isfinite(sum) || sum < 0)
      fail(Status::bad_file, "{}: entry {} has a sum of squares of {}: the file is damaged", path, entry.name, sum);
}

std::vector<float> floats_of(const TensorInfo& tensor, const std::string& path) {
  if (tensor.type != static_cast<std::uint32_t>(quant::Type::f32) || tensor.in_panels)
    fail(Status::bad_file, "{}: tensor {} is not of type F32", path, tensor.name);
  std::vector<float> values(tensor.bytes / sizeof(float));
  std::memcpy(values.data(), tensor.data, tensor.bytes);
  return values;
}

std::int64_t count_of(float count, const std::string& name, const std::string& path) {
  if (!(count >= 0 && count <= 0x1p53f)) fail(Status::bad_file, "{}: entry {} has a count of {}: the file is damaged", path, name, count);
  return std::llround(count);
}

Imatrix read_gguf(const std::string& path) {
  const GgufFile file = GgufFile::open(path, {});
  if (const auto type = file.get_string("general.type"); type != "imatrix")
    fail(Status::bad_file, "{}: not an importance matrix: metadata key general.type is '{}'", path, type.value_or(""));
  Imatrix out;
  for (const TensorInfo& tensor : file.tensors()) {
    if (!tensor.name.ends_with(sums_suffix)) {
      const std::string base = tensor.name.substr(0, tensor.name.size() - std::min(tensor.name.size(), counts_suffix.size()));
      if (!tensor.name.ends_with(counts_suffix) || file.find(base + std::string(sums_suffix)) == nullptr)
        fail(Status::bad_file, "{}: tensor {} belongs to no entry: its name should end in {} or {}", path, tensor.name, sums_suffix,
             counts_suffix);
      continue;
    }
    ImatrixEntry entry{tensor.name.substr(0, tensor.name.size() - sums_suffix.size()), floats_of(tensor, path), {}};
    const TensorInfo* counts = file.find(entry.name + std::string(counts_suffix));
    if (counts == nullptr) fail(Status::bad_file, "{}: entry {} has no counts", path, entry.name);
    for (const float count : floats_of(*counts, path)) entry.counts.push_back(count_of(count, entry.name, path));
    if (entry.counts.empty() || entry.sums.empty() || entry.sums.size() != entry.counts.size() * tensor.shape[0])
      fail(Status::bad_file, "{}: entry {} has {} sums and {} counts, which don't fit together", path, entry.name, entry.sums.size(),
           entry.counts.size());
    check_sums(entry, path);
    out.entries.push_back(std::move(entry));
  }
  if (const auto* datasets = file.get_strings(datasets_key)) out.datasets = *datasets;
  out.n_chunks = static_cast<std::uint32_t>(file.get_uint(chunks_key).value_or(0));
  out.chunk_tokens = static_cast<std::uint32_t>(file.get_uint(tokens_key).value_or(0));
  return out;
}

// Lengths are signed 32-bit numbers in this format.
std::uint64_t read_length(ByteReader& reader, const char* what, std::uint64_t unit, const std::string& path) {
  const auto length = reader.read<std::int32_t>(what);
  if (length < 0 || static_cast<std::uint64_t>(length) > reader.remaining() / unit)
    fail(Status::bad_file, "{}: {} is {}, and {} bytes follow: the file is cut short, damaged or no importance matrix", path, what, length,
         reader.remaining());
  return static_cast<std::uint64_t>(length);
}

std::string read_text(ByteReader& reader, const char* what, const std::string& path) {
  const std::uint64_t length = read_length(reader, what, 1, path);
  return {reinterpret_cast<const char*>(reader.take(length, what)), length};
}

ImatrixEntry read_dat_entry(ByteReader& reader, const std::string& path) {
  ImatrixEntry entry{read_text(reader, "the length of an entry's name", path), {}, {}};
  const auto calls = reader.read<std::int32_t>("the number of calls of an entry");
  const std::uint64_t n = read_length(reader, "the number of values of an entry", sizeof(float), path);
  if (entry.name.empty() || n == 0 || calls < 0)
    fail(Status::bad_file, "{}: entry '{}' has {} values of {} calls: the file is damaged or no importance matrix", path, entry.name, n,
         calls);
  entry.sums.resize(n);
  std::memcpy(entry.sums.data(), reader.take(n * sizeof(float), "the values of an entry"), n * sizeof(float));
  entry.counts = {std::max(calls, 1)};
  check_sums(entry, path);
  return entry;
}

Imatrix read_dat(const platform::FileView& file) {
  const std::string& path = file.path();
  ByteReader reader(file.bytes(), path);
  constexpr std::uint64_t least_entry_bytes = 4 + 1 + 4 + 4 + 4;
  const std::uint64_t n = read_length(reader, "the number of entries", least_entry_bytes, path);
  if (n == 0) fail(Status::bad_file, "{}: an importance matrix without entries", path);
  Imatrix out;
  for (std::uint64_t i = 0; i < n; ++i) out.entries.push_back(read_dat_entry(reader, path));
  if (reader.remaining() == 0) return out;  // as the first programs wrote it
  const auto chunks = reader.read<std::int32_t>("the number of chunks");
  out.n_chunks = static_cast<std::uint32_t>(std::max(chunks, 0));
  if (std::string dataset = read_text(reader, "the length of the dataset's name", path); !dataset.empty())
    out.datasets.push_back(std::move(dataset));
  if (reader.remaining() > 0)
    fail(Status::bad_file, "{}: {} bytes follow the end of the importance matrix: the file is damaged", path, reader.remaining());
  return out;
}

bool is_gguf(const platform::FileView& file) { return file.bytes().size() >= 4 && std::memcmp(file.bytes().data(), "GGUF", 4) == 0; }

}  // namespace

Imatrix read_imatrix(const std::string& path) {
  const platform::FileView file = platform::FileView::map(path);
  Imatrix out = is_gguf(file) ? read_gguf(path) : read_dat(file);
  std::set<std::string_view> names;
  for (const ImatrixEntry& entry : out.entries)
    if (!names.insert(entry.name).second) fail(Status::bad_file, "{}: entry {} occurs twice", path, entry.name);
  return out;
}

void write_imatrix_gguf(const std::string& path, const Imatrix& imatrix) {
  GgufWriter writer(path);
  writer.add_string("general.type", "imatrix");
  writer.add_strings(datasets_key, imatrix.datasets);
  writer.add_uint(chunks_key, imatrix.n_chunks);
  writer.add_uint(tokens_key, imatrix.chunk_tokens);
  for (const ImatrixEntry& entry : imatrix.entries) {
    writer.add_tensor(entry.name + std::string(sums_suffix), {static_cast<std::uint64_t>(entry.n_columns()), entry.counts.size()},
                      quant::Type::f32);
    writer.add_tensor(entry.name + std::string(counts_suffix), {1, entry.counts.size()}, quant::Type::f32);
  }
  writer.begin_data();
  for (const ImatrixEntry& entry : imatrix.entries) {
    writer.write(std::as_bytes(std::span(entry.sums)));
    const std::vector<float> counts(entry.counts.begin(), entry.counts.end());
    writer.write(std::as_bytes(std::span(counts)));
  }
  writer.finish();
}

void write_imatrix_dat(const std::string& path, const Imatrix& imatrix) {
  platform::FileWriter file(path);
  const auto number = [&](std::size_t value) {
    const auto narrow = static_cast<std::int32_t>(value);
    file.write(&narrow, sizeof narrow);
  };
  const auto text = [&](const std::string& value) {
    number(value.size());
    file.write(value.data(), value.size());
  };
  const std::uint32_t calls = std::max(imatrix.n_chunks, 1u);
  number(imatrix.entries.size());
  for (const ImatrixEntry& entry : imatrix.entries) {
    text(entry.name);
    number(calls);
    number(entry.sums.size());
    std::vector<float> means(entry.sums.size());
    const auto n_columns = static_cast<std::size_t>(entry.n_columns());
    for (std::size_t i = 0; i < means.size(); ++i) {
      const auto count = static_cast<float>(entry.counts[i / n_columns]);
      means[i] = (count > 0 ? entry.sums[i] / count : 1.0f) * static_cast<float>(calls);
    }
    file.write(std::as_bytes(std::span(means)));
  }
  number(imatrix.n_chunks);
  text(imatrix.datasets.empty() ? "" : imatrix.datasets.front());
  file.commit();
}

std::vector<float> imatrix_weights(const ImatrixEntry& entry, std::int64_t n_matrices, std::int64_t n_columns, const std::string& path) {
  const auto columns = static_cast<std::size_t>(n_columns), matrices = static_cast<std::size_t>(n_matrices);
  const auto n = platform::checked_mul(columns, matrices);
  if (!n || entry.sums.size() != *n || (entry.counts.size() != 1 && entry.counts.size() != matrices))
    fail(Status::bad_file, "{}: entry {} has {} values for {} matrices, and the tensor has {} of {} columns: it was made for another model",
         path, entry.name, entry.sums.size(), entry.counts.size(), n_matrices, n_columns);
  std::vector<float> weights(*n);
  for (std::size_t matrix = 0; matrix < matrices; ++matrix) {
    const auto count = static_cast<float>(entry.counts[entry.counts.size() == 1 ? 0 : matrix]);
    const auto from = std::span(entry.sums).subspan(matrix * columns, columns);
    const auto to = std::span(weights).subspan(matrix * columns, columns);
    const bool usable = count > 0 && std::ranges::any_of(from, [](float sum) { return sum > 0; });
    std::ranges::transform(from, to.begin(), [&](float sum) { return usable ? sum / count : 1.0f; });
  }
  return weights;
}

}  // namespace format
}  // namespace mla
