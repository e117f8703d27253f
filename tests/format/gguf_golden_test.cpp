// Files that the gguf Python package wrote, and the one of ours that it read.
#include <mla/error.hpp>

#include "catch.hpp"
#include "format/gguf.hpp"
#include "format/gguf_writer.hpp"
#include "gguf_listing.hpp"
#include "refusal.hpp"
#include "scratch_folder.hpp"

using namespace mla;
using format::GgufFile;

namespace {

const std::string golden = MLA_SOURCE_DIR "/tests/golden/gguf/";

// The tensors' lines of a later part.
std::string without_keys(const std::string& text) {
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin) + 1;
    if (!text.substr(begin).starts_with("split.")) out += text.substr(begin, end - begin);
    begin = end;
  }
  return out;
}

}  // namespace

TEST_CASE("files of the gguf package: every metadata type, every tensor type, mapped and read") {
  for (const bool use_mmap : {true, false}) {
    for (const std::string name : {"types", "aligned"}) {
      const GgufFile file = GgufFile::open(golden + name + ".gguf", {.use_mmap = use_mmap});
      CHECK(file.version() == 3);
      CHECK(file.n_parts() == 1);
      CHECK(listing(file) == read_bytes(golden + name + ".txt"));
    }
  }
}

TEST_CASE("a version 2 header reads as version 3") {
  const ScratchFolder folder;
  std::string bytes = read_bytes(golden + "types.gguf");
  bytes[4] = 2;
  write_bytes(folder / "v2.gguf", bytes);
  const GgufFile file = GgufFile::open(folder / "v2.gguf", {});
  CHECK(file.version() == 2);
  CHECK(listing(file) == read_bytes(golden + "types.txt"));
}

TEST_CASE("a split file of the gguf package, whichever part is named") {
  const auto part = [](int i) { return golden + "split-0000" + std::to_string(i) + "-of-00003"; };
  std::string expected = read_bytes(part(1) + ".txt");
  for (int later = 2; later <= 3; ++later) expected += without_keys(read_bytes(part(later) + ".txt"));
  for (const bool use_mmap : {true, false}) {
    for (int named = 1; named <= 3; ++named) {
      const GgufFile file = GgufFile::open(part(named) + ".gguf", {.use_mmap = use_mmap});
      CHECK(file.n_parts() == 3);
      CHECK(file.path() == part(1) + ".gguf");
      CHECK(file.file_bytes() == 384 + 320 + 224);
      CHECK(listing(file) == expected);
    }
  }
}

TEST_CASE("the writer's file is the one that the gguf package has read") {
  const ScratchFolder folder;
  const std::string path = folder / "from_libmla.gguf";
  {
    format::GgufWriter writer(path);
    writer.add_string("general.architecture", "deepseek2");
    writer.add_string("text", "ünï, \"quoted\"\n");
    writer.add_string("text.empty", "");
    writer.add_uint("uint", 4000000000u);
    writer.add_float("float", -0.1f);
    writer.add_bool("yes", true);
    writer.add_bool("no", false);
    const std::vector<std::string> words{"", "one", "<｜two｜>"};
    writer.add_strings("strings", words);
    const std::vector<std::int32_t> numbers{-2147483647 - 1, 0, 7};
    writer.add_ints("ints", numbers);
    writer.add_tensor("vector", {5}, quant::Type::f32);
    writer.add_tensor("matrix", {3, 4}, quant::Type::f16);
    writer.add_tensor("blocks", {32, 2, 3}, quant::Type::q8_0);
    writer.begin_data();
    std::byte next{0};
    const auto bytes = [&](std::size_t n) {
      std::vector<std::byte> out(n);
      for (std::byte& b : out) b = next = static_cast<std::byte>(static_cast<int>(next) * 5 + 3);
      return out;
    };
    writer.write(bytes(20));
    for (int piece = 0; piece < 4; ++piece) writer.write(bytes(6));
    CHECK_THROWS_AS(writer.write(bytes(34 * 6 + 1)), Error);
    writer.write(bytes(34 * 6));
    CHECK_FALSE(std::filesystem::exists(path));
    writer.finish();
  }
  const std::string bytes = read_bytes(path);
  if (bytes != read_bytes(golden + "from_libmla.gguf")) {
    write_bytes("from_libmla.gguf", bytes);
    FAIL_CHECK("the writer's bytes have changed: make_golden.py --check " << std::filesystem::absolute("from_libmla.gguf"));
  }
  CHECK(listing(GgufFile::open(path, {})) == read_bytes(golden + "from_libmla.txt"));
}

