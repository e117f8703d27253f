#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mla/host.hpp>

namespace mla {
namespace {

// A logger object of our own: spdlog's global registry belongs to the host.
class StderrLog final : public LogSink {
 public:
  explicit StderrLog(LogLevel level) : logger_("mla", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_pattern("%l: %v");
    logger_.set_level(translate(level));
    logger_.flush_on(spdlog::level::warn);
  }
  void write(LogLevel level, std::string_view message) noexcept override {
    logger_.log(translate(level), spdlog::string_view_t(message.data(), message.size()));
  }

 private:
  static spdlog::level::level_enum translate(LogLevel level) {
    switch (level) {
      case LogLevel::debug: return spdlog::level::debug;
      case LogLevel::info: return spdlog::level::info;
      case LogLevel::warning: return spdlog::level::warn;
      case LogLevel::error: return spdlog::level::err;
    }
    return spdlog::level::err;
  }
  spdlog::logger logger_;
};

}  // namespace

std::shared_ptr<LogSink> stderr_log(LogLevel level) { return std::make_shared<StderrLog>(level); }

}  // namespace mla
