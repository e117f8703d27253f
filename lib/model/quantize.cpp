// GGUF → GGUF: the plan of the output, then one pass over the tensors, a piece at a time.
#include <mla/quantize.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

#include "format/gguf_writer.hpp"
#include "format/imatrix_file.hpp"
#include "format/native_layout.hpp"
#include "kernels/panels.hpp"
#include "model/quantize_plan.hpp"
#include "model/repack.hpp"
#include "model/tensor_rows.hpp"
#include "platform/fail.hpp"
#include "quant/encode.hpp"

namespace mla {
namespace {

using format::TensorInfo;
using kernels::panel_rows;
using quant::Type;

constexpr std::size_t piece_bytes = std::size_t{64} << 20;  // bounds the memory that a tensor takes

// A tensor of the output: its type, shape, size and layout; the bytes are those of `from`, or come from its values.
struct Job {
  const TensorInfo* from;
  TensorInfo to;
  bool new_type;
};

class Conversion {
 public:
  Conversion(format::GgufFile& file, const std::string& output, const QuantizeOptions& options)
      : file_(file),
        options_(options),
        output_(output),
        pool_(make_thread_pool(options.n_threads)),
        writer_(output, options.max_part_bytes) {
    if (!options.imatrix.empty()) imatrix_ = format::read_imatrix(options.imatrix);
    plan();
  }

  std::vector<std::string> run() {
    write_header();
    for (const std::string& part : file_.part_paths())
      for (const std::string& path : writer_.paths())
        if (platform::is_same_file(part, path))
          fail(Status::invalid_argument, "{}: the output would replace {}, which it is made from: choose another name", path, part);
    for (const Job& job : jobs_) {
      if (job.new_type) encode(job);
      else if (job.to.in_panels != job.from->in_panels) change_layout(job);
      else copy(job);
    }
    write_waiting();
    report();
    std::vector<std::string> paths = writer_.paths();  // now: with the files in place, nothing may fail
    writer_.finish();
    return paths;
  }

 private:
  void plan() {
    model::QuantizePlan plan = model::plan_quantization(file_, options_);
    file_type_ = plan.file_type;
    for (std::size_t i = 0; i < plan.types.size(); ++i) {
      const TensorInfo& from = file_.tensors()[i];
      Job& job = jobs_.emplace_back(&from, from, plan.types[i].has_value());
      if (job.new_type) {
        job.to.type = static_cast<std::uint32_t>(*plan.types[i]);
        job.to.bytes = static_cast<std::uint64_t>(n_rows(from)) * quant::row_bytes(*plan.types[i], columns(from));
      }
      job.to.in_panels = options_.layout == FileLayout::native && model::may_be_in_panels(job.to);
      total_ += job.to.bytes;
    }
    report_weights();
  }

  static std::int64_t columns(const TensorInfo& tensor) { return static_cast<std::int64_t>(tensor.shape[0]); }
  static std::int64_t n_rows(const TensorInfo& tensor) {  // no overflow: the file holds them
    std::int64_t n = 1;
    for (std::size_t i = 1; i < tensor.shape.size(); ++i) n *= static_cast<std::int64_t>(tensor.shape[i]);
    return n;
  }

  void log(LogLevel level, const std::string& message) const {
    if (options_.log) options_.log->write(level, one_line(message));
  }

  // Before any work is done: importances of another model are refused, tensors without any are counted.
  void report_weights() const {
    std::size_t n_without = 0, n_quantized = 0;
    std::string first;
    for (const Job& job : jobs_) {
      if (!job.new_type || quant::traits(static_cast<Type>(job.to.type)).block_size == 1) continue;
      ++n_quantized;
      if (options_.imatrix.empty() || job.from->name == "token_embd.weight") continue;  // which is looked up: nothing is multiplied
      if (const format::ImatrixEntry* entry = imatrix_.find(job.from->name)) (void)weights_of(*job.from, *entry);
      else if (n_without++ == 0) first = job.from->name;
    }
    if (n_without > 0)
      log(LogLevel::warning, fmt::format("{}: no importances for {} of {} tensors, the first of which is {}", options_.imatrix, n_without,
                                         n_quantized, first));
  }

  // Of all columns of all matrices [n_matrices, columns].
  std::vector<float> weights_of(const TensorInfo& tensor, const format::ImatrixEntry& entry) const {
    const std::int64_t n_matrices = tensor.shape.size() > 2 ? static_cast<std::int64_t>(tensor.shape[2]) : 1;
    std::int64_t n = n_matrices;
    // Heads that are stored flat, as one matrix, may have importances for each.
    if (tensor.shape.size() == 2 && entry.counts.size() > 1) n = static_cast<std::int64_t>(entry.counts.size());
    return format::imatrix_weights(entry, n, columns(tensor), options_.imatrix);
  }

