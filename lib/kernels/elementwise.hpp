// Row-wise operations between the matrix products.
#pragma once
#include <cstdint>

namespace mla::kernels {

/// y = x / sqrt(mean(x²) + eps) · weight; x and y [n] may be the same.
void rms_norm(const float* x, const float* weight, float eps, float* y, std::int64_t n);

/// Rotates the pairs (2i, 2i+1) of x [2·n_pairs] by angles with the given cosines and sines [n_pairs], in place.
void rope_interleaved(float* x, const float* cosines, const float* sines, std::int64_t n_pairs);

/// gate = silu(gate) · up, [n].
void silu_multiply(float* gate, const float* up, std::int64_t n);

/// x = exp(x - max), and returns the sum of the new x; entries of -infinity become exactly 0. [n]
float exp_minus_max(float* x, float max, std::int64_t n);

/// y += scale · x, [n]
void add_scaled(float* y, const float* x, float scale, std::int64_t n);

/// y = y_scale · y + x_scale · x, [n]
void scale_and_add_scaled(float* y, float y_scale, const float* x, float x_scale, std::int64_t n);

}  // namespace mla::kernels