TEST_CASE("a writer that is given up leaves nothing, and one that lacks a tensor doesn't finish") {
  const ScratchFolder folder;
  {
    format::GgufWriter writer(folder / "out.gguf");
    writer.add_tensor("t", {4}, quant::Type::f32);
    writer.begin_data();
    CHECK_THROWS_WITH(writer.finish(), Catch::Contains("tensor t"));
  }
  CHECK(folder.empty());
}

TEST_CASE("a model in parts is the one in a single file") {
  const ScratchFolder folder;
  const std::vector<std::uint64_t> rows{700, 10, 3000, 1, 1, 800};  // of 4 bytes
  const auto write = [&](const std::string& path, std::uint64_t max_part_bytes) {
    format::GgufWriter writer(path, max_part_bytes);
    writer.add_string("general.architecture", "deepseek2");
    for (std::size_t i = 0; i < rows.size(); ++i) writer.add_tensor(std::to_string(i), {1, rows[i]}, quant::Type::f32);
    writer.begin_data();
    for (const std::uint64_t n : rows) {
      for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/done")) CHECK(entry.path().extension() == ".part");
      for (std::uint64_t r = 0; r < n; ++r) writer.write(std::as_bytes(std::span(&r, 1)).first(4));
    }
    writer.finish();
    return writer.paths();
  };
  std::filesystem::create_directory(folder / "done");
  std::filesystem::create_directory(folder / "whole");
  CHECK(write(folder / "whole/m.gguf", 20'000) == std::vector{folder / "whole/m.gguf"});
  const std::string want = listing(GgufFile::open(folder / "whole/m.gguf", {}));
  const std::vector<std::string> paths = write(folder / "done/m.gguf", 4096);
  REQUIRE(paths.size() == 3);
  CHECK(paths[2] == folder / "done/m-00003-of-00003.gguf");
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/done"))
    CHECK((entry.file_size() <= 4096 || entry.path().filename() == "m-00002-of-00003.gguf"));  // whose one tensor takes more
  for (const std::string& path : paths) {
    const GgufFile file = GgufFile::open(path, {});
    CHECK(file.get_uint("split.count") == 3u);
    CHECK(without_keys(listing(file)) == want);
  }
  format::GgufWriter many(folder / "many.gguf", 1);
  for (int i = 0; i <= 65535; ++i) many.add_tensor(std::to_string(i), {1}, quant::Type::f32);
  check_refused([&] { many.begin_data(); }, Status::invalid_argument, {"many.gguf", "65536"});
}

TEST_CASE("typed access names file, key and type") {
  const GgufFile file = GgufFile::open(golden + "types.gguf", {});
  CHECK(file.get_uint("high.uint64") == 18446744073709551615u);
  CHECK(file.get_uint("high.int8") == 127u);
  CHECK(file.get_float("one.float32") == -1.5);
  CHECK(file.get_float("low.int8") == -128.0);
  CHECK(file.get_bool("yes") == true);
  CHECK(file.get_string("text.empty") == "");
  CHECK(file.get_integers("array.int8") == std::vector<std::int64_t>{-128, 1, 127});
  CHECK(file.get_integers("array.uint16") == std::vector<std::int64_t>{0, 1, 65535});
  REQUIRE(file.get_strings("array.string") != nullptr);
  CHECK(file.get_strings("array.string")->size() == 4);
  CHECK_FALSE(file.get_uint("none"));
  CHECK_FALSE(file.get_float("none"));
  CHECK_FALSE(file.get_bool("none"));
  CHECK_FALSE(file.get_string("none"));
  CHECK_FALSE(file.get_integers("none"));
  CHECK(file.get_strings("none") == nullptr);
  CHECK(file.find("none") == nullptr);

  const auto refused = [&](const auto& call, const char* key, const char* type) {
    check_refused(call, Status::bad_file, {"types.gguf", key, type});
  };
  refused([&] { file.get_uint("low.int8"); }, "low.int8", "int8");
  refused([&] { file.get_uint("text"); }, "key text", "string");
  refused([&] { file.get_float("yes"); }, "key yes", "bool");
  refused([&] { file.get_bool("high.uint8"); }, "high.uint8", "uint8");
  refused([&] { file.get_string("array.string"); }, "array.string", "array");
  refused([&] { file.get_integers("array.float32"); }, "array.float32", "array of integers");
  refused([&] { file.get_strings("array.int8"); }, "array.int8", "array of strings");
  refused([&] { file.require_string("none"); }, "none", "missing");
}