  bool is_replaced(const std::string& key) const {
    return key.starts_with("split.") || key.starts_with("mla.layout") || key == "general.alignment" ||
           (file_type_ && key == "general.file_type") || (!options_.imatrix.empty() && key.starts_with("quantize.imatrix."));
  }

  void write_header() {
    for (const auto& [key, value] : file_.metadata())
      if (!is_replaced(key)) writer_.add_value(key, value);
    if (file_type_) writer_.add_uint("general.file_type", *file_type_);
    if (file_type_ && file_.find_key("general.quantization_version") == nullptr) writer_.add_uint("general.quantization_version", 2);
    if (!options_.imatrix.empty()) {
      writer_.add_string("quantize.imatrix.file", options_.imatrix);
      writer_.add_string("quantize.imatrix.dataset", imatrix_.datasets.empty() ? "" : imatrix_.datasets.front());
      writer_.add_uint("quantize.imatrix.entries_count", static_cast<std::uint32_t>(imatrix_.entries.size()));
      writer_.add_uint("quantize.imatrix.chunks_count", imatrix_.n_chunks);
    }
    if (options_.layout == FileLayout::native) writer_.add_native_layout();
    for (const auto& [from, to, new_type] : jobs_)
      writer_.add_tensor(to.name, to.shape, to.in_panels ? format::number_in_panels(to.type) : to.type, to.bytes);
    writer_.begin_data();
  }

  void report() const {
    const bool any_type = !options_.type.empty() || !options_.tensor_types.empty();
    if (options_.progress && !options_.progress(any_type ? "quantize" : "write", done_, total_))
      fail(Status::aborted, "writing {} was cancelled", output_);
  }

  void copy(const Job& job) {
    write_waiting();
    for (std::size_t at = 0; at < job.from->bytes; at += piece_bytes) {
      const std::size_t n = std::min<std::size_t>(piece_bytes, job.from->bytes - at);
      write(job, {job.from->data + at, n}, at, n);
    }
  }

  // Sixteen rows and a panel of them take the same place.
  void change_layout(const Job& job) {
    write_waiting();
    const auto type = static_cast<Type>(job.to.type);
    const std::int64_t cols = columns(job.to);
    const std::size_t row_bytes = quant::row_bytes(type, cols), panel = panel_rows * row_bytes;
    const std::size_t piece = std::max(panel, piece_bytes / panel * panel);
    for (std::size_t at = 0; at < job.from->bytes; at += piece) {
      converted_.resize(std::min<std::size_t>(piece, job.from->bytes - at));
      parallel(static_cast<int>(converted_.size() / panel), [&](int i, int) {
        const std::byte* const from = job.from->data + at + static_cast<std::size_t>(i) * panel;
        std::byte* const to = converted_.data() + static_cast<std::size_t>(i) * panel;
        if (job.from->in_panels) return kernels::panel_to_rows(type, cols, from, to);
        kernels::rows_to_panel({from, type, panel_rows, cols, row_bytes}, 0, to);
      });
      write(job, converted_, at, converted_.size());
    }
  }

  void encode(const Job& job) {
    const TensorInfo &from = *job.from, &to = job.to;
    log(LogLevel::info, fmt::format("tensor {}: {} to {}", from.name, quant::type_name(from.type), quant::type_name(to.type)));
    std::vector<float> weights;
    const format::ImatrixEntry* entry = options_.imatrix.empty() ? nullptr : imatrix_.find(from.name);
    if (entry != nullptr) weights = weights_of(from, *entry);
    const std::int64_t cols = columns(from), rows = n_rows(from),
                       n_matrices = std::max<std::int64_t>(1, static_cast<std::int64_t>(weights.size()) / cols);
    for (std::int64_t m = 0; !weights.empty() && m < n_matrices; ++m)
      quant::level_weights(std::span(weights).subspan(static_cast<std::size_t>(m * cols), static_cast<std::size_t>(cols)));

    const std::int64_t rows_of_matrix = rows / n_matrices;
    const std::int64_t piece =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(piece_bytes / sizeof(float)) / cols / panel_rows) * panel_rows;
    const std::size_t row_bytes = quant::row_bytes(static_cast<Type>(to.type), cols),
                      from_row_bytes = from.bytes / static_cast<std::size_t>(rows);
    for (std::int64_t first = 0; first < rows; first += piece) {
      const std::int64_t n = std::min(piece, rows - first);
      converted_.resize(static_cast<std::size_t>(n) * row_bytes);
      report();
      parallel(1 + static_cast<int>((n + panel_rows - 1) / panel_rows), [&](int i, int thread) {
        if (i == 0) return write_waiting();  // one thread copies to the system while the others go on
        const std::int64_t begin = std::int64_t{i - 1} * panel_rows, count = std::min<std::int64_t>(panel_rows, n - begin);
        const auto weights_of_row = [&](std::int64_t row) {
          return weights.empty() ? nullptr : weights.data() + std::min(row / rows_of_matrix, n_matrices - 1) * cols;
        };
        encode_rows(job, first + begin, count, weights_of_row, scratch_[static_cast<std::size_t>(thread)],
                    converted_.data() + static_cast<std::size_t>(begin) * row_bytes);
      });
      converted_.swap(waiting_);
      waiting_source_ = {from.data + static_cast<std::size_t>(first) * from_row_bytes, static_cast<std::size_t>(n) * from_row_bytes};
    }
  }

