// quantize_file: what it reads, with which importances it writes.
#include <algorithm>
#include <mla/quantize.hpp>

#include <cmath>
#include <cstring>
#include <random>

#include "../quant/support.hpp"
#include "format/gguf_writer.hpp"
#include "format/imatrix_file.hpp"
#include "quant/dequantize.hpp"
#include "quant/encode.hpp"
#include "quant/interleaving.hpp"
#include "refusal.hpp"
#include "scratch_folder.hpp"

using namespace mla;
using format::GgufFile;
using quant::Type;

namespace {

struct Log final : LogSink {
  void write(LogLevel level, std::string_view message) noexcept override {
    if (level >= LogLevel::warning) text += std::string(message) + "\n";
  }
  std::string text;
};

/// A file of one matrix, or of several in a stack.
void write_matrix(const std::string& path, const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t number, std::span<const std::byte> bytes) {
  format::GgufWriter writer(path);
  writer.add_string("general.architecture", "deepseek2");
  writer.add_tensor(name, std::move(shape), number, bytes.size());
  writer.begin_data();
  writer.write(bytes);
  writer.finish();
}

void write_floats(const std::string& path, const std::string& name, std::vector<std::uint64_t> shape, const std::vector<float>& values) {
  write_matrix(path, name, std::move(shape), 0, std::as_bytes(std::span(values)));
}

std::vector<float> floats_of(const GgufFile& file) {
  const format::TensorInfo& tensor = file.tensors().at(0);
  std::vector<float> values;
  std::uint64_t n = 1;
  for (const std::uint64_t size : tensor.shape) n *= size;
  values.resize(n);
  quant::dequantize(static_cast<Type>(tensor.type), tensor.data, values.data(), static_cast<std::int64_t>(n));
  return values;
}

std::vector<float> random_values(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> values(n);
  for (float& x : values) x = normal(random);
  return values;
}

}  // namespace

TEST_CASE("rows of every type are read as their public dequantiser does", "[quantize]") {
  const ScratchFolder folder;
  for (const Type type : quant::all_types()) {
    const quant::TypeTraits& t = quant::traits(type);
    if (type == Type::f32 || type == Type::iq1_s_row || type == Type::iq1_m_row || type == Type::f8_e4m3) continue;
    INFO(t.name);
    const quant::test::Golden golden(std::string(t.name) + ".bin");
    // Types with headers have rows of two blocks; blocks of the others are rows of their own, those of single values rows of 32.
    const int columns = t.header_bytes > 0 ? 2 * t.block_size : std::max(32, t.block_size);
    const std::int64_t per_row = t.header_bytes > 0 ? 1 : columns / t.block_size, rows = golden.count() / per_row;
    const std::size_t values_at = t.header_bytes > 0 ? static_cast<std::size_t>(rows) * quant::row_bytes(type, columns) : static_cast<std::size_t>(golden.count() * t.block_bytes);
    const auto bytes = golden.at<std::byte>(0, static_cast<std::size_t>(rows) * quant::row_bytes(type, columns));
    const auto want = golden.at<float>(values_at, static_cast<std::size_t>(rows * columns));
    write_matrix(folder / "in.gguf", "blk.0.ffn_up.weight", {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows)}, static_cast<std::uint32_t>(type), bytes);
    const bool finite = std::ranges::all_of(want, [](float x) { return std::isfinite(x); });
    if (!finite) {
      check_refused([&] { quantize_file(folder / "in.gguf", folder / "out.gguf", {.type = "f32"}); }, Status::bad_file, {"in.gguf", "blk.0.ffn_up.weight"});
      continue;
    }
    quantize_file(folder / "in.gguf", folder / "out.gguf", {.type = "f32"});
    CHECK(quant::test::difference(floats_of(GgufFile::open(folder / "out.gguf", {})), want) == "");
  }
}

TEST_CASE("interleaved rows, and panels, give what plain rows give", "[quantize]") {
  const ScratchFolder folder;
  for (const std::uint32_t number : {208u, 212u, 220u, 223u}) {
    const quant::Interleaving& layout = *quant::find_interleaving(number);
    const int columns = quant::traits(layout.base).block_size == 32 ? 96 : 512;
    const quant::test::Golden golden(std::string(layout.name) + ".bin");
    const auto bytes = static_cast<std::size_t>(golden.count()) * quant::row_bytes(layout.base, columns);
    const std::vector<std::uint64_t> shape{static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(golden.count())};
    write_matrix(folder / "mixed.gguf", "blk.0.ffn_up.weight", shape, number, golden.at<std::byte>(0, bytes));
    write_matrix(folder / "plain.gguf", "blk.0.ffn_up.weight", shape, static_cast<std::uint32_t>(layout.base), golden.at<std::byte>(bytes, bytes));
    for (const char* name : {"mixed", "plain"})
      quantize_file(folder / (std::string(name) + ".gguf"), folder / (std::string(name) + "_f32.gguf"), {.type = "f32"});
    CHECK(read_bytes(folder / "mixed_f32.gguf") == read_bytes(folder / "plain_f32.gguf"));
  }
  write_floats(folder / "f32.gguf", "blk.0.ffn_up.weight", {512, 48}, random_values(512 * 48, 1));
  quantize_file(folder / "f32.gguf", folder / "rows.gguf", {.type = "q6_k"});
  quantize_file(folder / "rows.gguf", folder / "panels.gguf", {.layout = FileLayout::native});
  quantize_file(folder / "rows.gguf", folder / "a.gguf", {.type = "q4_0"});
  quantize_file(folder / "panels.gguf", folder / "b.gguf", {.type = "q4_0"});
  CHECK(read_bytes(folder / "a.gguf") == read_bytes(folder / "b.gguf"));
}

