// Tensors whose rows are interleaved, put in order when they are loaded.
#pragma once
#include <functional>
#include <memory>
#include <mla/host.hpp>
#include <vector>

#include "format/gguf.hpp"
#include "kernels/matrix.hpp"
#include "platform/memory.hpp"
#include "quant/interleaving.hpp"

namespace mla::model {

/// All rows [rows, cols] of the tensor in the layout's base type, in memory that is added to `owned`.
/// Calls keep_going now and then, which throws to stop. Throws Error(out_of_memory) that names the tensor.
kernels::Matrix restore_interleaved(const quant::Interleaving& layout, const format::TensorInfo& tensor, std::int64_t rows, std::int64_t cols,
                                    const std::shared_ptr<Allocator>& allocator, const std::function<void()>& keep_going,
                                    std::vector<platform::Buffer>& owned);

}  // namespace mla::model
