/* libmla: what may still change, or go, with any version; the rest is in <mla/mla.h>, whose rules hold here too.
 * A program that uses this must be built with the version that it runs with.
 */
#ifndef MLA_MLA_EXPERIMENTAL_H
#define MLA_MLA_EXPERIMENTAL_H

#include <mla/mla.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Where the time goes ----------------------------------------------------------------------------------------- */

/* Totals of one operation over all layers and calls of mla_context_decode(). docs/benchmarks.md explains the names. */
typedef struct mla_op_timing {
  const char *name;    /* "q", "kv_a", "kq", "experts_gate_up", ...; static */
  double seconds;      /* wall time; inside attention, time of all threads divided by their number */
  uint64_t calls;      /* inside attention, tiles */
  uint64_t bytes;      /* of weights read, or of cache rows read or written */
  uint64_t operations; /* two for each multiply-add of a matrix product */
} mla_op_timing;

/* Nonzero: keep timings from the next decode on, which costs some clock reads per layer; 0, as at first: no more. */
MLA_API mla_status mla_context_time_ops(mla_context *context, int32_t on);
/* What was kept since the context was made or the timings were reset: operations that ran, in the order of the forward pass; their seconds add up
 * to the time spent computing. *out is an array of *n_out entries: free it with mla_free(). */
MLA_API mla_status mla_context_op_timings(mla_op_timing **out, size_t *n_out, const mla_context *context);
MLA_API mla_status mla_context_reset_op_timings(mla_context *context);

/* ---- For benchmarks ---------------------------------------------------------------------------------------------- */

/* Appends n rows of random values to a sequence, behind its last position, as if n tokens had been computed: the cost of attention doesn't
 * depend on the values. MLA_INVALID_ARGUMENT, _CACHE_FULL, _OUT_OF_MEMORY; the cache is then as it was. */
MLA_API mla_status mla_kv_cache_fill_random(mla_kv_cache *cache, mla_sequence_id seq, int32_t n, uint64_t seed);

/* What this machine can do at most, all threads together, per second; an operation is a multiplication or an addition. */
typedef struct mla_machine_rates {
  size_t struct_size;
  double read_bytes;      /* memory read in order */
  double f32_operations;  /* dense f32 matrix product */
  double int8_operations; /* dense product of bytes */
} mla_machine_rates;
#define MLA_MACHINE_RATES_INIT {sizeof(mla_machine_rates), 0, 0, 0}

/* Measures them in about a second on n_threads threads (0: the processors that this process may use) with half a GiB of memory, and fills `rates`
 * up to its struct_size. */
MLA_API mla_status mla_machine_measure(mla_machine_rates *rates, int32_t n_threads);

#ifdef __cplusplus
}
#endif
#endif
