// What mla-perplexity can do, each as a function of its flags.
#pragma once
#include <memory>
#include <string>

#include <mla/model.hpp>

#include "common/model_options.hpp"

namespace program::perplexity {

constexpr int default_window = 512;

struct Flags {
  ModelFlags model;
  std::string text_file, tokens_file, logits_file, base_file;
  bool divergence = false, choices = false, json = false;
  int n_batch = 0, n_windows = 0, n_tasks = 0;

  std::size_t batch_size() const noexcept { return static_cast<std::size_t>(n_batch > 0 ? n_batch : model.n_ubatch); }
  int window() const noexcept { return model.n_ctx > 0 ? model.n_ctx : default_window; }
};

using ModelPointer = std::shared_ptr<const mla::Model>;

/// Perplexity of a text; with flags.base_file also writes that.
void measure_text(const Flags& flags, const std::string& text, const ModelPointer& model);
/// The model against the one that wrote flags.base_file, on that file's text.
void measure_divergence(const Flags& flags, const ModelPointer& model);
/// How often the model picks the right ending.
void measure_choices(const Flags& flags, const std::string& tasks, const ModelPointer& model);
/// The logits of token ids, as .npy.
void write_logits(const Flags& flags, const std::string& ids, const ModelPointer& model);

}  // namespace program::perplexity
