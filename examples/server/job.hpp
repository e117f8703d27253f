// What the scheduler computes: one answer to one prompt.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <mla/sampler.hpp>

#include "server/answer_stream.hpp"

namespace server {

struct Job {
  std::vector<mla::Token> prompt;          ///< not empty
  int max_tokens = 0;                      ///< to generate at most; 0: none, only the prompt is computed
  mla::SamplerOptions sampling = {};
  std::vector<std::string> stop = {};
  int n_logprobs = -1;                     ///< likeliest tokens to report beside each one; -1: report nothing
  bool ignore_end = false;                 ///< go on behind a token that ends an answer
  bool cache_prompt = true;                ///< begin with what the prompt cache holds, and leave the answer there
  bool embedding = false;                  ///< report the hidden state of the last token instead of generating
  int choice = 0;                          ///< number of the answer within the request
  std::shared_ptr<AnswerStream> out;
};

}  // namespace server
