// libnuma, loaded at run time: programs run without it, and only who asks for nodes on a machine that has several needs it.
#include <dlfcn.h>
#include <numaif.h>

#include <array>
#include <climits>

#include "platform/fail.hpp"
#include "platform/numa.hpp"

namespace mla::platform {
namespace {

constexpr std::size_t max_nodes = 1024, word_bits = sizeof(unsigned long) * CHAR_BIT, mask_words = max_nodes / word_bits;
using NodeMask = std::array<unsigned long, mask_words>;

// Stays loaded: other contexts, and threads of the host's, may be inside.
struct Libnuma {
  decltype(&::get_mempolicy) get_policy = nullptr;
  decltype(&::set_mempolicy) set_policy = nullptr;
  decltype(&::move_pages) move_pages = nullptr;
  std::string missing;  // why it can't be used; empty if it can

  Libnuma() {
    void* const library = dlopen("libnuma.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      missing = "libnuma.so.1 is not installed (apt-get install libnuma1)";
      return;
    }
    find(library, "get_mempolicy", get_policy);
    find(library, "set_mempolicy", set_policy);
    find(library, "move_pages", move_pages);
    int mode = 0;
    if (missing.empty() && get_policy(&mode, nullptr, 0, nullptr, 0) != 0)
      missing = "the system refuses memory policies (a container may need the capability SYS_NICE)";
  }

 private:
  template <typename Function>
  void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) missing = std::string("libnuma.so.1 has no function ") + name;
  }
};

const Libnuma& libnuma() {
  static const Libnuma library;
  return library;
}

class LibnumaMemory final : public NodeMemory {
 public:
  void prefer(int node) const noexcept override { set(MPOL_PREFERRED, {&node, 1}); }
  void interleave(std::span<const int> nodes) const noexcept override { set(MPOL_INTERLEAVE, nodes); }

  std::vector<unsigned long> save() const override {
    int mode = MPOL_DEFAULT;
    std::vector<unsigned long> saved(mask_words + 1);
    libnuma().get_policy(&mode, saved.data(), max_nodes, nullptr, 0);
    saved.back() = static_cast<unsigned long>(mode);
    return saved;
  }
  void restore(const std::vector<unsigned long>& saved) const noexcept override {
    libnuma().set_policy(static_cast<int>(saved.back()), saved.data(), max_nodes);
  }

 private:
  // A refusal leaves memory where the kernel likes: slower, not wrong.
  static void set(int mode, std::span<const int> nodes) noexcept {
    NodeMask mask{};
    for (const int node : nodes)
      if (node >= 0 && static_cast<std::size_t>(node) < max_nodes)
        mask[static_cast<std::size_t>(node) / word_bits] |= 1ul << (static_cast<std::size_t>(node) % word_bits);
    libnuma().set_policy(mode, mask.data(), max_nodes);
  }
};

}  // namespace

std::shared_ptr<const NodeMemory> libnuma_memory() {
  if (!libnuma().missing.empty()) fail(Status::unsupported, "placing memory on NUMA nodes needs libnuma: {}", libnuma().missing);
  return std::make_shared<LibnumaMemory>();
}

std::vector<int> nodes_of_pages(std::span<const std::byte* const> pages) {
  if (!libnuma().missing.empty()) return {};
  std::vector<int> nodes(pages.size());
  std::vector<void*> addresses;
  for (const std::byte* page : pages) addresses.push_back(const_cast<std::byte*>(page));
  if (libnuma().move_pages(0, addresses.size(), addresses.data(), nullptr, nodes.data(), 0) != 0) return {};
  for (int& node : nodes) node = node < 0 ? -1 : node;
  return nodes;
}

}  // namespace mla::platform
