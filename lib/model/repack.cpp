#include "model/repack.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/int8.hpp"
#include "kernels/panels.hpp"
#include "platform/fail.hpp"

namespace mla::model {
namespace {

using kernels::Matrix;
using kernels::panel_rows;

// Bytes that a task converts, and between two looks at the host's wish to stop; both whole panels.
constexpr std::size_t task_bytes = std::size_t{1} << 20, wave_bytes = std::size_t{128} << 20;

// Rows of one matrix, or of a stack of them, one after another.
struct Job {
  Matrix* view;      // of the model: the matrix, or the first of a stack
  Matrix rows;       // all of them, as the file has them
  std::byte* to;     // where they go
};

// The model's matrices that kernels::matmul() multiplies with, stacks as (first, rows of all).
template <typename Model, typename Body>
void for_each_matrix(Model& model, Body&& body) {
  for (auto& layer : model.layers) {
    for (auto* w : {&layer.q, &layer.q_a, &layer.q_b, &layer.kv_a, &layer.attention_out, &layer.dense.gate, &layer.dense.up,
                    &layer.dense.down, &layer.experts.router})
      body(*w, w->rows);
    for (auto* w : {&layer.experts.gate, &layer.experts.up, &layer.experts.down}) body(w->first, w->count * w->first.rows);
  }
  if (model.output.data != model.token_embedding.data) body(model.output, model.output.rows);
}

bool has_kernel(quant::Type type) {
  const kernels::Int8Kernels* const active = kernels::active_int8_kernels();
  return active != nullptr && active->find(type) != nullptr;
}

// The rows' layout where they are and where they should be; rows that no kernel reads in panels stay rows.
bool wants_move(const Matrix& w) { return w && kernels::fits_panels(w) && w.in_panels != has_kernel(w.type); }

std::size_t aligned(std::size_t bytes) { return (bytes + platform::page_bytes - 1) / platform::page_bytes * platform::page_bytes; }

std::string gigabytes(std::uint64_t bytes) { return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9); }

class Repacker {
 public:
  Repacker(LoadedModel& model, const ModelOptions& options) : model_(model), options_(options) {}

  /// What is to move, in the order of the file.
  void plan() {
    for_each_matrix(model_, [&](Matrix& w, std::int64_t n_rows) {
      if (!wants_move(w) || (options_.repack == RepackMode::never && !w.in_panels)) return;
      Matrix rows = w;
      rows.rows = n_rows;
      jobs_.push_back({&w, rows, own_bytes(w.data)});
    });
    std::ranges::sort(jobs_, {}, [](const Job& job) { return job.rows.data; });
  }

  /// Bytes beside the file.
  std::size_t bytes_to_take() const {
    std::size_t bytes = 0;
    for (const Job& job : jobs_)
      if (job.to == nullptr) bytes += aligned(job.rows.bytes());
    return bytes;
  }

  bool is_needed() const {
    return std::ranges::any_of(jobs_, [](const Job& job) { return job.rows.in_panels; });
  }
  bool is_empty() const { return jobs_.empty(); }

  void run() {
    take_memory();
    const std::shared_ptr<ThreadPool> pool = make_thread_pool(options_.n_threads);
    std::size_t widest = 0;
    for (const Job& job : jobs_) {
      total_ += job.rows.bytes();
      if (job.to == job.rows.data) widest = std::max(widest, panel_rows * job.rows.row_bytes);
    }
    for (int thread = 0; thread < pool->n_threads(); ++thread) copies_.emplace_back(widest);
    for (Job& job : jobs_) {
      move(job, *pool);
      job.view->data = job.to;
      job.view->in_panels = !job.view->in_panels;
    }
    report();
  }

 private:
  // Memory that the model has already: of a file that was read, or of a tensor that was derived.
  std::byte* own_bytes(const std::byte* data) {
    const auto inside = [&](std::span<std::byte> memory) {
      const auto offset = reinterpret_cast<std::uintptr_t>(data) - reinterpret_cast<std::uintptr_t>(memory.data());
      return offset < memory.size() ? memory.data() + offset : nullptr;
    };
    if (platform::FileView* part = model_.file.part_with(data)) return inside(part->own_bytes());
    for (platform::Buffer& buffer : model_.derived)
      if (std::byte* own = inside({buffer.data(), buffer.size()})) return own;
    return nullptr;
  }

  void take_memory() {
    const std::size_t bytes = bytes_to_take();
    if (bytes == 0) return;
    model_.repacked = platform::Buffer(options_.allocator, bytes, "repacked weights (RepackMode::never, or --no-repack, needs none)",
                                       options_.huge_pages ? platform::huge_page_bytes : platform::page_bytes);
    if (options_.huge_pages) platform::advise_huge_pages({model_.repacked.data(), bytes});
    std::size_t at = 0;
    for (Job& job : jobs_) {
      if (job.to != nullptr) continue;
      job.to = model_.repacked.data() + at;
      at += aligned(job.rows.bytes());
    }
  }

