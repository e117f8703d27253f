// GGUF files that contradict themselves: each is refused with one line that names the file and what is wrong in it.
#include "format/gguf.hpp"
#include "gguf_bytes.hpp"
#include "largest_allocation.hpp"
#include "refusal.hpp"
#include "scratch_folder.hpp"

using namespace mla;
using format::GgufFile;
using G = GgufBytes;

namespace {

constexpr std::uint32_t type_f32 = 0, type_q8_0 = 8, type_q4_k = 12;
constexpr std::uint64_t huge = std::uint64_t{1} << 63;

struct Case {
  std::string what;
  std::string bytes;
  Status status;
  std::vector<std::string> named;  // in the message, beside the file
};

std::vector<Case> cases() {
  const auto bad = Status::bad_file, unsupported = Status::unsupported;
  const std::string one = G::raw(std::uint32_t{1});
  const auto with = [](const auto& change) {
    G g;
    g.key("general.architecture", G::string, G::text("deepseek2"));
    change(g);
    return g;
  };
  const auto changed = [&](const auto& change, std::size_t data = 0) { return with(change).bytes(data); };
  const auto wrong_count = [&](std::uint64_t G::*count, std::uint64_t value) {
    return changed([&](G& g) { g.tensor("t", {4}, type_f32, 0), g.*count = value; }, 16);
  };
  const auto one_tensor = [&](const std::vector<std::uint64_t>& shape, std::uint32_t type, std::uint64_t offset, std::size_t data) {
    return changed([&](G& g) { g.tensor("blk.0.x.weight", shape, type, offset); }, data);
  };
  return {
      {"empty", "", bad, {"cut short"}},
      {"a text", "Once upon a time there was a model.", bad, {"not a GGUF file"}},
      {"zeros", std::string(100, '\0'), bad, {"not a GGUF file"}},
      {"version 1", changed([](G& g) { g.version = 1; }), unsupported, {"version 1"}},
      {"version 4", changed([](G& g) { g.version = 4; }), unsupported, {"version 4"}},
      {"big-endian", changed([](G& g) { g.version = 0x03000000; }), unsupported, {"big-endian"}},
      {"more tensors than bytes", wrong_count(&G::n_tensors, huge), bad, {"9223372036854775808 tensors"}},
      {"one tensor too many", wrong_count(&G::n_tensors, 2), bad, {"tensor"}},
      {"more keys than bytes", wrong_count(&G::n_keys, ~std::uint64_t{0}), bad, {"metadata keys"}},
      {"one key too many", wrong_count(&G::n_keys, 2), bad, {"tensor"}},
      {"a key longer than the file", changed([](G& g) { g.keys += G::raw(huge), ++g.n_keys; }), bad, {"a metadata key"}},
      {"a string longer than the file", changed([](G& g) { g.key("name", G::string, G::raw(~std::uint64_t{0}) + "x"); }), bad,
       {"metadata key name"}},
      {"an unknown value type", changed([&](G& g) { g.key("odd", 13, one); }), bad, {"metadata key odd", "13"}},
      {"a bool of 2", changed([](G& g) { g.key("flag", G::boolean, "\2"); }), bad, {"metadata key flag"}},
      {"nested arrays", changed([&](G& g) { g.array_key("nested", G::array, 1, one + G::raw(std::uint64_t{0})); }), unsupported,
       {"metadata key nested"}},
      {"an array of unknown type", changed([](G& g) { g.array_key("odd", 77, 1, "x"); }), bad, {"metadata key odd", "77"}},
      {"an array longer than the file", changed([](G& g) { g.array_key("long", G::u8, 1000, "x"); }), bad, {"metadata key long", "1000"}},
      {"an array whose size overflows", changed([](G& g) { g.array_key("long", G::u64, huge / 4, "x"); }), bad, {"metadata key long"}},
      {"an array of strings that ends early", changed([](G& g) { g.array_key("words", G::string, 2, G::text("a") + G::raw(huge)); }), bad,
       {"metadata key words"}},
      {"a key twice", changed([&](G& g) { g.key("twice", G::u32, one).key("twice", G::u32, one); }), bad, {"metadata key twice"}},
      {"a split count that is no number", changed([](G& g) { g.key("split.count", G::string, G::text("3")); }), bad,
       {"metadata key split.count"}},
      {"alignment 0", changed([](G& g) { g.key("general.alignment", G::u32, G::raw(std::uint32_t{0})); }), bad, {"general.alignment"}},
      {"alignment 48", changed([](G& g) { g.key("general.alignment", G::u32, G::raw(std::uint32_t{48})); }), bad, {"general.alignment"}},
      {"alignment 2^63", changed([](G& g) { g.key("general.alignment", G::u64, G::raw(huge)); }), bad, {"general.alignment"}},
      {"alignment that is a string", changed([](G& g) { g.key("general.alignment", G::string, G::text("32")); }), bad,
       {"general.alignment"}},
      {"no dimensions", one_tensor({}, type_f32, 0, 64), bad, {"tensor blk.0.x.weight", "0 dimensions"}},
      {"5 dimensions", one_tensor({1, 1, 1, 1, 1}, type_f32, 0, 64), bad, {"tensor blk.0.x.weight", "5 dimensions"}},
      {"a dimension of 0", one_tensor({4, 0}, type_f32, 0, 64), bad, {"tensor blk.0.x.weight", "dimension of 0"}},
      {"sizes whose product overflows", one_tensor({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, type_f32, 0, 64), bad,
       {"tensor blk.0.x.weight"}},
      {"a product of 0 by overflow", one_tensor({std::uint64_t{1} << 33, std::uint64_t{1} << 31, 4}, type_f32, 0, 64), bad,
       {"tensor blk.0.x.weight"}},
      {"bytes that overflow", one_tensor({(std::uint64_t{1} << 62) + 4}, type_f32, 0, 64), bad, {"tensor blk.0.x.weight"}},
      {"half a block", one_tensor({48}, type_q8_0, 0, 64), bad, {"tensor blk.0.x.weight", "Q8_0", "32"}},
      {"half a super-block", one_tensor({128, 2}, type_q4_k, 0, 256), bad, {"tensor blk.0.x.weight", "Q4_K", "256"}},
      {"an offset behind the file", one_tensor({4}, type_f32, 1 << 20, 64), bad, {"tensor blk.0.x.weight", "end of the file"}},
      {"an offset that overflows", one_tensor({4}, type_f32, ~std::uint64_t{31}, 64), bad, {"tensor blk.0.x.weight"}},
      {"an odd offset", one_tensor({4}, type_f32, 8, 64), bad, {"tensor blk.0.x.weight", "alignment"}},
      {"data that end early", one_tensor({17}, type_f32, 0, 64), bad, {"tensor blk.0.x.weight", "cut short"}},
      {"a tensor twice", changed([](G& g) { g.tensor("twice", {4}, type_f32, 0).tensor("twice", {4}, type_f32, 32); }, 64), bad,
       {"tensor twice"}},
      {"tensors over one another", changed([](G& g) { g.tensor("first", {16}, type_f32, 0).tensor("second", {4}, type_f32, 32); }, 64), bad,
       {"first", "second", "overlap"}},
      {"type 153 (IQ2_KT)", one_tensor({256}, 153, 0, 128), unsupported, {"tensor blk.0.x.weight", "type IQ2_KT (153)"}},
      {"type 399 (Q8_K_R8)", one_tensor({256, 8}, 399, 0, 4096), unsupported, {"tensor blk.0.x.weight", "type Q8_K_R8 (399)"}},
      {"type 500 (a number of our own)", one_tensor({32}, 500, 0, 64), unsupported, {"tensor blk.0.x.weight", "type 500"}},
      {"interleaved rows, not whole groups", one_tensor({256, 6}, 212, 0, 1024), bad, {"tensor blk.0.x.weight", "6 rows", "Q4_K_R4"}},
      {"interleaved rows, groups across matrices", one_tensor({32, 4, 2}, 208, 0, 512), bad, {"tensor blk.0.x.weight", "4 rows", "Q8_0_R8"}},
      {"an interleaved vector", one_tensor({256}, 212, 0, 256), bad, {"tensor blk.0.x.weight", "1 rows", "Q4_K_R4"}},
      {"interleaved rows, half a block", one_tensor({128, 4}, 212, 0, 1024), bad, {"tensor blk.0.x.weight", "256"}},
      {"interleaved rows, a byte short", one_tensor({256, 4}, 212, 0, 4 * 144 - 1), bad, {"tensor blk.0.x.weight", "cut short"}},
      {"rows with headers, a byte short", one_tensor({512, 3}, 144, 0, 3 * (4 + 2 * 136) - 1), bad, {"tensor blk.0.x.weight", "cut short"}},
      {"rows with headers without end", one_tensor({32, std::uint64_t{1} << 56}, 219, 0, 64), bad, {"tensor blk.0.x.weight"}},
      {"type 4 (gone from the format)", one_tensor({32}, 4, 0, 64), unsupported, {"tensor blk.0.x.weight", "type 4"}},
      {"a name with a line end", changed([](G& g) { g.tensor("two\nlines\x1b[2J", {32}, 4, 0); }, 64), unsupported, {"two?lines?[2J"}},
  };
}

}  // namespace

TEST_CASE("contradictions are refused by file and by key or tensor") {
  const ScratchFolder folder;
  const std::string path = folder / "hostile.gguf";
  for (const Case& c : cases()) {
    INFO(c.what);
    write_bytes(path, c.bytes);
    for (const bool use_mmap : {true, false}) {
      std::vector<std::string> named = c.named;
      named.push_back(path);
      reset_largest_allocation();
      check_refused([&] { (void)GgufFile::open(path, {.use_mmap = use_mmap}); }, c.status, named);
      CHECK(largest_allocation() < 10'000);
    }
  }
}

TEST_CASE("what the format allows is read: odd orders, no tensors, empty arrays, unknown types for who only looks") {
  const ScratchFolder folder;
  const std::string path = folder / "odd.gguf";
  write_bytes(path, G().bytes());
  CHECK(GgufFile::open(path, {}).tensors().empty());

  G g;
  g.array_key("none", G::string, 0, "").array_key("flags", G::boolean, 2, std::string("\1\0", 2));
  g.tensor("later", {4}, type_f32, 64).tensor("earlier", {16}, type_f32, 0).tensor("unknown", {100}, 99, 32);
  write_bytes(path, g.bytes(80));
  const GgufFile file = GgufFile::open(path, {.allow_unknown_types = true});
  REQUIRE(file.get_strings("none") != nullptr);
  CHECK(file.get_strings("none")->empty());
  REQUIRE(file.find("later") != nullptr);
  CHECK(file.find("later")->data - file.find("earlier")->data == 64);
  CHECK(file.find("unknown")->bytes == 0);
  CHECK(file.find("unknown")->data == nullptr);
}

TEST_CASE("rows with headers, and interleaved ones, take the bytes that they take") {
  const ScratchFolder folder;
  const std::string path = folder / "rows.gguf";
  struct {
    std::vector<std::uint64_t> shape;
    std::uint32_t type;
    std::size_t bytes;
  } const cases[] = {{{512, 3}, 144, 3 * (4 + 2 * 136)}, {{256, 3, 2}, 145, 6 * (2 + 70)}, {{256, 8, 3}, 212, 24 * 144},
                     {{96, 4}, 219, 4 * (2 + 3 * 6)},     {{96, 4}, 229, 4 * (2 + 3 * 7)},  {{64, 16}, 353, 16 * 2 * 17}};
  for (const auto& c : cases) {
    write_bytes(path, G().tensor("t", c.shape, c.type, 0).bytes(c.bytes));
    CHECK(GgufFile::open(path, {}).find("t")->bytes == c.bytes);
  }
}

TEST_CASE("arrays and strings that no model has are refused before they take memory") {
  const ScratchFolder folder;
  const std::string path = folder / "large.gguf";
  const std::size_t n = (std::size_t{1} << 24) + 1;
  write_bytes(path, G().array_key("bytes", G::u8, n, "").bytes());
  std::filesystem::resize_file(path, n + 1000);  // a hole: no disk space
  reset_largest_allocation();
  check_refused([&] { GgufFile::open(path, {}); }, Status::bad_file, {path, "metadata key bytes"});
  CHECK(largest_allocation() < 10'000);

  write_bytes(path, G().key("text", G::string, G::raw((std::uint64_t{1} << 26) + 1)).bytes());
  std::filesystem::resize_file(path, (std::size_t{1} << 26) + 1000);
  check_refused([&] { GgufFile::open(path, {}); }, Status::bad_file, {path, "more than any model has"});
  CHECK(largest_allocation() < 10'000);
}

TEST_CASE("split files: parts that are missing, mixed up, or not what their names say") {
  const std::string golden = MLA_SOURCE_DIR "/tests/golden/gguf/";
  const ScratchFolder folder;
  const auto name = [](int i, int n = 3) { return "split-0000" + std::to_string(i) + "-of-0000" + std::to_string(n) + ".gguf"; };
  const auto put = [&](int from, const std::string& to) { write_bytes(folder / to, read_bytes(golden + name(from))); };
  const auto open = [&](const std::string& file) { return GgufFile::open(folder / file, {}); };
  const auto check = [&](const std::string& file, Status status, const std::vector<std::string>& texts) {
    check_refused([&] { open(file); }, status, texts);
  };
  put(1, name(1)), put(3, name(3));
  for (const int named : {1, 3}) check(name(named), Status::not_found, {"part 2 of 3 is missing", name(2)});

  put(1, name(2));  // the first part again: a cycle
  check(name(1), Status::bad_file, {name(2), "split.no"});
  put(3, name(2));
  check(name(3), Status::bad_file, {name(2), "split.no"});
  std::filesystem::remove(folder / name(2));
  std::filesystem::create_symlink(name(1), folder / name(2));
  check(name(1), Status::bad_file, {name(2), "split.no"});
  std::filesystem::remove(folder / name(2));

  write_bytes(folder / name(2), read_bytes(golden + "aligned.gguf"));  // of another model
  check(name(1), Status::bad_file, {name(2), "split.count"});
  std::filesystem::remove(folder / name(2));
  std::filesystem::create_directory(folder / name(2));
  check(name(1), Status::io_error, {name(2)});
  std::filesystem::remove(folder / name(2));

  put(2, name(2));
  CHECK(open(name(1)).tensors().size() == 5);
  write_bytes(folder / name(3), read_bytes(golden + name(3)).substr(0, 150));
  check(name(1), Status::bad_file, {name(3), "cut short"});

  put(1, "renamed.gguf");
  check("renamed.gguf", Status::bad_file, {"renamed.gguf", "-of-00003.gguf"});
  put(1, name(1, 2));
  check(name(1, 2), Status::bad_file, {name(1, 2), "split.count"});
  put(1, name(4));
  check(name(4), Status::bad_file, {name(4), "part 4 of 3"});

  // A tensor that two parts hold, and one that none holds.
  const auto part = [&](int i, const std::string& tensor, std::uint32_t total) {
    G g;
    g.key("split.no", G::u16, G::raw(static_cast<std::uint16_t>(i))).key("split.count", G::u16, G::raw(std::uint16_t{2}));
    g.key("split.tensors.count", G::i32, G::raw(total)).tensor(tensor, {4}, type_f32, 0);
    write_bytes(folder / name(i + 1, 2), g.bytes(16));
  };
  part(0, "a", 2), part(1, "a", 2);
  check(name(1, 2), Status::bad_file, {name(2, 2), "tensor a occurs twice"});
  part(0, "a", 3), part(1, "b", 3);
  check(name(1, 2), Status::bad_file, {name(1, 2), "split.tensors.count"});
  part(0, "a", 2);
  CHECK(open(name(2, 2)).tensors().size() == 2);
}
