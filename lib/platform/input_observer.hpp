// Who wants to see what weights are multiplied with (importance matrices).
#pragma once
#include <cstdint>

namespace mla::platform {

class Executor;

class InputObserver {
 public:
  virtual ~InputObserver() = default;
  /// Rows x [m, columns], ldx apart, meet the matrix at `weights`, or number `matrix` of equal ones there (experts, heads). Called between
  /// operations, on the thread that computes.
  virtual void observe(const void* weights, std::int64_t matrix, const float* x, std::int64_t ldx, std::int64_t m, Executor& executor) = 0;
};

}  // namespace mla::platform
