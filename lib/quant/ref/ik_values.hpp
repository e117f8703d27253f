// The values that the indices of ik_llama.cpp's types stand for. Each type has two tables, the second a little higher; a bit
// per sub-block says which. Files compiled for a wide instruction set include this header.
#pragma once
#include <stdint.h>

namespace mla::quant::ref {

// Tables of fewer than sixteen values end with zeros, so that a vector of them can be loaded.
constexpr int8_t iq2_k_values[2][16] = {{-31, -13, 1, 17}, {-26, -8, 6, 22}};
constexpr int8_t iq3_k_values[2][16] = {{-63, -40, -23, -10, 1, 13, 28, 47}, {-59, -36, -19, -6, 5, 17, 32, 51}};
constexpr int8_t iq4_k_values[2][16] = {{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
                                             {-123, -100, -79, -61, -45, -31, -18, -6, 5, 17, 29, 42, 57, 73, 93, 117}};
constexpr int8_t iq5_k_values[2][32] = {
    {-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36, -30, -24, -18, -12, -6,
     -1, 5, 11, 17, 23, 29, 36, 43, 51, 59, 68, 77, 87, 97, 109, 121},
    {-124, -112, -101, -90, -81, -72, -63, -55, -48, -41, -34, -28, -22, -16, -10, -4,
     1, 7, 13, 19, 25, 31, 38, 45, 53, 61, 70, 79, 89, 99, 111, 123}};
// The second table is one higher throughout.
constexpr int8_t iq6_k_values[64] = {
    -127, -121, -115, -109, -104, -98, -93, -88, -84, -79, -74, -70, -66, -62, -58, -54, -51, -47, -44, -40, -37, -34, -31, -28, -25, -22,
    -19, -16, -13, -11, -8, -5, -2, 0, 3, 6, 9, 12, 14, 17, 20, 23, 27, 30, 33, 36, 40, 44, 47, 51, 55, 59,
    63, 68, 72, 77, 82, 87, 92, 98, 103, 109, 115, 121};
// IQ2_KL: an index of 5 bits stands for two values.
constexpr int8_t iq2_kl_values[32][2] = {
    {-63, -23}, {-63, 13}, {-40, -63}, {-40, -10}, {-40, 13}, {-40, 47}, {-23, -40}, {-23, -23}, {-23, 1}, {-23, 13}, {-23, 28},
    {-10, -63}, {-10, 1}, {-10, 13}, {-10, 47}, {1, -23}, {1, -10}, {1, 1}, {1, 13}, {1, 28}, {13, -40}, {13, -23}, {13, -10},
    {13, 1}, {13, 13}, {28, -63}, {28, -23}, {28, 1}, {28, 28}, {28, 47}, {47, -23}, {47, 13}};

}  // namespace mla::quant::ref
