// What the scheduler's own thread does: steps of all answers in work.
#include <algorithm>
#include <optional>
#include <utility>

#include <mla/error.hpp>

#include "server/cache_setup.hpp"
#include "server/scheduler.hpp"

namespace server {

void Scheduler::run() {
  for (bool worked = false;;) {
    if (!worked) wait_for_work();
    interrupt_ = false;  // before looking who is gone: who goes later sets it again
    drop_cancelled();
    admit();
    worked = compute();
    cache_.trim(pages_in_work());
    publish();
    const std::lock_guard lock(mutex_);
    if (end_) return;
  }
}

void Scheduler::wait_for_work() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return news_ || end_; });
  news_ = false;
}

// Frees the slots of clients that went away; those of all, and the queue, when the server gives up.
void Scheduler::drop_cancelled() {
  std::deque<Waiting> failed;
  bool give_up;
  {
    const std::lock_guard lock(mutex_);
    give_up = give_up_;
    if (give_up) failed.swap(waiting_);
  }
  const std::string why = "the server is being stopped";
  for (const Waiting& waiting : failed) waiting.job.out->push({waiting.job.choice, {}, {}, Finish{FinishReason::failed, why}});
  for (Place place = running_.begin(); place != running_.end();) {
    const Place next = std::next(place);
    const bool cancelled = place->slot.job().out->cancelled();
    if (cancelled) metrics_.count_cancelled();
    if (!cancelled && give_up) place->slot.fail(why);
    if (cancelled || give_up) finish(place);
    place = next;
  }
}

void Scheduler::admit() {
  while (!free_sequences_.empty()) {
    std::optional<Waiting> next;
    {
      const std::lock_guard lock(mutex_);
      const auto ready = std::ranges::find_if(waiting_, [this](const Waiting& w) { return !shares_unfinished_prompt(w.job); });
      if (ready == waiting_.end()) return;
      next = std::move(*ready);
      waiting_.erase(ready);
      ++load_.n_busy;  // drain() must not see an idle moment here
    }
    const mla::SequenceId sequence = free_sequences_.back();
    free_sequences_.pop_back();
    running_.push_back({Slot(std::move(next->job), sequence, vocabulary_, options_.n_ctx), next->since, {}, -1, 0});
    Slot& slot = running_.back().slot;
    if (!slot.job().cache_prompt) continue;
    const auto prompt = slot.tokens();  // the last token's logits must be computed
    slot.restored(cache_.restore(sequence, prompt.first(prompt.size() - 1)));
  }
}

// A prompt of which another one in work is computing a long beginning right now waits for that, which costs less than computing it twice.
bool Scheduler::shares_unfinished_prompt(const Job& job) const {
  if (!job.cache_prompt || options_.cache_ram == 0) return false;
  return std::ranges::any_of(running_, [&](const Running& other) {
    if (!other.slot.in_prompt() || !other.slot.job().cache_prompt) return false;
    const auto common = std::ranges::mismatch(job.prompt, other.slot.job().prompt).in1 - job.prompt.begin();
    return static_cast<std::size_t>(common) >= other.slot.computed().size() + mla::KvCache::page_rows;
  });
}

// One step of all answers. False if there was nothing to compute.
bool Scheduler::compute() {
  const int n_prompt = fill_batch();
  if (batch_.size() == 0) return false;
  const auto start = Clock::now();
  if (!decode()) return true;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  step_size_.learn(n_prompt, seconds);
  metrics_.count_step(batch_.size(), seconds);
  take_results();
  return true;
}

// The next token of every answer whose client keeps up, and a piece of the prompts, the oldest first. Returns how many tokens of prompts.
int Scheduler::fill_batch() {
  batch_.clear();
  computing_streams_.clear();
  const auto add = [&](Running& r, std::size_t n) {
    const auto tokens = r.slot.tokens();
    const std::size_t begin = r.slot.computed().size();
    r.first_row = batch_.size(), r.n_rows = static_cast<int>(n);
    const bool embedding = r.slot.job().embedding;
    for (std::size_t i = begin; i < begin + n; ++i) {
      const bool wanted = i + 1 == tokens.size() && r.slot.wants_result();
      batch_.add(tokens[i], static_cast<mla::Position>(i), r.slot.sequence(), wanted && !embedding, wanted && embedding);
    }
    computing_streams_.push_back(r.slot.job().out.get());
  };
  for (Running& r : running_) {
    r.n_rows = 0;
    if (!r.slot.in_prompt() && r.slot.job().out->has_room()) add(r, 1);
  }
  const int n_generating = batch_.size();
  auto budget = static_cast<std::size_t>(step_size_.tokens(n_generating > 0));
  for (Running& r : running_) {
    if (budget == 0) break;
    if (!r.slot.in_prompt()) continue;
    const std::size_t n = std::min(budget, r.slot.tokens().size() - r.slot.computed().size());
    add(r, n);
    budget -= n;
  }
  return batch_.size() - n_generating;
}

