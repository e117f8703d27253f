// Memory nodes on a machine that has one: the processors there are, and some that aren't, dealt out among them.
#pragma once
#include <map>
#include <mutex>
#include <utility>

#include "platform/numa.hpp"

/// Writes down what it is asked for. Thread-safe.
class RecordedMemory final : public mla::platform::NodeMemory {
 public:
  void prefer(int node) const noexcept override { count(node); }
  void interleave(std::span<const int> nodes) const noexcept override { count(-static_cast<int>(nodes.size())); }
  std::vector<unsigned long> save() const override {
    count(saves);
    return {42};
  }
  void restore(const std::vector<unsigned long>& saved) const noexcept override {
    count(saved == std::vector<unsigned long>{42} ? restores : wrong);
  }

  /// How often a node was preferred; for -n, how often n nodes were interleaved.
  int calls(int node) const {
    const std::lock_guard lock(mutex_);
    return calls_[node];
  }
  static constexpr int saves = 1000, restores = 1001, wrong = 1002;

 private:
  void count(int what) const noexcept {
    const std::lock_guard lock(mutex_);
    ++calls_[what];
  }
  mutable std::mutex mutex_;
  mutable std::map<int, int> calls_;
};

/// `n_nodes` nodes with ids 0, 2, 4 … of at least `per_node` processors each.
inline mla::platform::Topology fake_nodes(int n_nodes, int per_node = 2) {
  mla::platform::Topology t;
  std::vector<int> ids = mla::platform::affinity_mask();
  for (int missing = 9000; ids.size() < static_cast<std::size_t>(n_nodes * per_node); ++missing) ids.push_back(missing);
  for (std::size_t i = 0; i < ids.size(); ++i) t.processors.push_back({ids[i], 2 * (static_cast<int>(i) % n_nodes), ids[i], true});
  for (int node = 0; node < n_nodes; ++node) t.nodes.push_back(2 * node);
  return t;
}

inline std::shared_ptr<const mla::platform::NumaPlan> fake_plan(
    mla::Numa mode, int n_nodes, std::shared_ptr<RecordedMemory> memory = std::make_shared<RecordedMemory>()) {
  return mla::platform::plan_numa(mode, fake_nodes(n_nodes), std::move(memory));
}