  void report() const {
    if (options_.progress && !options_.progress("repack", done_, total_))
      fail(Status::aborted, "loading {} was cancelled", model_.file.path());
  }

  // In waves, so that a cancel and the release of source pages don't wait for a tensor of gigabytes.
  void move(const Job& job, ThreadPool& pool) {
    const platform::FileView* const source = model_.file.part_with(job.rows.data);
    const std::size_t panel = panel_rows * job.rows.row_bytes, bytes = job.rows.bytes(), wave = std::max(panel, wave_bytes / panel * panel);
    for (std::size_t begin = 0; begin < bytes; begin += wave) {
      const std::span<const std::byte> part(job.rows.data + begin, std::min(wave, bytes - begin));
      report();
      if (source != nullptr) source->will_need(part);
      move_part(job, begin, part.size(), pool);
      if (source != nullptr && job.to != job.rows.data) source->let_go(part);
      done_ += part.size();
    }
  }

  void move_part(const Job& job, std::size_t begin, std::size_t bytes, ThreadPool& pool) {
    const std::size_t panel = panel_rows * job.rows.row_bytes, step = std::max(panel, task_bytes / panel * panel);
    auto task = [&](int i, int thread) {
      const std::size_t first = begin + static_cast<std::size_t>(i) * step, end = std::min(first + step, begin + bytes);
      for (std::size_t at = first; at < end; at += panel) move_panel(job, at, copies_[static_cast<std::size_t>(thread)].data());
    };
    const auto call = [](void* data, int i, int thread) { (*static_cast<decltype(task)*>(data))(i, thread); };
    pool.run(static_cast<int>((bytes + step - 1) / step), {call, &task});
  }

  // Where weights are touched first, and so where they will stay.
  static void move_panel(const Job& job, std::size_t at, std::byte* copy) {
    const std::size_t panel = panel_rows * job.rows.row_bytes;
    const std::byte* from = job.rows.data + at;
    std::byte* const to = job.to + at;
    if (from == to) from = static_cast<const std::byte*>(std::memcpy(copy, from, panel));
    if (job.rows.in_panels) return kernels::panel_to_rows(job.rows.type, job.rows.cols, from, to);
    kernels::rows_to_panel({from, job.rows.type, panel_rows, job.rows.cols, job.rows.row_bytes}, 0, to);
  }

  LoadedModel& model_;
  const ModelOptions& options_;
  std::vector<Job> jobs_;
  std::vector<std::vector<std::byte>> copies_;  // [n_threads], a panel that changes in place
  std::uint64_t done_ = 0, total_ = 0;
};

// What a context will need beside the weights: a sixteenth of them, a gigabyte at most.
std::uint64_t with_reserve(std::uint64_t bytes) { return bytes + std::min(bytes / 16, std::uint64_t{1} << 30); }

}  // namespace

bool may_be_in_panels(const format::TensorInfo& tensor) {
  for (const char* by_row : {"token_embd", "attn_kv_b", "attn_k_b", "attn_v_b"})
    if (tensor.name.find(by_row) != std::string::npos) return false;
  const bool is_stack = tensor.name.find("_exps.") != std::string::npos;
  return tensor.shape.size() == (is_stack ? 3u : 2u) && tensor.shape[1] % panel_rows == 0 &&
         kernels::panel_layout(static_cast<quant::Type>(tensor.type)) != nullptr;
}

std::uint64_t panel_bytes(const LoadedModel& model) noexcept {
  std::uint64_t bytes = 0;
  for_each_matrix(model, [&](const Matrix& w, std::int64_t n_rows) { bytes += w.in_panels ? static_cast<std::uint64_t>(n_rows) * w.row_bytes : 0; });
  return bytes;
}

void repack(LoadedModel& model, const ModelOptions& options, const platform::KernelFiles& kernel_files) {
  Repacker repacker(model, options);
  repacker.plan();
  if (repacker.is_empty()) return;
  const std::uint64_t bytes = repacker.bytes_to_take();
  const platform::MemoryRoom room = platform::memory_room(kernel_files);
  if (bytes > 0 && with_reserve(bytes) > room.bytes) {
    const std::string figures = fmt::format("{}: repacked weights would take {} and a context more, and {} has {} left", model.file.path(),
                                            gigabytes(bytes), room.limit, gigabytes(room.bytes));
    if (repacker.is_needed())
      fail(Status::out_of_memory, "{}; this processor can't use the file's layout in place: write it with mla-quantize --layout rows", figures);
    if (options.repack == RepackMode::always)
      fail(Status::out_of_memory, "{}: use the file in place (RepackMode::never, --no-repack), or store it repacked (mla-quantize --layout native)",
           figures);
    if (options.log) options.log->write(LogLevel::warning, one_line(figures + ": they are used in place, which is slower"));
    return;
  }
  repacker.run();
}

}  // namespace mla::model
