#include "common/sampler_flags.hpp"

#include <limits>
#include <random>

#include "common/program.hpp"

namespace program {

void SamplerFlags::choose_seed() { options.seed = seed >= 0 ? static_cast<std::uint64_t>(seed) : std::random_device{}(); }

void add_sampler_flags(CLI::App& app, SamplerFlags& flags) {
  mla::SamplerOptions& s = flags.options;
  app.add_option("-s,--seed", flags.seed, "of the sampler; -1: another one each time")
      ->check(whole_number(-1, std::numeric_limits<std::int64_t>::max()))->capture_default_str();
  app.add_option("--temp", s.temperature, "temperature; 0: always the most likely token")
      ->check(number(0, 1000))->capture_default_str();
  app.add_option("--top-k", s.top_k, "keep the k most likely tokens; 0: all")->check(whole_number(0, 1 << 30))->capture_default_str();
  app.add_option("--top-p", s.top_p, "keep the most likely tokens that together reach p; 1: all")
      ->check(number(0, 1))
      ->capture_default_str();
  app.add_option("--min-p", s.min_p, "drop tokens below this share of the most likely one's probability; 0: none")
      ->check(number(0, 1))->capture_default_str();
  app.add_option("--typical", s.typical_p, "locally typical sampling; 1: off")->check(number(1e-6, 1))->capture_default_str();
  app.add_option("--repeat-last-n", s.penalty_last_n, "tokens that the penalties look back on; -1: all")
      ->check(whole_number(-1, 1 << 30))->capture_default_str();
  app.add_option("--repeat-penalty", s.repeat_penalty, "divides the logits of repeated tokens; 1: off")
      ->check(number(0.01, 100))->capture_default_str();
  app.add_option("--presence-penalty", s.presence_penalty, "subtracted from the logits of tokens that occur")
      ->check(number(-100, 100))->capture_default_str();
  app.add_option("--frequency-penalty", s.frequency_penalty, "subtracted once for each occurrence")
      ->check(number(-100, 100))->capture_default_str();
  app.add_option("--mirostat", s.mirostat, "2: Mirostat 2.0 in place of top-k, top-p, min-p and typical; 0: off")
      ->check(CLI::IsMember({0, 2}))->capture_default_str();
  app.add_option("--mirostat-ent", s.mirostat_tau, "Mirostat's target surprise in bits, tau")
      ->check(number(1e-3, 1e3))->capture_default_str();
  app.add_option("--mirostat-lr", s.mirostat_eta, "Mirostat's learning rate, eta")
      ->check(number(1e-6, 10))->capture_default_str();
}

}  // namespace program
