// The demo model, and what the tests of mla-server's parts do with it.
#pragma once
#include <chrono>
#include <map>
#include <string>

#include <mla/model.hpp>

#include "catch.hpp"
#include "server/scheduler.hpp"

inline std::shared_ptr<const mla::Model> demo() {
  static const auto model = mla::Model::load(MLA_SOURCE_DIR "/examples/models/demo-f16.gguf");
  return model;
}

inline std::vector<mla::Token> demo_tokens(const std::string& text) { return demo()->tokenizer().encode(text); }

/// n tokens of a text that is the same each time.
inline std::vector<mla::Token> long_prompt(std::size_t n, mla::Token first = 300) {
  std::vector<mla::Token> tokens;
  for (std::size_t i = 0; i < n; ++i) tokens.push_back(first + static_cast<mla::Token>(i * i % 1500));
  return tokens;
}

struct Answer {
  std::string text;
  int n_logprobs = 0;
  server::Finish finish;
};

/// All that comes out of a stream until as many answers have ended; silence of ten minutes fails the test.
inline std::map<int, Answer> collect(server::AnswerStream& stream, int n_answers = 1) {
  std::map<int, Answer> answers;
  for (int n = 0, silent = 0; n < n_answers;) {
    const auto event = stream.pop(std::chrono::milliseconds(100));
    if (!event) {
      REQUIRE(++silent < 6000);
      continue;
    }
    silent = 0;
    Answer& answer = answers[event->choice];
    answer.text += event->text;
    answer.n_logprobs += static_cast<int>(event->logprobs.size());
    if (event->finish) answer.finish = *event->finish, ++n;
  }
  return answers;
}
