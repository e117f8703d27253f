#include "model/hf_encoder.hpp"

#include <algorithm>

#include "platform/fail.hpp"
#include "quant/quantize.hpp"

namespace mla::model {
namespace {

constexpr std::int64_t task_values = std::int64_t{1} << 17;   // of a thread at a time: half a megabyte of floats
constexpr std::int64_t piece_values = std::int64_t{1} << 23;  // between two calls of the sink

std::int64_t rows_of(std::int64_t values, const HfTensor& tensor) {
  const std::int64_t step = tensor.step();
  return std::max<std::int64_t>(1, values / (tensor.cols() * step)) * step;
}

}  // namespace

HfEncoder::HfEncoder(const format::SafetensorsFolder& files, int n_threads)
    : files_(files), pool_(make_thread_pool(n_threads)), rows_(static_cast<std::size_t>(pool_->n_threads())) {}

void HfEncoder::run(const HfTensor& tensor, quant::Type type, const std::function<void(std::span<const std::byte>)>& sink) {
  const std::int64_t rows = tensor.rows(), piece = rows_of(piece_values, tensor);
  for (std::int64_t first = 0; first < rows; first += piece) {
    const std::int64_t n = std::min(piece, rows - first);
    const auto sources = tensor.bytes_of(first, n);
    encode(tensor, type, first, n);
    sink(blocks_);
    for (const std::span<const std::byte> bytes : sources)
      if (const platform::FileView* file = files_.file_with(bytes.data())) file->let_go(bytes);
  }
}

void HfEncoder::encode(const HfTensor& tensor, quant::Type type, std::int64_t first, std::int64_t n) {
  const std::int64_t cols = tensor.cols(), step = rows_of(task_values, tensor);
  const std::size_t row_bytes = quant::row_bytes(type, cols);
  blocks_.resize(row_bytes * static_cast<std::size_t>(n));
  auto task = [&](int i, int thread) {
    const std::int64_t begin = i * step, count = std::min(step, n - begin);
    std::vector<float>& rows = rows_[static_cast<std::size_t>(thread)];
    rows.resize(static_cast<std::size_t>(count * cols));
    tensor.load(first + begin, count, rows.data());
    quant::quantize(type, rows.data(), blocks_.data() + row_bytes * static_cast<std::size_t>(begin), count * cols);
  };
  const auto call = [](void* data, int i, int thread) { (*static_cast<decltype(task)*>(data))(i, thread); };
  pool_->run(static_cast<int>((n + step - 1) / step), {call, &task});
}

quant::Type HfEncoder::type_for(const HfTensor& tensor, quant::Type wanted, LogSink* log) {
  if (!tensor.is_matrix) return quant::Type::f32;
  if (tensor.cols() % quant::traits(wanted).block_size == 0) return wanted;
  if (log != nullptr)
    log->write(LogLevel::info, fmt::format("{}: rows of {} values don't fit {}: stored as F16", tensor.name, tensor.cols(), quant::traits(wanted).name));
  return quant::Type::f16;
}

}  // namespace mla::model
