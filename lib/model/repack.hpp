// Weights in the layout that the kernels read fastest: panels of sixteen rows (kernels/panels.hpp).
#pragma once
#include <mla/model.hpp>

#include "model/weights.hpp"
#include "platform/memory_room.hpp"

namespace mla::model {

/// Puts every matrix of the model that is read by integer kernels into panels, those apart that are read row by row (the token
/// embedding, and kv_b); on a processor without such kernels, matrices that a file has in panels into rows.
/// Mapped weights move to memory of the allocator's, and their pages are let go; those that the model owns change in place.
/// Parallel; polls options.progress with phase "repack" and bytes.
///
/// By the model's NumaPlan, memory comes from where it will be read. Numa::split and Numa::replicate take every matrix out of the
/// file, whether its layout changes or not, and throw Error(out_of_memory) with figures, before any is taken, where that doesn't fit.
///
/// RepackMode::automatic leaves weights where they are, and says so in the log, where the copy wouldn't fit in `kernel_files`'
/// memory; RepackMode::always then throws Error(out_of_memory) before anything is taken.
/// Throws Error: out_of_memory, aborted. The model is then of no use.
void repack(LoadedModel& model, const ModelOptions& options, const platform::KernelFiles& kernel_files = {});

/// Whether a tensor of a file may be stored in panels: weights of a type and with rows that fit them, and not read row by row.
bool may_be_in_panels(const format::TensorInfo& tensor);

/// Bytes that repacking a tensor of a mapped file takes beside the file; 0 for one that stays where it is.
std::uint64_t repacked_bytes(const format::TensorInfo& tensor);

/// Bytes of the model's matrices that are in panels.
std::uint64_t panel_bytes(const LoadedModel& model) noexcept;

}  // namespace mla::model
