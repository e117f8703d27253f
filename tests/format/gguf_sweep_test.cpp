// Every file that can be made from a good one by a flipped bit or a cut is loaded or refused.
#include "damage.hpp"
#include "format/gguf.hpp"
#include "gguf_listing.hpp"
#include "sweep.hpp"

using namespace mla;
using format::GgufFile;

namespace {

const std::string golden = MLA_SOURCE_DIR "/tests/golden/gguf/";

void open_and_look(const std::string& path, bool use_mmap) {
  const GgufFile file = GgufFile::open(path, {.use_mmap = use_mmap});
  (void)listing(file);  // touches every value and all data
}

}  // namespace

TEST_CASE("flipped bits: all of the header, some of the data") {
  const ScratchFolder folder;
  for (const std::string name : {"types", "aligned", "from_libmla"}) {
    DamagedFile file(folder / (name + ".gguf"), read_bytes(golden + name + ".gguf"));
    const GgufFile good = GgufFile::open(file.path(), {});
    std::uint64_t header = file.size();
    for (const auto& tensor : good.tensors()) header = std::min(header, tensor.offset);
    for (const bool use_mmap : {true, false}) {
      if (!use_mmap && !sweep::full) continue;
      std::mt19937 random(7);
      flip_bits(file, [&] { open_and_look(file.path(), use_mmap); }, 64 * file.size() + 10'000,
                [&](std::size_t bit) { return bit < 8 * header || sweep::full || random() % 50 == 0; });
    }
  }
}

TEST_CASE("files cut anywhere") {
  const ScratchFolder folder;
  for (const std::string name : {"types", "aligned"}) {
    DamagedFile file(folder / (name + ".gguf"), read_bytes(golden + name + ".gguf"));
    const GgufFile good = GgufFile::open(file.path(), {});
    std::uint64_t needed = 0;
    for (const auto& tensor : good.tensors()) needed = std::max(needed, tensor.offset + tensor.bytes);
    for (const bool use_mmap : {true, false}) {
      cut_everywhere(file, [&] { open_and_look(file.path(), use_mmap); }, needed, 64 * file.size() + 10'000);
      file.cut(0);
      write_bytes(file.path(), read_bytes(golden + name + ".gguf"));
    }
  }
}

TEST_CASE("several bytes of the header at random") {
  const ScratchFolder folder;
  DamagedFile file(folder / "random.gguf", read_bytes(golden + "types.gguf"));
  constexpr unsigned char likely[] = {0x00, 0xff, 0x80, 0x7f, 0x01};
  std::mt19937 random(11);
  for (int round = 0; round < (sweep::full ? 200'000 : 10'000); ++round) {
    std::vector<std::size_t> places(1 + random() % 8);
    for (std::size_t& at : places) {
      at = 4 + random() % 2500;
      file.put(at, static_cast<char>(random() % 2 == 0 ? likely[random() % std::size(likely)] : random()));
    }
    reset_largest_allocation();
    const std::string what = "round " + std::to_string(round);
    (void)load_or_refuse([&] { open_and_look(file.path(), true); }, file.path(), what);
    if (largest_allocation() > 64 * file.size() + 10'000) FAIL(what << ": took a block of " << largest_allocation() << " bytes");
    for (const std::size_t at : places) file.restore(at);
  }
}
