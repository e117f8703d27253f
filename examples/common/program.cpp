#include "common/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <mla/error.hpp>

#include "common/help.hpp"

namespace program {
namespace {

struct ClosedPipe : Failure {
  using Failure::Failure;
};

std::string program_name = "mla";
std::atomic<bool> progress_is_shown{false};

volatile sig_atomic_t stop_signal = 0;
extern "C" void request_stop(int signal_number) { stop_signal = signal_number; }

// Handlers run on a stack of their own: oneDNN 2.6's AVX-512 products keep values further below the stack pointer than a signal's frame
// leaves alone, and Ctrl-C then damaged the heap. A process's signals go to the main thread, unless that blocks them.
void install_handlers() {
  static std::array<std::byte, 65536> memory;
  stack_t stack = {};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_ONSTACK;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A closed pipe and a file above the user's limit are then errors of write(), and what was begun is cleared away.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

// Otherwise a file that is opened takes the number of a standard stream that was closed, and messages end up in it.
void occupy_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // whose use is an error still
}

bool begins_with_letters(const std::string& argument, std::string_view letters) {
  return argument.starts_with('-') && argument.compare(1, letters.size(), letters) == 0 &&
         (argument.size() == letters.size() + 1 || argument[letters.size() + 1] == '=');
}

std::vector<std::string> spell_out(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  for (std::string& argument : arguments)
    for (const std::string_view letters : long_letters)
      if (begins_with_letters(argument, letters)) argument.insert(0, 1, '-');
  std::reverse(arguments.begin(), arguments.end());  // the order that CLI::App::parse(vector) takes
  return arguments;
}

void hide_progress() {
  if (progress_is_shown.exchange(false)) std::fputs("\r\033[K", stderr);
}

int report(const std::string& message, int status) {
  notice(message);
  return status;
}

int guarded(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  try {
    app.parse(spell_out(argc, argv));
    install_handlers();
    body();
    print("");
    return interrupted() ? 128 + stop_signal : 0;
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    return report(std::string(error.what()) + " (see " + app.get_name() + " --help)", 2);
  } catch (const ClosedPipe&) {
    throw;
  } catch (const mla::Error& error) {
    hide_progress();
    if (error.status() == mla::Status::aborted && interrupted()) return 128 + stop_signal;
    return report(error.what(), 1);
  } catch (const std::bad_alloc&) {
    return report("out of memory", 1);
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
}

// Text as a number of a range; the message, empty if it is one.
template <typename T>
std::string check_number(const std::string& text, T least, T most, const char* kind) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= least && value <= most) return "";
  return fmt::format("'{}' is not a {} from {} to {}", text, kind, least, most);
}

class ProgramLog final : public mla::LogSink {
 public:
  explicit ProgramLog(mla::LogLevel least) : least_(least) {}
  void write(mla::LogLevel level, std::string_view message) noexcept override try {
    constexpr std::array<const char*, 4> names = {"debug", "info", "warning", "error"};
    if (level >= least_) notice(fmt::format("{}: {}", names.at(static_cast<std::size_t>(level)), message));
  } catch (const std::exception&) {  // a message that finds no memory is not worth the work it reports on
  }

 private:
  mla::LogLevel least_;
};

}  // namespace

int run(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  program_name = app.get_name();
  occupy_standard_streams();
  app.formatter(help_formatter());
  try {
    return guarded(app, argc, argv, body);
  } catch (const ClosedPipe&) {
    return 128 + SIGPIPE;
  } catch (const std::exception& error) {  // help that can't be printed
    return report(error.what(), 1);
  }
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  constexpr std::int64_t worth_telling = 1 << 24;
  return CLI::Validator([=](std::string& text) { return check_number(text, least, most, "whole number"); },
                        most <= worth_telling ? fmt::format("{}..{}", least, most) : "N");
}

CLI::Validator number(double least, double most) {
  return CLI::Validator([=](std::string& text) { return check_number(text, least, most, "number"); }, fmt::format("{}..{}", least, most));
}

std::uint64_t part_bytes(const std::string& text) {
  std::uint64_t value = 0;
  std::size_t used = 0;
  while (used < text.size() && text[used] >= '0' && text[used] <= '9' && value < 100'000'000)
    value = 10 * value + static_cast<std::uint64_t>(text[used++] - '0');
  const std::string unit = text.substr(used);
  return unit == "M" ? value * 1'000'000 : unit == "G" ? value * 1'000'000'000 : 0;
}

