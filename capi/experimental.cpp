// What <mla/mla_experimental.h> declares, but for what belongs to the cache.
#include <mla/mla_experimental.h>

#include <algorithm>

#include <mla/machine.hpp>

#include "guard.hpp"
#include "handles.hpp"

using namespace mla::capi;

namespace {

// Names of operations are string literals, so they end with a zero.
mla_op_timing translate(const mla::OpTiming& timing) {
  return {timing.name.data(), timing.seconds, timing.calls, timing.bytes, timing.operations};
}

template <typename Body>
mla_status in_turn(const char* function, mla_context* context, Body&& body) {
  return guarded(function, [&] {
    mla_context& handle = not_null(context, "context");
    const Turn turn(handle.busy, "the context");
    body(*handle.context);
  });
}

}  // namespace

mla_status mla_context_time_ops(mla_context* context, int32_t on) {
  return in_turn(__func__, context, [&](mla::Context& target) { target.time_ops(on != 0); });
}

mla_status mla_context_reset_op_timings(mla_context* context) {
  return in_turn(__func__, context, [](mla::Context& target) { target.reset_op_timings(); });
}

mla_status mla_context_op_timings(mla_op_timing** out, size_t* n_out, const mla_context* context) {
  return guarded(__func__, [&] {
    clear_out(out), clear_out(n_out);
    const mla_context& handle = not_null(context, "context");
    Turn::check(handle.busy, "the context");
    const std::vector<mla::OpTiming> timings = handle.context->op_timings();
    auto* memory = static_cast<mla_op_timing*>(new_memory(timings.size() * sizeof(mla_op_timing)));
    std::ranges::transform(timings, memory, translate);
    *out = memory;
    *n_out = timings.size();
  });
}

mla_status mla_machine_measure(mla_machine_rates* rates, int32_t n_threads) {
  return guarded(__func__, [&] {
    not_null(rates, "rates");
    const mla::MachineRates measured = mla::measure_machine(n_threads);
    const mla_machine_rates filled = {sizeof(mla_machine_rates), measured.read_bytes, measured.f32_operations, measured.int8_operations};
    write_struct(rates, filled, "rates");
  });
}
