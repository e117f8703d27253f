#include "attention/attention.hpp"

#include <algorithm>
#include <utility>

#include "attention/in_place.hpp"
#include "attention/key_tile.hpp"

namespace mla::attention {

namespace {

// Takes an executor's observer away for a time.
class Unobserved {
 public:
  explicit Unobserved(platform::Executor& executor) noexcept : executor_(executor), observer_(executor.observer()) { executor.watch(nullptr); }
  ~Unobserved() { executor_.watch(observer_); }
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;

 private:
  platform::Executor& executor_;
  platform::InputObserver* observer_;
};

}  // namespace

Attention::Attention(const CacheShape& shape, Planning planning, const std::shared_ptr<Allocator>& allocator)
    : planning_(std::move(planning)) {
  if (planning_.mode == AttentionMode::automatic) rates_ = planning_.rates;
  const std::size_t floats = planning_.mode == AttentionMode::deepseek2 ? in_place_workspace_floats(shape) : absorbed_workspace_floats(shape);
  workspace_ = platform::Buffer(allocator, floats * sizeof(float), "attention workspace");
}

Form Attention::form_of(const Params& p, const SequenceRows& rows, platform::Executor& executor) {
  if (planning_.mode == AttentionMode::deepseek2) return Form::expanded;
  if (planning_.mode == AttentionMode::deepseek_mla || rows.n_rows == 1 || executor.fixed_order()) return Form::absorbed;
  if (!rates_) {
    const Unobserved unobserved(executor);
    const platform::OpTimer::Pause pause(executor.ops());
    const auto measure = [&] { return measured_rates(p.shape, *p.row_format, p.weights, workspace_.as<float>(), executor); };
    rates_ = planning_.known ? planning_.known->get(p.row_format->key.type, executor.n_threads(), measure) : measure();
  }
  return plan_attention(*rates_, rows.n_rows, count_keys(rows.pages) - rows.n_rows).uses_absorbed() ? Form::absorbed : Form::expanded;
}

std::size_t Attention::scratch_floats(const CacheShape& shape, int n_ubatch) noexcept {
  return std::max({expanded_scratch_floats(shape, std::max(n_ubatch, measured_queries)), absorbed_scratch_floats(shape), in_place_scratch_floats(shape)});
}

// Sequences that are neighbours and go the same way are worked on together.
void Attention::run(const Params& p, platform::Executor& executor) {
  struct Way {
    Form form;
    bool in_place;
    bool operator==(const Way&) const = default;
  };
  const auto way_of = [&](const SequenceRows& rows) { return Way{form_of(p, rows, executor), !executor.fixed_order() && suits_in_place(p, rows)}; };
  const auto run_neighbours = [&](const Way& way, std::span<const SequenceRows> sequences) {
    if (way.form == Form::absorbed)
      absorbed_form(p, sequences, workspace_.as<float>(), executor);
    else if (way.in_place)
      in_place_form(p, sequences, workspace_.as<float>(), executor);
    else
      expanded_form(p, sequences, executor);
  };
  std::size_t begin = 0;
  Way way = way_of(p.sequences.front());
  for (std::size_t i = 1; i < p.sequences.size(); ++i) {
    const Way next = way_of(p.sequences[i]);
    if (next == way) continue;
    run_neighbours(way, p.sequences.subspan(begin, i - begin));
    begin = i, way = next;
  }
  run_neighbours(way, p.sequences.subspan(begin));
}

}  // namespace mla::attention
