#include "format/imatrix_file.hpp"

#include <cmath>
#include <cstring>

#include "damage.hpp"
#include "gguf_bytes.hpp"
#include "refusal.hpp"

using namespace mla;
using namespace mla::format;

namespace {

const std::string golden = MLA_SOURCE_DIR "/tests/golden/imatrix/";

std::string dat_text(const std::string& value) { return GgufBytes::raw(static_cast<std::int32_t>(value.size())) + value; }
std::string dat_entry(const std::string& name, std::int32_t calls, const std::vector<float>& values) {
  std::string out = dat_text(name) + GgufBytes::raw(calls) + GgufBytes::raw(static_cast<std::int32_t>(values.size()));
  for (const float value : values) out += GgufBytes::raw(value);
  return out;
}

/// The weights that make_golden.py gave: column c of every matrix has (c + 1) / 4, but for an expert that was never used.
void check_weights(const Imatrix& imatrix) {
  const auto quarters = [](int n) {
    std::vector<float> weights;
    for (int c = 1; c <= n; ++c) weights.push_back(static_cast<float>(c) / 4);
    return weights;
  };
  REQUIRE(imatrix.entries.size() == 3);
  CHECK(imatrix.datasets == std::vector<std::string>{"corpus of 5 chunks.txt"});
  CHECK(imatrix.n_chunks == 5);
  CHECK(imatrix.find("blk.0.attn_k.weight") == nullptr);
  const auto weights = [&](const char* name, int matrices, int columns) {
    REQUIRE(imatrix.find(name) != nullptr);
    return imatrix_weights(*imatrix.find(name), matrices, columns, "file");
  };
  CHECK(weights("blk.0.attn_q.weight", 1, 8) == quarters(8));
  CHECK(weights("output.weight", 1, 3) == quarters(3));
  auto experts = quarters(4);
  experts.insert(experts.end(), 4, 1.0f);
  for (int c = 1; c <= 4; ++c) experts.push_back(static_cast<float>(c) / 4);
  CHECK(weights("blk.1.ffn_up_exps.weight", 3, 4) == experts);
}

}  // namespace

TEST_CASE("importance matrices of both formats", "[imatrix]") {
  const Imatrix gguf = read_imatrix(golden + "measured.gguf");
  check_weights(gguf);
  CHECK(gguf.chunk_tokens == 64);
  CHECK(gguf.find("blk.1.ffn_up_exps.weight")->counts == std::vector<std::int64_t>{100, 0, 220});
  CHECK(gguf.find("blk.1.ffn_up_exps.weight")->n_columns() == 4);
  check_weights(read_imatrix(golden + "measured.dat"));
}

TEST_CASE("importance matrices are written as others write them", "[imatrix]") {
  const ScratchFolder folder;
  const Imatrix measured = read_imatrix(golden + "measured.gguf");
  write_imatrix_dat(folder / "m.dat", measured);
  CHECK(read_bytes(folder / "m.dat") == read_bytes(golden + "measured.dat"));
  write_imatrix_gguf(folder / "m.gguf", measured);
  CHECK(read_bytes(folder / "m.gguf") == read_bytes(golden + "measured.gguf"));
}

TEST_CASE("an old file without a tail, and columns that are all zero", "[imatrix]") {
  const ScratchFolder folder;
  write_bytes(folder / "old.dat", GgufBytes::raw(std::int32_t{2}) + dat_entry("a", 2, {2, 4}) + dat_entry("b", 0, {0, 0, 3, 5}));
  const Imatrix old = read_imatrix(folder / "old.dat");
  CHECK(old.n_chunks == 0);
  CHECK(old.datasets.empty());
  CHECK(imatrix_weights(*old.find("a"), 1, 2, "old") == std::vector<float>{1, 2});
  CHECK(imatrix_weights(*old.find("b"), 2, 2, "old") == std::vector<float>{1, 1, 3, 5});
}