CLI::Validator part_size() {
  return CLI::Validator([](std::string& text) { return part_bytes(text) > 0 ? "" : "'" + text + "' is not a size such as 500M or 48G"; },
                        "N(M|G)");
}

CLI::Validator file_name() {
  return CLI::Validator([](std::string& text) { return std::string(text.empty() ? "the name is empty" : ""); }, "FILE");
}

std::vector<std::string> split_lists(const std::vector<std::string>& lists) {
  std::vector<std::string> items;
  for (const std::string& list : lists)
    for (std::size_t begin = 0, end = 0; end != list.npos; begin = end + 1) {
      end = list.find(',', begin);
      items.push_back(list.substr(begin, end - begin));
    }
  return items;
}

CLI::Validator each(const CLI::Validator& item) {
  const auto check = [item](std::string& list) {
    for (std::string& text : split_lists({list})) {
      if (text.empty()) return fmt::format("'{}' has an item that is empty", list);
      if (const std::string message = item(text); !message.empty()) return message;
    }
    return std::string();
  };
  return CLI::Validator(check, item.get_description());
}

bool interrupted() noexcept { return stop_signal != 0; }
void forget_interrupt() noexcept { stop_signal = 0; }

void expect_interrupt() noexcept {
  forget_interrupt();
  install_handlers();
}

bool stderr_is_terminal() noexcept { return isatty(STDERR_FILENO) != 0; }

namespace {

std::string duration(double seconds) {
  const auto s = static_cast<long>(std::min(seconds, 1e7));
  return s < 60     ? fmt::format("{} s", s)
         : s < 3600 ? fmt::format("{} min {:02} s", s / 60, s % 60)
                    : fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
}

// Rate and time left of a phase that began at `begin`, once they mean something.
class Pace {
 public:
  std::string text(std::string_view phase, std::uint64_t done, std::uint64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (phase != phase_) phase_ = phase, begin_ = now, done_before_ = done;
    const double seconds = std::chrono::duration<double>(now - begin_).count(), rate = static_cast<double>(done - done_before_) / seconds;
    if (seconds < 2 || !(rate > 0)) return "";
    const bool is_bytes = phase == "convert" || phase == "check" || phase == "quantize" || phase == "read" || phase == "repack";
    return fmt::format("{}, {} left", is_bytes ? fmt::format(", {:.0f} MB/s", rate / 1e6) : std::string(),
                       duration(static_cast<double>(total - done) / rate));
  }

 private:
  std::string phase_;
  std::chrono::steady_clock::time_point begin_;
  std::uint64_t done_before_ = 0;
};

}  // namespace

mla::ProgressCallback progress() {
  if (!stderr_is_terminal()) return [](std::string_view, std::uint64_t, std::uint64_t) { return !interrupted(); };
  return [last = std::string(), pace = Pace()](std::string_view phase, std::uint64_t done, std::uint64_t total) mutable {
    const int percent = total == 0 ? 100 : static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * 100);
    const std::string line = fmt::format("{} {:3} %{}", phase, percent, pace.text(phase, done, total));
    if (percent >= 100) {
      hide_progress();
    } else if (line != last || !progress_is_shown) {
      std::fprintf(stderr, "\r\033[K%s", line.c_str());
      progress_is_shown = true;
    }
    last = line;
    return !interrupted();
  };
}

void notice(const std::string& text) {
  std::string line = program_name + ": " + text;
  std::replace(line.begin(), line.end(), '\n', ' ');  // one line, whatever a message contains
  hide_progress();
  std::fprintf(stderr, "%s\n", line.c_str());
}

std::shared_ptr<mla::LogSink> log(mla::LogLevel least) { return std::make_shared<ProgramLog>(least); }

void print(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  const std::string message = std::string("cannot write to standard output: ") + std::strerror(errno);
  if (errno == EPIPE) throw ClosedPipe(message);
  throw Failure(message);
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
  if (failed) throw Failure("cannot read " + (from_stdin ? "standard input" : path) + ": " + std::strerror(reason));
  return text;
}

}  // namespace program
