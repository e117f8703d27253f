// mla-server: answers over HTTP, in OpenAI's form.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <fmt/format.h>
#include <mla/error.hpp>

#include "common/model_options.hpp"
#include "common/program.hpp"
#include "server/http_server.hpp"

namespace {

using program::whole_number;

constexpr int default_n_ctx = 4096;

struct Flags {
  program::ModelFlags model;
  server::HttpOptions http;
  server::SchedulerOptions scheduler;
  std::string alias, template_file, key_file;
  int max_tokens = 0, cache_ram = 1024, cache_disk = 16384, max_body = 16, grace = 10;
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(app, f.model, "tokens of one prompt and its answer together; default " + std::to_string(default_n_ctx), true);
  app.add_option("--host", f.http.host, "address to listen on; 0.0.0.0: all")->capture_default_str();
  app.add_option("--port", f.http.port, "port; 0: any that is free")->check(whole_number(0, 65535))->capture_default_str();
  app.add_option("-a,--alias", f.alias, "name of the model in requests; without it, the file's");
  app.add_option("--parallel,--np", f.scheduler.n_slots, "answers in work at once")->check(whole_number(1, 1024))->capture_default_str();
  app.add_option("--queue", f.scheduler.n_queue, "answers that may wait for their turn; more are refused")
      ->check(whole_number(0, 1 << 16))
      ->capture_default_str();
  app.add_option("-n,--n-predict", f.max_tokens, "tokens of an answer at most; 0: what the context has room for")
      ->check(whole_number(0, 1 << 30))->capture_default_str();
  app.add_option("--cache-ram", f.cache_ram, "MiB of memory for prompts that were computed before; 0: none are kept")
      ->check(whole_number(0, 1 << 24))->capture_default_str();
  app.add_option("--cache-dir", f.scheduler.cache_dir, "folder that keeps computed prompts over a restart; one server per folder")
      ->check(program::file_name());
  app.add_option("--cache-disk", f.cache_disk, "MiB that the folder may take")->check(whole_number(1, 1 << 24))->capture_default_str();
  app.add_option("--chat-template-file", f.template_file, "chat template (Jinja) to use instead of the model's")
      ->check(program::file_name());
  app.add_option("--api-key", f.http.api_keys, "key that requests must show; may be given several times");
  app.add_option("--api-key-file", f.key_file, "file with such keys, one a line")->check(program::file_name());
  app.add_option("--cors", f.http.cors_origin, "origin whose pages may use the server, * for all; without it, only the server's own page");
  app.add_option("--max-body", f.max_body, "MiB that a request may have")->check(whole_number(1, 1024))->capture_default_str();
  app.add_option("--grace", f.grace, "seconds that answers in work have to end when the server is stopped")
      ->check(whole_number(0, 86400))
      ->capture_default_str();
}

void read_keys(const std::string& file, std::vector<std::string>& keys) {
  const std::string text = program::read_file(file);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) keys.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (keys.empty()) throw program::Failure(file + " holds no key");
}

// glibc would otherwise keep the memory of large bodies, in as many heaps as there are threads that ever served one.
void give_memory_back() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_ARENA_MAX, 4);
#endif
}

std::string model_name(const Flags& flags, const mla::Model& model) {
  if (!flags.alias.empty()) return flags.alias;
  if (!model.info().name.empty()) return model.info().name;
  return std::filesystem::path(program::model_path(flags.model)).stem().string();
}

void run(Flags& flags) {
  if (!flags.key_file.empty()) read_keys(flags.key_file, flags.http.api_keys);
  const auto model = program::load_model(flags.model);
  flags.scheduler.n_ctx = flags.model.n_ctx > 0 ? flags.model.n_ctx : default_n_ctx;
  flags.scheduler.cache_ram = static_cast<std::uint64_t>(flags.cache_ram) << 20;
  flags.scheduler.cache_disk = static_cast<std::uint64_t>(flags.cache_disk) << 20;
  flags.http.max_body = static_cast<std::size_t>(flags.max_body) << 20;
  constexpr int spare_threads = 64;  // for what needs no slot, and for connections that are kept open
  flags.http.n_threads = flags.scheduler.n_slots + flags.scheduler.n_queue + spare_threads;

  server::Metrics metrics;
  server::Scheduler scheduler(model, program::context_options(flags.model, flags.scheduler.n_ctx), flags.scheduler, metrics);
  const server::RequestReader reader(model, model_name(flags, *model),
                                     flags.template_file.empty() ? model->chat_template() : program::read_file(flags.template_file),
                                     {.n_ctx = flags.scheduler.n_ctx, .max_tokens = flags.max_tokens});
  server::HttpServer http(flags.http, reader, scheduler, metrics);
  const int port = http.bind();
  program::print(fmt::format("mla-server: {} on http://{}:{}/ ({} slots of {} tokens)\n", reader.model_name(), flags.http.host, port,
                             flags.scheduler.n_slots, flags.scheduler.n_ctx));
  std::thread listener([&] { http.serve(); });
  while (!program::interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(flags.grace);  // a second signal ends the process
  scheduler.drain(std::chrono::seconds(flags.grace));
  http.drain(std::max(end, Clock::now() + std::chrono::seconds(1)));  // whoever was given up can still be told
  http.stop();
  listener.join();
  program::forget_interrupt();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Serves a DeepSeek-family model over HTTP, in OpenAI's form, with a chat page. Without arguments: the demo model.",
               "mla-server");
  Flags flags;
  declare(app, flags);
  give_memory_back();
  return program::run(app, argc, argv, [&] { run(flags); });
}
