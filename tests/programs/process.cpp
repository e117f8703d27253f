#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

extern char** environ;

namespace {

constexpr int patience = 600;  // seconds in which a program may say nothing
const std::string emulator = "qemu-x86_64";

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Descriptor reader, writer;
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader = Descriptor(ends[0]), writer = Descriptor(ends[1]);
  }
};

// The limit is inherited at the start of a process; this one lowers its own for that moment.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t bytes) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit limit = before_;
    if (bytes > 0) limit.rlim_cur = bytes;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

class Child {
 public:
  Child(const std::string& program, const std::vector<std::string>& arguments, const Setup& setup) : setup_(setup) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t all;
    ::sigfillset(&all);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | (setup.terminal ? POSIX_SPAWN_SETSID : 0)));
    setup.terminal ? connect_terminal(actions) : connect_pipes(actions);

    std::vector<char*> argv{const_cast<char*>(program.c_str())}, environment;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
    if (!setup.environment.empty()) environment.push_back(const_cast<char*>(setup.environment.c_str()));
    environment.push_back(nullptr);
    const FileSizeLimit limit(setup.largest_file);
    REQUIRE(::posix_spawnp(&id_, program.c_str(), &actions, &attributes, argv.data(), environment.data()) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    child_in_.close(), child_out_.close(), child_err_.close();
  }

  ~Child() {
    if (id_ < 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }

  Run finish() {
    Run run;
    int silent = 0;
    while (out_.get() >= 0 || err_.get() >= 0) {
      std::array<pollfd, 2> ready{{{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}}};  // poll passes over negative ones
      if (::poll(ready.data(), ready.size(), 1000) <= 0) {
        REQUIRE(++silent < patience);
        continue;
      }
      silent = 0;
      if (ready[0].revents != 0) take(out_, run.out);
      if (ready[1].revents != 0) take(err_, run.err);
      if (setup_.signal != 0 && !signalled_ && run.out.find(setup_.signal_after) != std::string::npos && !run.out.empty()) {
        ::kill(id_, setup_.signal);
        signalled_ = true;
      }
      if (setup_.close_output_after > 0 && run.out.size() >= setup_.close_output_after) out_.close();
    }
    int status = 0;
    REQUIRE(::waitpid(std::exchange(id_, -1), &status, 0) > 0);
    run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    return run;
  }

 private:
  void connect_pipes(posix_spawn_file_actions_t& actions) {
    Pipe in, out, err;
    REQUIRE(setup_.input.size() < 65536);  // fits the pipe
    REQUIRE(::write(in.writer.get(), setup_.input.data(), setup_.input.size()) == static_cast<ssize_t>(setup_.input.size()));
    ::posix_spawn_file_actions_adddup2(&actions, in.reader.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err.writer.get(), STDERR_FILENO);
    if (setup_.output == nullptr)
      ::posix_spawn_file_actions_adddup2(&actions, out.writer.get(), STDOUT_FILENO);
    else
      ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, setup_.output, O_WRONLY | O_CREAT, 0666);
    child_in_ = std::move(in.reader), child_out_ = std::move(out.writer), child_err_ = std::move(err.writer);
    out_ = std::move(out.reader), err_ = std::move(err.reader);
  }

  void connect_terminal(posix_spawn_file_actions_t& actions) {
    out_ = Descriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 64> name;
    REQUIRE(out_.get() >= 0);
    REQUIRE(::grantpt(out_.get()) == 0);
    REQUIRE(::unlockpt(out_.get()) == 0);
    REQUIRE(::ptsname_r(out_.get(), name.data(), name.size()) == 0);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, name.data(), O_RDWR, 0);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) ::posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, fd);
  }

  static void take(Descriptor& from, std::string& text) {
    std::array<char, 4096> part;
    const ssize_t n = ::read(from.get(), part.data(), part.size());
    if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno == EIO)) from.close();  // EIO: the last holder of the terminal went away
  }

  const Setup& setup_;
  pid_t id_ = -1;
  Descriptor child_in_, child_out_, child_err_, out_, err_;
  bool signalled_ = false;
};

}  // namespace

Run run_program(const std::string& name, const std::vector<std::string>& arguments, const Setup& setup) {
  const std::string program = MLA_PROGRAM_DIR "/" + name;
  if (setup.processor.empty()) return Child(program, arguments, setup).finish();
  std::vector<std::string> emulated{"-cpu", setup.processor, program};
  emulated.insert(emulated.end(), arguments.begin(), arguments.end());
  return Child(emulator, emulated, setup).finish();
}

void need_terminal() {
  const Descriptor terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (terminal.get() >= 0) return;
  std::fprintf(stderr, "skipped: no pseudo-terminal (%s); mount /dev/pts to run this\n", std::strerror(errno));
  std::exit(4);
}

void need_qemu() {
  if (std::system(("command -v " + emulator + " >/dev/null").c_str()) == 0) return;
  std::fprintf(stderr, "SKIPPED: older processors were NOT tested, because %s is missing: apt-get install qemu-user\n", emulator.c_str());
  std::exit(4);
}

void check_error(const std::string& name, const std::vector<std::string>& arguments, int status, const std::vector<std::string>& parts,
                 const Setup& setup) {
  std::string line = name;
  for (const std::string& argument : arguments) line += " '" + argument + "'";
  INFO(line);
  const Run run = run_program(name, arguments, setup);
  CHECK(run.status == status);
  CHECK(run.out.empty());
  INFO("standard error: " << run.err);
  CHECK(run.err.starts_with(name + ": "));
  CHECK(run.err.find('\n') == run.err.size() - 1);
  for (const std::string& part : parts) {
    INFO("part: " << part);
    CHECK(run.err.find(part) != std::string::npos);
  }
}
