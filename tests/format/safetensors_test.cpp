// Safetensors folders: what is right is read, everything else refused by file and tensor.
#include "format/safetensors.hpp"

#include "damage.hpp"
#include "refusal.hpp"
#include "safetensors_bytes.hpp"
#include "sweep.hpp"

using namespace mla;
using format::SafetensorsFolder;

namespace {

const std::string good_header =
    R"({"__metadata__":{"format":"pt"},"model.a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("model.b":{"dtype":"BF16","shape":[3],"data_offsets":[24,30]},"c":{"dtype":"I64","shape":[],"data_offsets":[30,38]},)"
    R"("d":{"dtype":"F16","shape":[0,7],"data_offsets":[38,38]}})";

std::string counted_bytes(std::size_t n) {
  std::string data;
  for (std::size_t i = 0; i < n; ++i) data += static_cast<char>(i);
  return data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"blk":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

struct Case {
  std::string what, bytes;
  Status status;
  std::vector<std::string> named;  // in the message, beside the file
};

std::vector<Case> cases() {
  const auto bad = Status::bad_file, unsupported = Status::unsupported;
  const auto file = [](const std::string& header, std::size_t data = 24) { return safetensors_bytes(header, counted_bytes(data)); };
  const std::string huge_length = std::string("\0\0\0\0\0\0\0\x7f", 8) + "{}", no_length = std::string(8, '\xff') + "{}";
  return {
      {"empty", "", bad, {"cut short"}},
      {"7 bytes", "1234567", bad, {"cut short"}},
      {"a header longer than the file", huge_length, bad, {"cut short"}},
      {"a header length of all ones", no_length, bad, {"cut short"}},
      {"no JSON", file("nonsense"), bad, {"not JSON, or cut off"}},
      {"JSON that is no object", file("[1, 2]"), bad, {"no JSON object"}},
      {"a tensor that is no object", file(R"({"blk": 7})"), bad, {"tensor blk"}},
      {"a tensor without dtype", file(R"({"blk":{"shape":[1],"data_offsets":[0,4]}})"), bad, {"tensor blk", "dtype"}},
      {"a tensor without shape", file(R"({"blk":{"dtype":"F32","data_offsets":[0,4]}})"), bad, {"tensor blk", "shape"}},
      {"a tensor without offsets", file(R"({"blk":{"dtype":"F32","shape":[1]}})"), bad, {"tensor blk", "data_offsets"}},
      {"an unknown dtype", file(entry("F6_E3M2", "[6]", "[0,6]")), unsupported, {"tensor blk", "F6_E3M2"}},
      {"three offsets", file(entry("F32", "[1]", "[0,4,8]")), bad, {"tensor blk"}},
      {"a negative offset", file(entry("F32", "[1]", "[-4,0]")), bad, {"tensor blk"}},
      {"offsets in reverse", file(entry("F32", "[1]", "[4,0]")), bad, {"tensor blk"}},
      {"an offset that is a fraction", file(entry("F32", "[1]", "[0.5,4.5]")), bad, {"tensor blk"}},
      {"offsets that don't fit the shape", file(entry("F32", "[2]", "[0,4]")), bad, {"tensor blk"}},
      {"a negative size", file(entry("F32", "[-1]", "[0,4]")), bad, {"tensor blk"}},
      {"sizes whose product overflows", file(entry("F32", "[4294967296,4294967296]", "[0,0]")), bad, {"tensor blk"}},
      {"9 dimensions", file(entry("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]")), bad, {"tensor blk"}},
      {"data that end early", file(entry("F32", "[6]", "[0,24]"), 23), bad, {"tensor blk", "cut short"}},
      {"tensors over one another",
       file(R"({"one":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"two":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})"),
       bad, {"tensor one", "tensor two", "overlap"}},
      {"a tensor twice",
       file(R"({"one":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"one":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"), bad,
       {"one", "twice"}},
  };
}

}  // namespace

TEST_CASE("safetensors: shapes, types and bytes of one file, not aligned") {
  const ScratchFolder folder;
  const std::string path = folder / "model.safetensors";
  for (const std::string padding : {"", " ", "   "}) {
    write_bytes(path, safetensors_bytes(good_header + padding, counted_bytes(38)));
    const auto weights = SafetensorsFolder::open(folder.path());
    CHECK(weights.tensors().size() == 4);
    const auto* a = weights.find("model.a.weight");
    REQUIRE(a != nullptr);
    CHECK(a->dtype == "F32");
    CHECK(a->shape == std::vector<std::uint64_t>{2, 3});
    CHECK(a->bytes == 24);
    CHECK(*a->path == path);
    CHECK(std::string(reinterpret_cast<const char*>(a->data), 24) == counted_bytes(24));
    REQUIRE(weights.find("model.b") != nullptr);
    CHECK(static_cast<int>(weights.find("model.b")->data[5]) == 29);
    CHECK(weights.find("c")->bytes == 8);
    CHECK(weights.find("d")->bytes == 0);
    CHECK(weights.find("__metadata__") == nullptr);
  }
}

TEST_CASE("safetensors that contradict themselves") {
  const ScratchFolder folder;
  const std::string path = folder / "model.safetensors";
  for (const Case& c : cases()) {
    INFO(c.what);
    write_bytes(path, c.bytes);
    std::vector<std::string> named = c.named;
    named.push_back(path);
    reset_largest_allocation();
    check_refused([&] { SafetensorsFolder::open(folder.path()); }, c.status, named);
    CHECK(largest_allocation() < 10'000);
  }
}

TEST_CASE("safetensors with flipped bits, and cut anywhere") {
  const ScratchFolder folder;
  const std::string bytes = safetensors_bytes(good_header, counted_bytes(38));
  DamagedFile file(folder / "model.safetensors", bytes);
  const auto load = [&] {
    const auto weights = SafetensorsFolder::open(folder.path());
    int sum = 0;
    for (const auto& [name, tensor] : weights.tensors())
      for (std::uint64_t i = 0; i < tensor.bytes; ++i) sum += static_cast<int>(tensor.data[i]);
    if (sum < 0) throw std::logic_error("no sum of bytes");
  };
  flip_bits(file, load, 100'000, [](std::size_t) { return true; });
  cut_everywhere(file, load, bytes.size(), 100'000);
}

TEST_CASE("an index and its shards") {
  const ScratchFolder folder;
  const std::string index = folder / "model.safetensors.index.json";
  const std::string first = "model-00001-of-00002.safetensors", second = "model-00002-of-00002.safetensors";
  const auto map = [&](const std::string& entries) { write_bytes(index, R"({"metadata":{},"weight_map":{)" + entries + "}}"); };
  const auto shard = [&](const std::string& name, const std::string& tensor) {
    write_bytes(folder / name, safetensors_bytes(R"({")" + tensor + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "data"));
  };
  const auto refused = [&](Status status, const std::vector<std::string>& texts) {
    check_refused([&] { SafetensorsFolder::open(folder.path()); }, status, texts);
  };
  refused(Status::not_found, {folder / "model.safetensors"});

  shard(first, "a"), shard(second, "b");
  const std::string both = R"("a":")" + first + R"(","b":")" + second + R"(")";
  map(both);
  CHECK(SafetensorsFolder::open(folder.path()).tensors().size() == 2);
  map(both + R"(,"c":")" + second + R"(")");
  refused(Status::bad_file, {index, "tensor c", second});
  map(both + R"(,"c":"model-00003-of-00003.safetensors")");
  refused(Status::not_found, {folder / "model-00003-of-00003.safetensors"});
  for (const char* outside : {R"("../secret.safetensors")", R"("/etc/passwd")", "7", "null", "{}"}) {
    map(both + R"(,"c":)" + outside);
    refused(Status::bad_file, {index, "c"});
  }
  map(both + R"(,"c":"..")");
  refused(Status::io_error, {folder / ".."});
  map(both + R"(,"a":")" + second + R"(")");
  refused(Status::bad_file, {index, "twice"});
  for (const char* text : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map")", ""}) {
    write_bytes(index, text);
    refused(Status::bad_file, {index});
  }
  map(both);
  shard(second, "a");
  refused(Status::bad_file, {folder / second, "tensor a is in two files"});
}
