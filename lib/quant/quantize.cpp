#include "quant/quantize.hpp"

#include "platform/fail.hpp"
#include "quant/dispatch.hpp"

namespace mla::quant {

bool can_quantize(Type type) noexcept { return active_quantizer(type) != nullptr; }

void quantize(Type type, const float* in, void* out, std::int64_t n) {
  const QuantizeFn run = active_quantizer(type);
  if (run == nullptr)
    fail(Status::unsupported, "cannot quantise to {} in this version: use F32, F16, BF16, Q4_0, Q6_0 or Q8_0", traits(type).name);
  run(in, out, n);
}

}  // namespace mla::quant
