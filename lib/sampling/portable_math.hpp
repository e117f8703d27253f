// exp and log whose results depend on no C library: only IEEE additions, multiplications and divisions in a fixed order.
#pragma once

namespace mla::sampling {

/// e^x for x <= 0, within 1 ulp; exactly 1 at 0, and 0 below -708.
double portable_exp(double x) noexcept;

/// The natural logarithm of a finite x >= 1, within 3 ulp; exactly 0 at 1.
double portable_log(double x) noexcept;

}  // namespace mla::sampling
