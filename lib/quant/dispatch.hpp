// Which implementation runs: the first that has the type, from the widest instruction set allowed to scalar.
#pragma once
#include "platform/cpu.hpp"
#include "quant/kernels.hpp"

namespace mla::quant {

DequantizeFn find_dequantizer(Type type, platform::Isa isa) noexcept;        // nullptr: the rows have a header
DequantizeRowFn find_row_dequantizer(Type type, platform::Isa isa) noexcept;  // nullptr: they have none
QuantizeFn find_quantizer(Type type, platform::Isa isa) noexcept;  // nullptr: this version cannot write the type
EncodeFn find_encoder(Type type, platform::Isa isa) noexcept;      // nullptr: there is none that searches

/// The same for the active ISA, looked up once per process.
DequantizeFn active_dequantizer(Type type) noexcept;
DequantizeRowFn active_row_dequantizer(Type type) noexcept;
QuantizeFn active_quantizer(Type type) noexcept;

}  // namespace mla::quant
