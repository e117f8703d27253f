// How two files differ: keys, tensors, and the values of weights, whatever their types and layouts.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/inspect.hpp"
#include "model/tensor_rows.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

using format::GgufFile;
using format::GgufValue;
using format::TensorInfo;

constexpr std::int64_t block_rows = 16;  // a panel, and a whole number of groups of interleaved rows

// The first entries that differ, of arrays of one kind; else what describe() says.
std::pair<std::string, std::string> text_of(const std::string& name, const GgufValue& a, const GgufValue& b) {
  const auto *x = std::get_if<format::GgufArray>(&a.value), *y = std::get_if<format::GgufArray>(&b.value);
  const auto plain = std::pair(model::describe(name, a), model::describe(name, b));
  const auto whole = [](const FileInfo::Key& key) { return key.type + " " + key.value; };
  if (x == nullptr || y == nullptr || x->index() != y->index() || a.element_type != b.element_type)
    return {whole(plain.first), whole(plain.second)};
  return std::visit([&](const auto& values) -> std::pair<std::string, std::string> {
    const auto& others = std::get<std::decay_t<decltype(values)>>(*y);
    const auto n = std::min(values.size(), others.size());
    std::size_t at = 0;
    while (at < n && values[at] == others[at]) ++at;
    using Value = typename std::decay_t<decltype(values)>::value_type;
    const auto entry = [&](const auto& list) {
      const std::string text = fmt::format("{} of {}", plain.first.type, list.size());
      return at < list.size() ? fmt::format("{}, entry {}: {}", text, at, static_cast<Value>(list[at])) : text;
    };
    return {entry(values), entry(others)};
  }, *x);
}

bool same(const GgufValue& a, const GgufValue& b) { return a.type == b.type && a.element_type == b.element_type && a.value == b.value; }

void compare_keys(const GgufFile& a, const GgufFile& b, FileDiff& diff) {
  const auto whole = [](const std::string& name, const GgufValue& value) {
    const FileInfo::Key key = model::describe(name, value);
    return key.type + " " + key.value;
  };
  for (const auto& [name, value] : a.metadata()) {
    const GgufValue* other = b.find_key(name);
    if (other == nullptr) {
      diff.keys.push_back({name, whole(name, value), std::nullopt});
    } else if (same(value, *other)) {
      ++diff.n_equal_keys;
    } else {
      const auto [x, y] = text_of(name, value, *other);
      diff.keys.push_back({name, x, y});
    }
  }
  for (const auto& [name, value] : b.metadata())
    if (a.find_key(name) == nullptr) diff.keys.push_back({name, std::nullopt, whole(name, value)});
}

struct Sums {
  double largest = 0, differences = 0, squares = 0;
  void add(double a, double b) {
    const double d = std::abs(a - b);
    largest = d > largest || std::isnan(d) ? d : largest;  // a NaN stays: nothing is larger
    differences += d * d, squares += a * a;
  }
};

std::int64_t n_values(const TensorInfo& tensor) {
  std::int64_t n = 1;
  for (const std::uint64_t size : tensor.shape) n *= static_cast<std::int64_t>(size);
  return n;
}

// Sums of each piece, then of all in order: the same whatever the threads.
Sums compare_values(const TensorInfo& a, const TensorInfo& b, ThreadPool& pool) {
  const auto columns = static_cast<std::int64_t>(a.shape[0]);
  const std::int64_t rows = n_values(a) / columns;
  const std::int64_t rows_per_task = std::max<std::int64_t>(1, (1 << 22) / std::max<std::int64_t>(1, columns * block_rows)) * block_rows;
  std::vector<Sums> pieces(static_cast<std::size_t>((rows + rows_per_task - 1) / rows_per_task));
  auto task = [&](int index) {
    std::vector<float> p(static_cast<std::size_t>(block_rows * columns)), q(p.size());
    std::vector<std::byte> scratch;
    Sums& sums = pieces[static_cast<std::size_t>(index)];
    for (std::int64_t first = index * rows_per_task, end = std::min(rows, first + rows_per_task); first < end; first += block_rows) {
      const std::int64_t n = std::min(block_rows, end - first);
      model::read_rows(a, first, n, p.data(), scratch);
      model::read_rows(b, first, n, q.data(), scratch);
      for (std::size_t i = 0; i < static_cast<std::size_t>(n * columns); ++i) sums.add(p[i], q[i]);
    }
  };
  pool.run(static_cast<int>(pieces.size()), {[](void* data, int index, int) { (*static_cast<decltype(task)*>(data))(index); }, &task});
  Sums all;
  for (const Sums& piece : pieces) {
    all.largest = std::isnan(all.largest) || piece.largest < all.largest ? all.largest : piece.largest;
    all.differences += piece.differences, all.squares += piece.squares;
  }
  return all;
}