TEST_CASE("importance matrices that are refused", "[imatrix]") {
  const ScratchFolder folder;
  const std::string path = folder / "bad.dat";
  const auto refused = [&](const std::string& bytes, const std::vector<std::string>& texts) {
    write_bytes(path, bytes);
    auto wanted = texts;
    wanted.push_back(path);
    check_refused([&] { (void)read_imatrix(path); }, Status::bad_file, wanted);
  };
  const auto one = [](std::int32_t n) { return GgufBytes::raw(n); };
  refused("", {"number of entries"});
  refused(one(0), {"without entries"});
  refused(one(-1), {"number of entries is -1"});
  refused(one(1 << 30) + std::string(100, 'x'), {"number of entries"});
  refused(one(2) + dat_entry("a", 1, {1}) + dat_entry("a", 1, {1}), {"entry a", "twice"});
  refused(one(1) + dat_entry("a", 1, {1, -1}), {"entry a", "-1"});
  refused(one(1) + dat_entry("a", 1, {1, NAN}), {"entry a", "nan"});
  refused(one(1) + dat_entry("a", -5, {1, 1}), {"entry 'a'", "-5 calls"});
  refused(one(1) + dat_entry("", 1, {1, 1, 1}), {"entry ''"});
  refused(one(1) + dat_entry("a", 1, {}) + std::string(4, '\0'), {"entry 'a' has 0 values"});
  refused(one(1) + dat_entry("a", 1, {1}) + one(3) + dat_text("text") + "x", {"1 bytes follow"});
  refused(GgufBytes().bytes(), {"general.type"});
  refused(GgufBytes().key("general.type", GgufBytes::string, GgufBytes::text("model")).bytes(), {"'model'"});

  const auto gguf = [] { return GgufBytes().key("general.type", GgufBytes::string, GgufBytes::text("imatrix")); };
  refused(gguf().tensor("a.in_sum2", {2, 1}, 0, 0).bytes(32), {"entry a has no counts"});
  refused(gguf().tensor("a.counts", {1, 1}, 0, 0).bytes(32), {"a.counts belongs to no entry"});
  refused(gguf().tensor("a", {1, 1}, 0, 0).bytes(32), {"tensor a belongs to no entry"});
  refused(gguf().tensor("a.in_sum2", {2, 2}, 0, 0).tensor("a.counts", {1, 3}, 0, 32).bytes(64), {"entry a has 4 sums and 3 counts"});
  refused(gguf().tensor("a.in_sum2", {2, 2}, 1, 0).tensor("a.counts", {1, 2}, 0, 32).bytes(64), {"a.in_sum2 is not of type F32"});
  check_refused([&] { (void)read_imatrix(folder / "none"); }, Status::not_found, {folder / "none"});
}

TEST_CASE("an importance matrix of another model is refused", "[imatrix]") {
  const Imatrix imatrix = read_imatrix(golden + "measured.gguf");
  const ImatrixEntry& experts = *imatrix.find("blk.1.ffn_up_exps.weight");
  for (const auto& [matrices, columns] : {std::pair{3, 8}, {4, 4}, {1, 12}, {6, 2}})
    check_refused([&] { (void)imatrix_weights(experts, matrices, columns, "m.gguf"); }, Status::bad_file, {"m.gguf", "blk.1.ffn_up_exps.weight", "another model"});
}

TEST_CASE("damaged importance matrices", "[imatrix]") {
  const ScratchFolder folder;
  for (const std::string name : {"measured.gguf", "measured.dat"}) {
    DamagedFile file(folder / name, read_bytes(golden + name));
    const auto load = [&] { (void)read_imatrix(file.path()); };
    flip_bits(file, load, 64 * file.size() + 10'000, [](std::size_t) { return true; });
  }
  const std::string bytes = read_bytes(golden + "measured.dat");
  DamagedFile cut(folder / "cut.dat", bytes);
  const std::size_t tail = 4 + 4 + std::strlen("corpus of 5 chunks.txt");
  for (std::size_t size = bytes.size(); size-- > 0;) {
    cut.cut(size);
    const Outcome outcome = load_or_refuse([&] { (void)read_imatrix(cut.path()); }, cut.path(), "cut to " + std::to_string(size));
    CHECK(outcome.loaded == (size == bytes.size() - tail));  // which is a file of the first programs
  }
  DamagedFile gguf(folder / "cut.gguf", read_bytes(golden + "measured.gguf"));
  cut_everywhere(gguf, [&] { (void)read_imatrix(gguf.path()); }, gguf.size() - 28, 64 * gguf.size());  // one count, padded to 32
}
