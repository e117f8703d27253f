// Types with an offset: x ≈ scale · q - minimum, q from 0 to F::last, neither scale nor minimum negative. For fixed quants q the best scale
// and minimum of a block solve two linear equations; so the search tries ranges that cut off more or less at either end, takes the error
// that those equations leave, and then lets quants and range settle. F says how many values a block has and how large quants are.
#pragma once
#include "quant/encode/lanes.hpp"

namespace mla::quant {
namespace {

// What does not depend on the quants: Σw and Σwx.
struct Moments {
  Lanes w = all(0), x = all(0);
};

// What does: Σwq, Σwqq, Σwqx.
struct Sums {
  Lanes q = all(0), qq = all(0), qx = all(0);
};

struct Line {
  Lanes scale = all(0), minimum = all(0);
};

template <typename F>
Lanes quants_at(Lanes x, Lanes inverse_scale, Lanes minimum) {
  return round(clamp((x + minimum) * inverse_scale, 0, F::last));
}

template <typename F>
Sums sums_at(const Blocks<F::n>& b, const Line& line) {
  const Lanes inverse_scale = inverse(line.scale);
  Sums s;
  for (int i = 0; i < F::n; ++i) {
    const Lanes q = quants_at<F>(b.x[i], inverse_scale, line.minimum), wq = b.w[i] * q;
    s.q += wq;
    s.qq += wq * q;
    s.qx += wq * b.x[i];
  }
  return s;
}

template <typename F>
Lanes error_at(const Blocks<F::n>& b, const Line& line) {
  const Lanes inverse_scale = inverse(line.scale);
  Lanes error = all(0);
  for (int i = 0; i < F::n; ++i) {
    const Lanes e = b.x[i] + line.minimum - line.scale * quants_at<F>(b.x[i], inverse_scale, line.minimum);
    error += b.w[i] * e * e;
  }
  return error;
}

// The best line for given quants; its minimum is not negative.
Line solve(const Moments& m, const Sums& s) {
  const Lanes determinant = m.w * s.qq - s.q * s.q;
  Line line;
  line.scale = (m.w * s.qx - m.x * s.q) * inverse(determinant);
  line.minimum = (line.scale * s.q - m.x) * inverse(m.w);
  const Mask positive = (line.minimum < 0.0f) | (determinant <= 0.0f);
  line.scale = most(select(positive, s.qx * inverse(s.qq), line.scale), all(0));
  line.minimum = select(positive, all(0), line.minimum);
  return line;
}

// Error but for Σwxx, which is the same for all lines.
Lanes error_of(const Moments& m, const Sums& s, const Line& line) {
  return line.scale * line.scale * s.qq - 2.0f * line.scale * (s.qx + line.minimum * s.q) +
         line.minimum * (2.0f * m.x + line.minimum * m.w);
}

template <typename F>
struct SubBlocks {
  Blocks<F::n> b;
  Moments moments;
  Line best;
  Sums sums;  // with the quants of `best`
};

template <typename F>
void search_line(SubBlocks<F>& s) {
  const auto& b = s.b;
  Lanes low = all(0), high = b.x[0];
  s.moments = {};
  for (int i = 0; i < F::n; ++i) {
    low = least(low, b.x[i]);
    high = most(high, b.x[i]);
    s.moments.w += b.w[i];
    s.moments.x += b.w[i] * b.x[i];
  }
  const Lanes range = high - low;
  Lanes least_error = all(0);  // of scale 0
  s.best = {};
  s.sums = {};
  const auto consider = [&](const Line& line) {
    const Sums sums = sums_at<F>(b, line);
    const Line solved = solve(s.moments, sums);
    const Lanes error = error_of(s.moments, sums, solved);
    const Mask better = error < least_error;
    least_error = select(better, error, least_error);
    s.best.scale = select(better, solved.scale, s.best.scale);
    s.best.minimum = select(better, solved.minimum, s.best.minimum);
    s.sums.q = select(better, sums.q, s.sums.q);
    s.sums.qq = select(better, sums.qq, s.sums.qq);
    s.sums.qx = select(better, sums.qx, s.sums.qx);
  };
  // How many quants the ends lie outside of the range that is kept: negative where the range is wider than the values.
  constexpr float cuts[] = {-0.35f, 0.0f, 0.3f, 0.6f, 1.0f};
  for (const float below : cuts)
    for (const float above : cuts) {
      Line line;
      line.scale = range * (1.0f / (F::last + below + above));
      line.minimum = -(low + below * line.scale);
      consider(line);
    }
  for (int round = 0; round < 3; ++round) consider(s.best);
}

}  // namespace
}  // namespace mla::quant
