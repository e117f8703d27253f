// What goes from the scheduler to the thread that serves a client: pieces of answers, in a queue of bounded length.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mla/types.hpp>

namespace server {

/// A token and how likely the model held it, before any sampling option.
struct TokenLogprob {
  mla::Token token;
  float logprob;
};

/// A sampled token with the likeliest ones at its place.
struct LogprobEntry {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;
};

enum class FinishReason { stop, length, failed };

/// How an answer ended, and what it took.
struct Finish {
  FinishReason reason = FinishReason::stop;
  std::string error = {};  ///< why it failed
  int n_prompt = 0, n_cached = 0, n_generated = 0;
  double prompt_seconds = 0, generation_seconds = 0;
  std::vector<float> embedding = {};
};

/// A piece of the answer number `choice`: text, or its end.
struct Event {
  int choice = 0;
  std::string text = {};
  std::vector<LogprobEntry> logprobs = {};
  std::optional<Finish> finish = {};
};

class AnswerStream;

/// What the pushing side is told, without the stream's lock.
class StreamListener {
 public:
  virtual ~StreamListener() = default;
  virtual void room_made() noexcept = 0;
  virtual void client_gone(const AnswerStream& stream) noexcept = 0;
};

/// One thread pushes, another pops. The pushing side asks has_room() first and pauses the answer while there is none, so that a client
/// that doesn't read costs a bounded amount of memory; the end of an answer always fits.
class AnswerStream {
 public:
  static constexpr std::size_t capacity = 256;

  /// The listener must outlive the stream.
  explicit AnswerStream(StreamListener& listener) : listener_(listener) {}

  bool has_room() const {
    const std::lock_guard lock(mutex_);
    return events_.size() < capacity;
  }

  void push(Event event) {
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    filled_.notify_one();
  }

  /// The next piece, or nothing after `patience`.
  std::optional<Event> pop(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (!filled_.wait_for(lock, patience, [this] { return !events_.empty(); })) return {};
    const bool was_full = events_.size() >= capacity;
    Event event = std::move(events_.front());
    events_.pop_front();
    lock.unlock();
    if (was_full) listener_.room_made();
    return event;
  }

  /// The client has gone: nobody will pop.
  void cancel() {
    if (!cancelled_.exchange(true)) listener_.client_gone(*this);
  }
  bool cancelled() const noexcept { return cancelled_; }

 private:
  StreamListener& listener_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Event> events_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace server