class Comparison {
 public:
  Comparison(GgufFile& a, GgufFile& b, const DiffOptions& options)
      : a_(a), b_(b), options_(options), layers_a_(model::own_layers(a)), layers_b_(model::own_layers(b)), total_(bytes(a) + bytes(b)) {
    if (options.values) pool_ = make_thread_pool(options.n_threads);
  }

  void run(FileDiff& diff) {
    for (const TensorInfo& tensor : a_.tensors()) {
      const TensorInfo* other = b_.find(tensor.name);
      report();
      if (other == nullptr)
        diff.tensors.push_back({tensor.name, model::describe(tensor, layers_a_), std::nullopt});
      else
        compare(tensor, *other, diff);
      done_ += tensor.bytes + (other != nullptr ? other->bytes : 0);
    }
    for (const TensorInfo& tensor : b_.tensors())
      if (a_.find(tensor.name) == nullptr) diff.tensors.push_back({tensor.name, std::nullopt, model::describe(tensor, layers_b_)});
    done_ = total_;
    report();
  }

 private:
  static std::uint64_t bytes(const GgufFile& file) {
    std::uint64_t sum = 0;
    for (const TensorInfo& tensor : file.tensors()) sum += tensor.bytes;
    return sum;
  }

  void report() const {
    if (options_.progress && !options_.progress("compare", done_, total_))
      fail(Status::aborted, "comparing {} with {} was cancelled", a_.path(), b_.path());
  }

  void compare(const TensorInfo& x, const TensorInfo& y, FileDiff& diff) {
    FileDiff::Tensor found{x.name, model::describe(x, layers_a_), model::describe(y, layers_b_)};
    const bool same_kind = x.shape == y.shape && x.type == y.type;
    const bool has_values = options_.values && x.data != nullptr && y.data != nullptr;
    found.compared = has_values && x.shape == y.shape && x.bytes > 0;
    bool equal = same_kind && !options_.values;
    const bool one_piece = x.pieces.empty() && y.pieces.empty();
    if (has_values && same_kind && one_piece && x.in_panels == y.in_panels) equal = std::memcmp(x.data, y.data, x.bytes) == 0;
    if (!equal && found.compared) {
      const Sums sums = compare_values(x, y, *pool_);
      found.largest = sums.largest, found.rms = std::sqrt(sums.differences / static_cast<double>(n_values(x)));
      found.relative = sums.differences == 0 ? 0 : std::sqrt(sums.differences / sums.squares);
      equal = same_kind && sums.largest == 0;
    }
    if (has_values) let_go(a_, x), let_go(b_, y);
    equal ? static_cast<void>(++diff.n_equal_tensors) : diff.tensors.push_back(std::move(found));
  }

  static void let_go(GgufFile& file, const TensorInfo& tensor) {
    const auto let_go_at = [&](const std::byte* data) {
      if (const platform::FileView* part = file.part_with(data)) part->let_go({data, tensor.bytes_at_data()});
    };
    if (tensor.pieces.empty()) return let_go_at(tensor.data);
    for (const format::TensorPiece& piece : tensor.pieces) let_go_at(piece.data);
  }

  GgufFile &a_, &b_;
  const DiffOptions& options_;
  const int layers_a_, layers_b_;
  std::uint64_t done_ = 0;
  const std::uint64_t total_;
  std::shared_ptr<ThreadPool> pool_;
};

}  // namespace

FileDiff diff_files(const std::string& a, const std::string& b, const DiffOptions& options) {
  model::HfFolder x = model::open_to_look(a), y = model::open_to_look(b);
  FileDiff diff;
  compare_keys(x.file, y.file, diff);
  Comparison(x.file, y.file, options).run(diff);
  return diff;
}

}  // namespace mla
