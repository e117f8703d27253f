// GGUF → GGUF: the plan of the output, then one pass over the tensors, a piece at a time.
#include <mla/quantize.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

#include "format/gguf_writer.hpp"
#include "format/native_layout.hpp"
#include "kernels/panels.hpp"
#include "model/repack.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

using format::TensorInfo;
using kernels::panel_rows;

constexpr std::size_t piece_bytes = std::size_t{64} << 20;  // bounds the memory that a tensor takes

class Conversion {
 public:
  Conversion(format::GgufFile& file, const std::string& output, const QuantizeOptions& options)
      : file_(file), options_(options), output_(output), pool_(make_thread_pool(options.n_threads)), writer_(output) {
    for (const TensorInfo& tensor : file.tensors()) total_ += tensor.bytes;
  }

  void run() {
    write_header();
    for (const TensorInfo& tensor : file_.tensors()) {
      if (wants_panels(tensor) == tensor.in_panels)
        copy(tensor);
      else
        convert(tensor);
    }
    report();
    writer_.finish();
  }

 private:
  bool wants_panels(const TensorInfo& tensor) const { return options_.layout == FileLayout::native && model::may_be_in_panels(tensor); }

  void write_header() {
    for (const auto& [key, value] : file_.metadata())
      if (!key.starts_with("split.") && !key.starts_with("mla.layout") && key != "general.alignment") writer_.add_value(key, value);
    if (options_.layout == FileLayout::native) {
      writer_.add_string(format::layout_key, format::layout_name);
      writer_.add_uint(format::layout_version_key, format::layout_version);
    }
    for (const TensorInfo& tensor : file_.tensors())
      writer_.add_tensor(tensor.name, tensor.shape, wants_panels(tensor) ? format::number_in_panels(tensor.type) : tensor.type, tensor.bytes);
    writer_.begin_data();
  }

  void report() const {
    if (options_.progress && !options_.progress("write", done_, total_)) fail(Status::aborted, "writing {} was cancelled", output_);
  }

  void copy(const TensorInfo& tensor) {
    for (std::size_t at = 0; at < tensor.bytes; at += piece_bytes)
      write(tensor, at, {tensor.data + at, std::min<std::size_t>(piece_bytes, tensor.bytes - at)});
  }

  // Sixteen rows and a panel of them take the same place.
  void convert(const TensorInfo& tensor) {
    const auto type = static_cast<quant::Type>(tensor.type);
    const auto cols = static_cast<std::int64_t>(tensor.shape[0]);
    const std::size_t row_bytes = quant::row_bytes(type, cols), panel = panel_rows * row_bytes;
    const std::size_t piece = std::max(panel, piece_bytes / panel * panel);
    for (std::size_t at = 0; at < tensor.bytes; at += piece) {
      converted_.resize(std::min<std::size_t>(piece, tensor.bytes - at));
      auto task = [&](int i) {
        const std::byte* const from = tensor.data + at + static_cast<std::size_t>(i) * panel;
        std::byte* const to = converted_.data() + static_cast<std::size_t>(i) * panel;
        if (tensor.in_panels) return kernels::panel_to_rows(type, cols, from, to);
        kernels::rows_to_panel({from, type, panel_rows, cols, row_bytes}, 0, to);
      };
      const auto call = [](void* data, int i, int) { (*static_cast<decltype(task)*>(data))(i); };
      pool_->run(static_cast<int>(converted_.size() / panel), {call, &task});
      write(tensor, at, converted_);
    }
  }

  void write(const TensorInfo& tensor, std::size_t at, std::span<const std::byte> bytes) {
    report();
    writer_.write(bytes);
    done_ += bytes.size();
    if (const platform::FileView* part = file_.part_with(tensor.data)) part->let_go({tensor.data + at, bytes.size()});
  }

  format::GgufFile& file_;
  const QuantizeOptions& options_;
  const std::string& output_;
  std::shared_ptr<ThreadPool> pool_;
  format::GgufWriter writer_;
  std::vector<std::byte> converted_;
  std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

void quantize_file(const std::string& input, const std::string& output, const QuantizeOptions& options) {
  format::GgufFile file = format::GgufFile::open(input, {.progress = options.progress});
  if (const std::string architecture = file.require_string("general.architecture"); architecture != "deepseek2")
    fail(Status::unsupported, "{}: metadata key general.architecture is '{}': only deepseek2 models are converted", file.path(), architecture);
  for (const TensorInfo& tensor : file.tensors())
    if (tensor.in_panels && !model::may_be_in_panels(tensor))
      fail(Status::bad_file, "{}: tensor {} is in panels, which it can't be: the file is damaged", file.path(), tensor.name);
  for (const std::string& part : file.part_paths())
    if (platform::is_same_file(part, output))
      fail(Status::invalid_argument, "{}: the output would replace {}, which it is made from: choose another name", output, part);
  Conversion(file, output, options).run();
}

}  // namespace mla