// False if the step came to nothing: a client went away, or it failed, and so have its answers.
bool Scheduler::decode() {
  {
    const std::lock_guard lock(mutex_);
    computing_ = computing_streams_;
  }
  if (std::ranges::any_of(computing_streams_, &AnswerStream::cancelled)) return false;  // who goes from now on sets interrupt_
  for (;;) {
    try {
      context_.decode(batch_);
      return true;
    } catch (const mla::Error& error) {
      if (error.status() == mla::Status::cache_full && cache_.evict_one()) continue;
      if (error.status() != mla::Status::aborted) fail_step(error.what());
      return false;
    } catch (const std::bad_alloc&) {
      fail_step("out of memory");
      return false;
    }
  }
}

void Scheduler::fail_step(const std::string& why) {
  for (Place place = running_.begin(); place != running_.end();) {
    const Place next = std::next(place);
    if (place->n_rows > 0) {
      place->slot.fail(why);
      finish(place);
    }
    place = next;
  }
}

void Scheduler::take_results() {
  for (Place place = running_.begin(); place != running_.end();) {
    const Place next = std::next(place);
    if (place->n_rows > 0) take_result(place);
    place = next;
  }
}

void Scheduler::take_result(Place place) {
  Slot& slot = place->slot;
  const bool was_in_prompt = slot.in_prompt();
  slot.advance(static_cast<std::size_t>(place->n_rows));
  if (slot.in_prompt()) return;
  const bool prompt_done = was_in_prompt && slot.job().cache_prompt;
  if (prompt_done) cache_.keep(slot.sequence(), slot.computed());
  const int row = place->first_row + place->n_rows - 1;
  if (!slot.wants_result()) {
    slot.end();
  } else {
    try {
      if (slot.job().embedding)
        slot.end({context_.embedding(row).begin(), context_.embedding(row).end()});
      else
        slot.take(context_.logits(row));
    } catch (const mla::Error& error) {  // logits that are no numbers
      slot.fail(error.what());
    }
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - (was_in_prompt ? place->since : place->last_token)).count();
    (was_in_prompt ? metrics_.first_token : metrics_.between_tokens).add(seconds);
    place->last_token = now;
  }
  if (slot.done())
    finish(place);
  else if (prompt_done)
    cache_.store(slot.sequence(), slot.computed());  // now that the first token is out
}

// Frees the slot. What was computed stays in the prompt cache; it goes to disk once the client has its answer.
void Scheduler::finish(Place place) {
  Slot& slot = place->slot;
  const bool keep = slot.job().cache_prompt && !slot.computed().empty();
  if (keep) cache_.keep(slot.sequence(), slot.computed());
  if (slot.done()) {
    metrics_.count_answer(slot.send_finish());
    if (keep) cache_.store(slot.sequence(), slot.computed());
  }
  kv_->seq_rm(slot.sequence());
  free_sequences_.push_back(slot.sequence());
  running_.erase(place);
}

int Scheduler::pages_in_work() const {
  int pages = 0;
  for (const Running& r : running_) pages += pages_of(static_cast<int>(r.slot.computed().size()));
  return pages;
}

void Scheduler::publish() {
  {
    const std::lock_guard lock(mutex_);
    computing_.clear();
    load_ = {options_.n_slots,
             static_cast<int>(running_.size()),
             static_cast<int>(waiting_.size()),
             kv_->bytes(),
             static_cast<std::uint64_t>(kv_->n_pages()) * mla::KvCache::page_rows * kv_->row_bytes(),
             cache_.size(),
             cache_.n_evicted(),
             0,
             0};
    if (cache_.disk() != nullptr) load_.n_saved_prompts = cache_.disk()->size(), load_.saved_bytes = cache_.disk()->bytes();
  }
  idle_.notify_all();
}

}  // namespace server
