// Stop strings in text that comes in pieces.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace server {

/// Lets text through up to the first stop string, wherever the pieces are cut: what may yet become one is held back. The first one is
/// the one that ends first; of those that end together, the longest.
class StopMatcher {
 public:
  /// None of `stops` may be empty.
  explicit StopMatcher(std::vector<std::string> stops);

  /// The text that can be shown now. After a stop string: nothing more.
  std::string push(std::string_view text);
  /// What was held back, when no more text comes.
  std::string finish();

  bool stopped() const noexcept { return stopped_; }
  /// Bytes held back.
  std::size_t held() const noexcept { return held_.size(); }

 private:
  bool ends_with_stop(std::size_t end, std::size_t& begin) const noexcept;
  std::size_t possible_beginning() const noexcept;

  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace server
