// A model larger than the memory that its process may have still runs, mapped. Needs a control group that a test may make: root, and
// no container that forbids it. Elsewhere the test says that it was skipped.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>

#include "kernels/int8.hpp"
#include "run_tiny.hpp"

using namespace mla;
namespace fs = std::filesystem;

namespace {

// A control group of so much memory, of version 2 or 1; without a folder where none can be made.
class LimitedGroup {
 public:
  explicit LimitedGroup(std::size_t bytes) {
    const std::string name = "mla_test_" + std::to_string(::getpid());
    for (const auto& [parent, limit] : {std::pair{"/sys/fs/cgroup/memory/", "memory.limit_in_bytes"}, {"/sys/fs/cgroup/", "memory.max"}}) {
      std::error_code error;
      const std::string folder = parent + name;
      if (!fs::create_directory(folder, error)) continue;
      folder_ = folder + "/";
      if (put(limit, std::to_string(bytes)) && fs::exists(folder_ + "cgroup.procs")) return;
      fs::remove(folder_.substr(0, folder_.size() - 1), error);
      folder_.clear();
    }
  }
  ~LimitedGroup() {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove(folder_.substr(0, folder_.size() - 1), ignored);
  }
  bool exists() const { return !folder_.empty(); }
  bool put(const std::string& name, const std::string& text) const {
    std::ofstream file(folder_ + name);
    file << text << std::flush;
    return file.good();
  }
  /// Whether the kernel had to take pages back to stay within the limit.
  bool was_hit() const {
    long count = 0;
    if (std::ifstream failures(folder_ + "memory.failcnt"); failures >> count) return count > 0;
    std::ifstream events(folder_ + "memory.events");
    for (std::string key; events >> key >> count;)
      if (key == "max") return count > 0;
    return false;
  }

 private:
  std::string folder_;
};

// A file on a disk, none of which is in memory.
struct ColdFile {
  std::string path = (fs::temp_directory_path() / ("mla_cold_" + std::to_string(::getpid()) + ".gguf")).string();
  ~ColdFile() { std::remove(path.c_str()); }
  void cool() const {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    ::fsync(fd);
    CHECK(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    ::close(fd);
  }
};

}  // namespace

TEST_CASE("a file larger than the memory there is: repacking is left out by itself, and the mapped model gives the same logits") {
  constexpr std::size_t limit = std::size_t{64} << 20;
  const LimitedGroup group(limit);
  if (!group.exists()) {
    std::cerr << "SKIPPED: no control group with a memory limit can be made here\n";
    return;
  }
  const TinyShape shape{.n_vocab = 32, .n_embd = 256, .n_layers = 3, .n_dense = 3, .n_ff = 49'152, .n_heads = 2, .n_nope = 32, .n_value = 128,
                        .n_latent = 256, .q_lora = 256, .n_groups = 1, .sigmoid = false};
  TinyModel model = original_layout(shape);
  for (TinyTensor& tensor : model.tensors)
    if (tensor.shape.size() == 2) tensor = stored_as(tensor, quant::Type::q8_0);
  const ColdFile file;
  model.write(file.path);
  model = {};
  REQUIRE(fs::file_size(file.path) > limit * 3 / 2);
  const std::vector<float> expected =
      logits_of(Model::load(file.path, {.repack = RepackMode::never}), AttentionMode::automatic, 0, 3).values;
  file.cool();

  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // 1: another result, 2: no fallback, 3: an error, 4: not in the group
    int status = 4;
    try {
      if (group.put("cgroup.procs", std::to_string(::getpid()))) {
        const auto log = std::make_shared<Messages>();
        const auto mapped = Model::load(file.path, {.log = log});
        status = logits_of(mapped, AttentionMode::automatic, 0, 3).values != expected ? 1 : 0;
        const bool would_repack = kernels::active_int8_kernels() != nullptr;
        if (status == 0 && would_repack && (mapped->info().panel_bytes > 0 || log->text.find("control group") == std::string::npos)) status = 2;
      }
    } catch (const std::exception& error) {
      std::cerr << error.what() << "\n";
      status = 3;
    }
    ::_exit(status);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));  // else the kernel killed it
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(group.was_hit());
}
