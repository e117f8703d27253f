// How far the sweeps over damaged files go: the suites labelled full are built with MLA_FULL_SWEEP.
#pragma once

namespace sweep {
#ifdef MLA_FULL_SWEEP
constexpr bool full = true;
#else
constexpr bool full = false;
#endif
}  // namespace sweep
