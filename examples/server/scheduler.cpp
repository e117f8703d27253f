#include "server/scheduler.hpp"

#include <algorithm>
#include <utility>

#include <mla/error.hpp>

#include "server/cache_setup.hpp"

namespace server {
namespace {

mla::ContextOptions with_cache(mla::ContextOptions options, std::shared_ptr<mla::KvCache> cache, const std::atomic<bool>& interrupt) {
  options.cache = std::move(cache);
  options.abort = [&interrupt] { return interrupt.load(); };
  return options;
}

}  // namespace

Scheduler::Scheduler(std::shared_ptr<const mla::Model> model, mla::ContextOptions context, const SchedulerOptions& options,
                     Metrics& metrics)
    : options_(options),
      model_(std::move(model)),
      metrics_(metrics),
      vocabulary_(model_->tokenizer()),
      kv_(make_kv_cache(*model_, context, options)),
      context_(model_, with_cache(context, kv_, interrupt_)),
      cache_(*kv_, options.n_slots, options.cache_ram, make_disk_cache(*model_, *kv_, options)),
      step_size_(context.n_ubatch) {
  for (int seq = options.n_slots; seq-- > 0;) free_sequences_.push_back(seq);
  publish();
  thread_ = std::thread([this] { run(); });
}

Scheduler::~Scheduler() {
  drain(std::chrono::milliseconds(0));
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

Refusal Scheduler::submit(std::vector<Job> jobs) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Refusal::stopping;
    const int n_free = options_.n_slots - load_.n_busy;
    if (static_cast<int>(waiting_.size() + jobs.size()) > options_.n_queue + std::max(n_free, 0)) return Refusal::full;
    for (Job& job : jobs) waiting_.push_back({std::move(job), Clock::now()});
    load_.n_waiting = static_cast<int>(waiting_.size());
    news_ = true;
  }
  changed_.notify_one();
  return Refusal::none;
}

Load Scheduler::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

void Scheduler::drain(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  const auto is_idle = [this] { return waiting_.empty() && load_.n_busy == 0; };
  if (!idle_.wait_for(lock, patience, is_idle)) {
    give_up_ = news_ = true;
    interrupt_ = true;
    changed_.notify_one();
    idle_.wait(lock, is_idle);
  }
}

void Scheduler::room_made() noexcept {
  {
    const std::lock_guard lock(mutex_);
    news_ = true;
  }
  changed_.notify_one();
}

// What waits is gone at once; what is in work, when the step is left.
void Scheduler::client_gone(const AnswerStream& stream) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const auto n_gone = std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.job.out.get() == &stream; });
    for (std::size_t i = 0; i < n_gone; ++i) metrics_.count_cancelled();
    load_.n_waiting = static_cast<int>(waiting_.size());
    news_ = true;
    if (std::ranges::find(computing_, &stream) != computing_.end()) interrupt_ = true;
  }
  changed_.notify_one();
}

}  // namespace server