  // The piece that was encoded last.
  void write_waiting() {
    if (waiting_source_.empty()) return;
    put(waiting_, waiting_source_);
    waiting_source_ = {};
  }

  struct Scratch {
    std::vector<float> values, weights;
    std::vector<std::byte> stored, encoded;
  };

  // Up to sixteen rows, which are a panel where `job.to` is in panels.
  template <typename WeightsOf>
  void encode_rows(const Job& job, std::int64_t first, std::int64_t n, WeightsOf weights_of_row, Scratch& scratch, std::byte* out) const {
    const auto type = static_cast<Type>(job.to.type);
    const std::int64_t cols = columns(job.to);
    const std::size_t row_bytes = quant::row_bytes(type, cols);
    scratch.values.resize(static_cast<std::size_t>(n * cols));
    model::read_rows(*job.from, first, n, scratch.values.data(), scratch.stored);
    if (const float value = quant::find_not_finite(scratch.values); value != 0)
      fail(Status::bad_file, "{}: tensor {} has a value of {}: the file is damaged", file_.path(), job.from->name, value);
    std::byte* rows = out;
    if (job.to.in_panels) {
      scratch.encoded.resize(static_cast<std::size_t>(n) * row_bytes);
      rows = scratch.encoded.data();
    }
    for (std::int64_t r = 0; r < n; ++r) {
      const std::span row(scratch.values.data() + r * cols, static_cast<std::size_t>(cols));
      const float* weights = quant::value_weights(type, row, weights_of_row(first + r), scratch.weights);
      quant::encode(type, row.data(), weights, rows + static_cast<std::size_t>(r) * row_bytes, cols);
    }
    if (job.to.in_panels) kernels::rows_to_panel({rows, type, panel_rows, cols, row_bytes}, 0, out);
  }

  template <typename Body>
  void parallel(int n_tasks, Body body) {
    scratch_.resize(static_cast<std::size_t>(pool_->n_threads()));
    pool_->run(n_tasks, {[](void* data, int task, int thread) { (*static_cast<Body*>(data))(task, thread); }, &body});
  }

  // A piece of the output, made from `n` bytes of the input at `at`, which won't be read again.
  void write(const Job& job, std::span<const std::byte> bytes, std::size_t at, std::size_t n) {
    report();
    put(bytes, {job.from->data + at, n});
  }

  void put(std::span<const std::byte> bytes, std::span<const std::byte> source) {
    writer_.write(bytes);
    done_ += bytes.size();
    if (const platform::FileView* part = file_.part_with(source.data())) part->let_go(source);
  }

  format::GgufFile& file_;
  const QuantizeOptions& options_;
  const std::string& output_;
  std::shared_ptr<ThreadPool> pool_;
  format::GgufWriter writer_;
  format::Imatrix imatrix_;
  std::vector<Job> jobs_;
  std::optional<std::uint32_t> file_type_;
  std::vector<std::byte> converted_, waiting_;
  std::span<const std::byte> waiting_source_;  // what the piece that waits was made from; empty when none does
  std::vector<Scratch> scratch_;
  std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

std::vector<std::string> quantize_file(const std::string& input, const std::string& output, const QuantizeOptions& options) {
  format::GgufFile file = format::GgufFile::open(input, {.progress = options.progress});
  if (const std::string architecture = file.require_string("general.architecture"); architecture != "deepseek2")
    fail(Status::unsupported, "{}: metadata key general.architecture is '{}': only deepseek2 models are converted", file.path(),
         architecture);
  for (const TensorInfo& tensor : file.tensors())
    if (tensor.in_panels && !model::may_be_in_panels(tensor))
      fail(Status::bad_file, "{}: tensor {} is in panels, which it can't be: the file is damaged", file.path(), tensor.name);
  return Conversion(file, output, options).run();
}

}  // namespace mla
