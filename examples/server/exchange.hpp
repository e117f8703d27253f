// Brings an answer to its client while it is made: server-sent events, or one JSON text in the end.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include <httplib.h>

#include "server/answer_stream.hpp"
#include "server/reply.hpp"

namespace server {

/// One request's answer on its way. HTTP headers go out before anything was computed; in every silent second a client gets a sign of life
/// (a comment line of the event stream, or a line end, which JSON may begin with), and within 50 ms it is noticed when the client has gone.
/// A slow one blocks only the thread that serves it.
class Exchange {
 public:
  Exchange(std::shared_ptr<AnswerStream> answers, std::unique_ptr<Reply> reply, bool stream)
      : answers_(std::move(answers)), reply_(std::move(reply)), stream_(stream) {}
  ~Exchange() { answers_->cancel(); }

  const char* content_type() const noexcept { return stream_ ? "text/event-stream" : "application/json"; }

  /// What httplib calls until the answer is out; false breaks the connection.
  bool pump(httplib::DataSink& sink);

 private:
  bool write(httplib::DataSink& sink, const std::string& text);
  bool take(const Event& event, httplib::DataSink& sink);
  bool end(httplib::DataSink& sink);

  std::shared_ptr<AnswerStream> answers_;
  std::unique_ptr<Reply> reply_;
  bool stream_;
  std::chrono::steady_clock::time_point last_write_ = std::chrono::steady_clock::now();
};

}  // namespace server
