// Continuous batching: one thread, which alone touches context and cache, computes all answers together.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <mla/context.hpp>

#include "server/job.hpp"
#include "server/metrics.hpp"
#include "server/prompt_cache.hpp"
#include "server/slot.hpp"
#include "server/step_size.hpp"

namespace server {

struct SchedulerOptions {
  int n_slots = 8;            ///< answers in work at once
  int n_ctx = 4096;           ///< tokens of one prompt with its answer
  int n_queue = 256;          ///< answers that may wait for a slot
  std::uint64_t cache_ram = 0;   ///< bytes for prompts that nobody works on; 0: none are kept
  std::string cache_dir = {};    ///< empty: none are saved
  std::uint64_t cache_disk = 0;  ///< bytes for what is saved
};

enum class Refusal { none, full, stopping };

class Scheduler final : public StreamListener {
 public:
  /// `context` says how to compute; its cache and size are made here. Throws mla::Error and std::filesystem::filesystem_error.
  Scheduler(std::shared_ptr<const mla::Model> model, mla::ContextOptions context, const SchedulerOptions& options, Metrics& metrics);
  ~Scheduler() override;

  const SchedulerOptions& options() const noexcept { return options_; }
  const mla::Model& model() const noexcept { return *model_; }

  std::shared_ptr<AnswerStream> new_stream() { return std::make_shared<AnswerStream>(*this); }
  /// Takes all of the jobs or none. What comes of them goes to their streams.
  [[nodiscard]] Refusal submit(std::vector<Job> jobs);
  Load load() const;

  /// Takes no more jobs, and returns when those in the queue are done, or fails them after `patience`.
  void drain(std::chrono::milliseconds patience);

  void room_made() noexcept override;
  void client_gone(const AnswerStream& stream) noexcept override;

 private:
  struct Waiting {
    Job job;
    Clock::time_point since;
  };
  struct Running {
    Slot slot;
    Clock::time_point since;        ///< when it came to the queue
    Clock::time_point last_token;
    int first_row = -1, n_rows = 0;  ///< in the batch
  };
  using Place = std::list<Running>::iterator;

  void run();
  void wait_for_work();
  void drop_cancelled();
  void admit();
  bool shares_unfinished_prompt(const Job& job) const;
  bool compute();
  int fill_batch();
  bool decode();
  void fail_step(const std::string& why);
  void take_results();
  void take_result(Place place);
  void finish(Place place);
  void publish();
  int pages_in_work() const;

  const SchedulerOptions options_;
  std::shared_ptr<const mla::Model> model_;
  Metrics& metrics_;
  Vocabulary vocabulary_;
  std::shared_ptr<mla::KvCache> kv_;
  std::atomic<bool> interrupt_{false};  // ends the step in work
  mla::Context context_;
  PromptCache cache_;
  StepSize step_size_;

  std::list<Running> running_;  // in the order they came
  std::vector<mla::SequenceId> free_sequences_;
  mla::Batch batch_;
  std::vector<const AnswerStream*> computing_streams_;  // of the answers in the batch

  mutable std::mutex mutex_;
  std::condition_variable changed_, idle_;
  std::deque<Waiting> waiting_;
  std::vector<const AnswerStream*> computing_;  // the same, for the threads that tell whose client has gone
  Load load_;
  bool news_ = false, stopping_ = false, give_up_ = false, end_ = false;
  std::thread thread_;
};

}  // namespace server
