#include "common/program.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include <mla/error.hpp>

namespace program {
namespace {

constexpr std::array<std::string_view, 1> long_letters = {"ub"};  // CLI11 knows one letter after one dash

volatile sig_atomic_t stop_requested = 0;
extern "C" void request_stop(int) { stop_requested = 1; }

void install_handler() {
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a closed pipe is then an error of write()
}

std::vector<std::string> spell_out(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  for (std::string& argument : arguments)
    for (const std::string_view letters : long_letters)
      if (argument.size() > letters.size() && argument.compare(1, std::string::npos, letters) == 0 && argument[0] == '-')
        argument.insert(0, 1, '-');
  std::reverse(arguments.begin(), arguments.end());  // the order that CLI::App::parse(vector) takes
  return arguments;
}

std::string help(const CLI::App& app) {
  std::string text = app.help();
  for (const std::string_view letters : long_letters) {
    const std::string declared = "--" + std::string(letters) + ",";
    for (std::size_t at; (at = text.find(declared)) != std::string::npos;) text.erase(at, 1);
  }
  return text;
}

// One line, whatever a message contains.
int report(const CLI::App& app, std::string message, int status) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), message.c_str());
  return status;
}

int guarded(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  try {
    app.parse(spell_out(argc, argv));
    install_handler();
    body();
    print("");
    return interrupted() ? 130 : 0;
  } catch (const CLI::CallForHelp&) {
    print(help(app));
    return 0;
  } catch (const CLI::ParseError& error) {
    return report(app, std::string(error.what()) + " (see " + app.get_name() + " --help)", 2);
  } catch (const mla::Error& error) {
    if (error.status() == mla::Status::aborted && interrupted()) return 130;
    return report(app, error.what(), 1);
  } catch (const std::bad_alloc&) {
    return report(app, "out of memory", 1);
  } catch (const std::exception& error) {
    return report(app, error.what(), 1);
  }
}

}  // namespace

int run(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  try {
    return guarded(app, argc, argv, body);
  } catch (const std::exception& error) {  // help that can't be printed
    return report(app, error.what(), 1);
  }
}

bool interrupted() noexcept { return stop_requested != 0; }

bool stderr_is_terminal() noexcept { return isatty(STDERR_FILENO) != 0; }

mla::ProgressCallback progress() {
  if (!stderr_is_terminal()) return [](std::string_view, std::uint64_t, std::uint64_t) { return !interrupted(); };
  auto last = std::make_shared<int>(-1);
  return [last](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    const int percent = total == 0 ? 100 : static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * 100);
    if (percent != *last) std::fprintf(stderr, "\r%.*s %3d %%", static_cast<int>(phase.size()), phase.data(), percent);
    if (percent >= 100 && *last < 100) std::fprintf(stderr, "\r\033[K");
    *last = percent;
    return !interrupted();
  };
}

void print(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw Failure(std::string("cannot write to standard output: ") + std::strerror(errno));
}

std::string read_file(const std::string& path) {
  const bool from_stdin = path == "-";
  std::FILE* const file = from_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw Failure("cannot open " + path + ": " + std::strerror(errno));
  std::string text;
  std::array<char, 65536> part;
  errno = 0;
  for (std::size_t n; (n = std::fread(part.data(), 1, part.size(), file)) > 0;) text.append(part.data(), n);
  const bool failed = std::ferror(file) != 0;
  const int reason = errno;
  if (!from_stdin) std::fclose(file);
  if (failed) throw Failure("cannot read " + path + ": " + std::strerror(reason));
  return text;
}

}  // namespace program
