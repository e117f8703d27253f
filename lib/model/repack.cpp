#include "model/repack.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/int8.hpp"
#include "kernels/matmul.hpp"
#include "kernels/panels.hpp"
#include "platform/fail.hpp"

namespace mla::model {
namespace {

using kernels::Matrix;
using kernels::panel_rows;

// Bytes that a task converts, and between two looks at the host's wish to stop; both whole panels.
constexpr std::size_t task_bytes = std::size_t{1} << 20, wave_bytes = std::size_t{128} << 20;

// How the threads share out a product: tiles of each matrix' rows, or whole matrices of a stack (attention's heads).
enum class Share { rows, matrices };

// Rows of one matrix, or of a stack of them, one after another.
struct Job {
  Matrix* view;      // of the model: the matrix, or the first of a stack
  Matrix rows;       // all of them, as the file has them
  Share share;
  std::byte* to;     // where they go
  bool convert;      // or only copy, to where they are read

  // Index of the node that reads a byte of `rows`, where rows are split.
  int node_of(std::size_t byte, platform::RowSplit split) const {
    const auto row = static_cast<std::int64_t>(byte / rows.row_bytes);
    if (share == Share::matrices) return split.node_of(rows.rows / view->rows, row / view->rows);
    return split.node_of(kernels::n_tiles(*view, kernels::tile_rows), row % view->rows / kernels::tile_rows);
  }
};

// The model's matrices that meet activations in products, stacks as (first, rows of all).
template <typename Model, typename Body>
void for_each_matrix(Model& model, Body&& body) {
  for (auto& layer : model.layers) {
    for (auto* w : {&layer.q, &layer.q_a, &layer.q_b, &layer.kv_a, &layer.attention_out, &layer.dense.gate, &layer.dense.up,
                    &layer.dense.down, &layer.experts.router})
      body(*w, w->rows, Share::rows);
    for (auto* w : {&layer.experts.gate, &layer.experts.up, &layer.experts.down})
      if (w->is_dense()) body(w->first, w->count * w->first.rows, Share::rows);  // else they are where a Hugging Face folder has them
    for (auto* w : {&layer.latent.k_b, &layer.latent.v_b})
      if (w->is_dense()) body(w->first, w->count * w->first.rows, Share::matrices);  // else it is a part of kv_b
  }
  if (model.output.data != model.token_embedding.data) body(model.output, model.output.rows, Share::rows);
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
  Repacker(LoadedModel& model, const ModelOptions& options, const platform::NumaPlan* numa)
      : model_(model), options_(options), numa_(numa), is_placed_(numa != nullptr && (numa->splits() || numa->replicates())) {}

  /// What is to move, in the order of the file.
  void plan() {
    for_each_matrix(model_, [&](Matrix& w, std::int64_t n_rows, Share share) {
      const bool convert = wants_move(w) && (options_.repack != RepackMode::never || w.in_panels);
      if (!w || !(convert || is_placed_)) return;
      Matrix rows = w;
      rows.rows = n_rows;
      jobs_.push_back({&w, rows, share, is_placed_ ? nullptr : own_bytes(w.data), convert});
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
    return std::ranges::any_of(jobs_, [](const Job& job) { return job.rows.in_panels && job.convert; });
  }
  bool is_placed() const { return is_placed_; }
  bool is_empty() const { return jobs_.empty(); }

  void run() {
    take_memory();
    const std::shared_ptr<ThreadPool> pool = make_thread_pool(options_.n_threads);
    std::size_t widest = 0;
    for (const Job& job : jobs_) {
      total_ += job.rows.bytes();
      if (job.to == job.rows.data) widest = std::max(widest, panel_rows * job.rows.row_bytes);
    }
    for (int thread = 0; thread < pool->n_threads(); ++thread) panels_.emplace_back(widest);
    for (Job& job : jobs_) {
      move(job, *pool);
      job.view->data = job.to;
      job.view->in_panels = job.view->in_panels != job.convert;
      if (job.to != job.rows.data) give_back(job.rows);
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

  // Memory of the model's that held this matrix and nothing else, which has moved out of it.
  void give_back(const Matrix& rows) {
    std::erase_if(model_.derived, [&](const platform::Buffer& buffer) { return buffer.data() == rows.data && buffer.size() == rows.bytes(); });
  }

  void take_memory() {
    const std::size_t bytes = bytes_to_take();
    if (bytes == 0) return;
    model_.repacked = take(bytes);
    if (numa_ != nullptr && numa_->replicates()) take_copies(bytes);
    std::size_t at = 0;
    for (Job& job : jobs_) {
      if (job.to != nullptr) continue;
      job.to = model_.repacked.data() + at;
      at += aligned(job.rows.bytes());
    }
  }

  platform::Buffer take(std::size_t bytes) const {
    // A huge page lies on one node, and rows that are split begin and end anywhere.
    const bool huge = options_.huge_pages && !(numa_ != nullptr && numa_->splits());
    platform::Buffer memory(options_.allocator, bytes, is_placed_ ? "weights on NUMA nodes" : "repacked weights (RepackMode::never, or --no-repack, needs none)",
                            huge ? platform::huge_page_bytes : platform::page_bytes);
    huge ? platform::advise_huge_pages({memory.data(), bytes}) : platform::advise_small_pages({memory.data(), bytes});
    return memory;
  }

  void take_copies(std::size_t bytes) {
    model_.replicas = {model_.repacked.data(), bytes, {0}};
    for (int node = 1; node < numa_->n_nodes(); ++node) {
      model_.copies.push_back(take(bytes));
      model_.replicas.distances.push_back(model_.copies.back().data() - model_.repacked.data());
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
      platform::TouchOn touch(numa_ != nullptr && numa_->mode != Numa::numactl ? numa_ : nullptr);
      if (numa_ != nullptr && numa_->mode == Numa::distribute) touch.all_nodes();
      if (numa_ != nullptr && (numa_->mode == Numa::isolate || numa_->replicates())) touch.node(0);
      for (std::size_t at = first; at < end; at += panel) {
        if (numa_ != nullptr && numa_->splits()) touch.node(job.node_of(at, numa_->rows()));
        move_panel(job, at, panels_[static_cast<std::size_t>(thread)].data());
      }
      for (std::size_t copy = 0; copy < model_.copies.size(); ++copy) {
        touch.node(static_cast<int>(copy) + 1);
        std::memcpy(job.to + model_.replicas.distances[copy + 1] + first, job.to + first, end - first);
      }
    };
    const auto call = [](void* data, int i, int thread) { (*static_cast<decltype(task)*>(data))(i, thread); };
    pool.run(static_cast<int>((bytes + step - 1) / step), {call, &task});
  }

  // Where weights are touched first, and so where they will stay.
  static void move_panel(const Job& job, std::size_t at, std::byte* copy) {
    const std::size_t panel = panel_rows * job.rows.row_bytes;
    const std::byte* from = job.rows.data + at;
    std::byte* const to = job.to + at;
    if (!job.convert) {
      std::memcpy(to, from, std::min(panel, job.rows.bytes() - at));
      return;
    }
    if (from == to) from = static_cast<const std::byte*>(std::memcpy(copy, from, panel));
    if (job.rows.in_panels) return kernels::panel_to_rows(job.rows.type, job.rows.cols, from, to);
    kernels::rows_to_panel({from, job.rows.type, panel_rows, job.rows.cols, job.rows.row_bytes}, 0, to);
  }

  LoadedModel& model_;
  const ModelOptions& options_;
  const platform::NumaPlan* numa_;
  const bool is_placed_;  // every matrix moves to where it is read
  std::vector<Job> jobs_;
  std::vector<std::vector<std::byte>> panels_;  // [n_threads], a panel that changes in place
  std::uint64_t done_ = 0, total_ = 0;
};

// What a context will need beside the weights: a sixteenth of them, a gigabyte at most.
std::uint64_t with_reserve(std::uint64_t bytes) { return bytes + std::min(bytes / 16, std::uint64_t{1} << 30); }

// Numa::split and Numa::replicate take memory for all matrices, or nothing.
void refuse_unless_nodes_have(std::uint64_t bytes, const LoadedModel& model, const platform::KernelFiles& kernel_files) {
  const platform::NumaPlan& numa = *model.numa;
  const auto n_nodes = static_cast<std::uint64_t>(numa.n_nodes()), copies = numa.replicates() ? n_nodes : 1;
  const char* const remedy = numa.replicates() ? "use split, which takes one copy, or distribute" : "use distribute, which takes none";
  const platform::MemoryRoom room = platform::memory_room(kernel_files);
  if (with_reserve(bytes * copies) > room.bytes)
    fail(Status::out_of_memory, "{}: NUMA mode {} needs {} for {} of the weights and a context more, and {} has {} left: {}", model.file.path(),
         to_string(numa.mode), gigabytes(bytes * copies), copies == 1 ? "a copy" : fmt::format("{} copies", copies), room.limit, gigabytes(room.bytes), remedy);
  for (const int node : numa.topology.nodes)
    if (const std::uint64_t left = platform::node_room(node, {kernel_files.sys, kernel_files.proc}); left > 0 && bytes * copies / n_nodes > left)
      fail(Status::out_of_memory, "{}: NUMA mode {} needs {} on each node, and node {} has {} left: {}", model.file.path(), to_string(numa.mode),
           gigabytes(bytes * copies / n_nodes), node, gigabytes(left), remedy);
}

}  // namespace

bool may_be_in_panels(const format::TensorInfo& tensor) {
  const auto is_named = [&](const char* part) { return tensor.name.find(part) != std::string::npos; };
  if (is_named("token_embd") || is_named("attn_kv_b")) return false;
  // Of heads stored flat, as one matrix, the shape doesn't say where one ends: these stay rows.
  const bool is_stack = is_named("_exps.") || is_named("attn_k_b") || is_named("attn_v_b");
  return tensor.shape.size() == (is_stack ? 3u : 2u) && tensor.shape[1] % panel_rows == 0 &&
         kernels::panel_layout(static_cast<quant::Type>(tensor.type)) != nullptr;
}

std::uint64_t repacked_bytes(const format::TensorInfo& tensor) {
  return may_be_in_panels(tensor) && tensor.in_panels != has_kernel(static_cast<quant::Type>(tensor.type)) ? aligned(tensor.bytes) : 0;
}

std::uint64_t panel_bytes(const LoadedModel& model) noexcept {
  std::uint64_t bytes = 0;
  for_each_matrix(model, [&](const Matrix& w, std::int64_t n_rows, Share) { bytes += w.in_panels ? static_cast<std::uint64_t>(n_rows) * w.row_bytes : 0; });
  return bytes;
}

void repack(LoadedModel& model, const ModelOptions& options, const platform::KernelFiles& kernel_files) {
  Repacker repacker(model, options, model.numa.get());
  repacker.plan();
  if (repacker.is_empty()) return;
  const std::uint64_t bytes = repacker.bytes_to_take();
  if (repacker.is_placed()) {
    refuse_unless_nodes_have(bytes, model, kernel_files);
    return repacker.run();
  }
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
