// MarkedText: UTF-8 text in which every byte knows whether the template wrote it (trusted) or the conversation did.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mla::text::jinja {

/// Bytes that one string of a template may have; longer ones are an error, so that no template can fill the memory.
inline constexpr std::size_t max_text_bytes = std::size_t{64} << 20;

class MarkedText {
 public:
  /// Ends at byte `end`, begins where the run before it ends. Neighbours differ in `trusted`; none is empty.
  struct Run {
    std::size_t end;
    bool trusted;
  };

  MarkedText() = default;
  MarkedText(std::string_view bytes, bool trusted) { append(bytes, trusted); }

  const std::string& bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  const std::vector<Run>& runs() const noexcept { return runs_; }

  void append(std::string_view bytes, bool trusted);
  void append(const MarkedText& other) { append(other, 0, other.size()); }
  /// Appends bytes begin … end-1 of another text with their marks, or with `trusted` false for all of them.
  void append(const MarkedText& other, std::size_t begin, std::size_t end, bool keep_trust = true);
  MarkedText part(std::size_t begin, std::size_t end) const;

  /// True if every byte from begin to end-1 is trusted; so is an empty range.
  bool trusted(std::size_t begin, std::size_t end) const;
  bool trusted() const { return trusted(0, size()); }

 private:
  std::size_t run_at(std::size_t position) const;
  std::string bytes_;
  std::vector<Run> runs_;
};

}  // namespace mla::text::jinja
