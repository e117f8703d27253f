#include "server/logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace server {

LogprobEntry logprobs_of(std::span<const float> logits, mla::Token chosen, int n) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  const auto logprob = [&, log_sum = largest + std::log(sum)](mla::Token token) {
    return static_cast<float>(logits[static_cast<std::size_t>(token)] - log_sum);
  };
  std::vector<mla::Token> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min<std::ptrdiff_t>(n, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(), [&](mla::Token a, mla::Token b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  });
  LogprobEntry entry{{chosen, logprob(chosen)}, {}};
  for (auto token = order.begin(); token != end; ++token) entry.top.push_back({*token, logprob(*token)});
  return entry;
}

}  // namespace server
