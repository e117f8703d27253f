// What this machine can do at most: the limits that benchmarks are held against.
#pragma once

namespace mla {

/// Rates of all threads together, per second; an operation is a multiplication or an addition.
struct MachineRates {
  double read_bytes = 0;       ///< memory read in order, from buffers far larger than the caches
  double f32_operations = 0;   ///< dense f32 matrix product (oneDNN's sgemm)
  double int8_operations = 0;  ///< dense product of unsigned and signed bytes into 32-bit integers (oneDNN's u8s8s32)
};

/// Measures them on `n_threads` threads, 0 meaning the processors this process may use: the best of several rounds, in about a
/// second, with half a GiB of memory (32 MiB a thread if that is more) that is given back. Anything else that runs on the
/// machine lowers the figures.
/// Throws Error: invalid_argument, out_of_memory.
MachineRates measure_machine(int n_threads = 0);

}  // namespace mla