TEST_CASE("importances weigh the columns, of each expert its own", "[quantize]") {
  const ScratchFolder folder;
  constexpr std::size_t columns = 256, rows = 24, experts = 3;
  const std::vector<float> values = random_values(columns * rows * experts, 2);
  format::Imatrix imatrix{.entries = {{"blk.0.ffn_up_exps.weight", std::vector<float>(columns * experts), {50, 0, 10}}}, .datasets = {"text"}, .n_chunks = 4};
  std::mt19937 random(3);
  std::lognormal_distribution<float> distribution(0, 1.5f);
  for (float& sum : imatrix.entries[0].sums) sum = distribution(random) * 1e-3f;
  format::write_imatrix_gguf(folder / "m.gguf", imatrix);
  format::write_imatrix_dat(folder / "m.dat", imatrix);
  write_floats(folder / "in.gguf", imatrix.entries[0].name, {columns, rows, experts}, values);
  for (const std::string type : {"q2_k", "q4_k", "iq4_nl"}) {
    INFO(type);
    quantize_file(folder / "in.gguf", folder / "plain.gguf", {.type = type, .pure = true});
    quantize_file(folder / "in.gguf", folder / "weighted.gguf", {.type = type, .pure = true, .imatrix = folder / "m.gguf", .n_threads = 3});
    const GgufFile weighted = GgufFile::open(folder / "weighted.gguf", {}), plain = GgufFile::open(folder / "plain.gguf", {});
    CHECK(weighted.get_uint("quantize.imatrix.chunks_count") == 4u);
    CHECK(weighted.get_string("quantize.imatrix.dataset") == "text");
    const std::vector<float> a = floats_of(weighted), b = floats_of(plain);
    for (std::size_t e = 0; e < experts; ++e) {
      double error_a = 0, error_b = 0;
      for (std::size_t i = 0; i < rows * columns; ++i) {
        const std::size_t at = e * rows * columns + i;
        const double weight = imatrix.entries[0].counts[e] == 0 ? 1 : imatrix.entries[0].sums[e * columns + i % columns];
        error_a += weight * std::pow(a[at] - values[at], 2);
        error_b += weight * std::pow(b[at] - values[at], 2);
      }
      CHECK((e == 1 ? error_a == error_b : error_a < 0.97 * error_b));  // which was never used: equal weights
    }
    quantize_file(folder / "in.gguf", folder / "dat.gguf", {.type = type, .pure = true, .imatrix = folder / "m.dat"});
    const std::vector<float> c = floats_of(GgufFile::open(folder / "dat.gguf", {}));
    std::size_t n_different = 0;
    for (std::size_t i = 0; i < c.size(); ++i) n_different += c[i] != a[i];
    CHECK(n_different < c.size() / 100);  // the old format rounds means
  }

  const auto log = std::make_shared<Log>();
  write_floats(folder / "other.gguf", "blk.0.ffn_gate_exps.weight", {columns, rows, experts}, values);
  quantize_file(folder / "other.gguf", folder / "out.gguf", {.type = "q4_k", .imatrix = folder / "m.gguf", .log = log});
  CHECK_THAT(log->text, Catch::Contains("no importances for 1 of 1 tensors") && Catch::Contains("blk.0.ffn_gate_exps.weight"));
  write_floats(folder / "wide.gguf", imatrix.entries[0].name, {2 * columns, rows / 2, experts}, values);
  check_refused([&] { quantize_file(folder / "wide.gguf", folder / "new.gguf", {.type = "q4_k", .imatrix = folder / "m.gguf"}); }, Status::bad_file,
                {"m.gguf", "another model"});
  CHECK_FALSE(std::filesystem::exists(folder / "new.gguf"));
}

TEST_CASE("weights that are no numbers are refused, and nothing is left behind", "[quantize]") {
  const ScratchFolder folder;
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> values = random_values(256 * 40, 4);
    values[9000] = bad;
    write_floats(folder / "in.gguf", "blk.0.ffn_up.weight", {256, 40}, values);
    check_refused([&] { quantize_file(folder / "in.gguf", folder / "out.gguf", {.type = "q4_k", .n_threads = 2}); }, Status::bad_file,
                  {"in.gguf", "blk.0.ffn_up.weight"});
    std::filesystem::remove(folder / "in.gguf");
    CHECK(folder.empty());
  }
}

TEST_CASE("a conversion is stopped where its progress is told to", "[quantize]") {
  const ScratchFolder folder;
  write_floats(folder / "in.gguf", "blk.0.ffn_up.weight", {256, 40}, random_values(256 * 40, 5));
  std::vector<std::string> phases;
  const auto stop = [&](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    phases.emplace_back(phase);
    CHECK(done <= total);
    return phase != "quantize";
  };
  check_refused([&] { quantize_file(folder / "in.gguf", folder / "out.gguf", {.type = "q4_k", .progress = stop}); }, Status::aborted, {"out.gguf"});
  CHECK(phases == std::vector<std::string>{"open", "quantize"});
  CHECK_FALSE(std::filesystem::exists(folder / "out.gguf.part"));
}
