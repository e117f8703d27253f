// The values that the 4-bit indices of IQ4_NL and IQ4_XS stand for (GGUF format).
#pragma once

namespace mla::quant {

constexpr float iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

}  // namespace mla::quant
