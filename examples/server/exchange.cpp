#include "server/exchange.hpp"

namespace server {

bool Exchange::pump(httplib::DataSink& sink) {
  constexpr std::chrono::milliseconds look_out(50), silence(900);
  const auto event = answers_->pop(look_out);
  if (!sink.is_writable()) return false;  // the client has gone, or has read nothing for as long as httplib waits
  if (event) return take(*event, sink);
  if (std::chrono::steady_clock::now() - last_write_ < silence) return true;
  return write(sink, stream_ ? ": still working\n\n" : "\n");
}

bool Exchange::take(const Event& event, httplib::DataSink& sink) {
  if (stream_) {
    std::string text;
    for (const std::string& json : reply_->stream(event)) text += "data: " + json + "\n\n";
    if (!reply_->error().empty()) return write(sink, text) && end(sink);
    if (reply_->complete()) text += "data: [DONE]\n\n";
    if (!text.empty() && !write(sink, text)) return false;
  } else {
    reply_->collect(event);
    if (!reply_->error().empty()) return false;  // its status is out already: that the connection breaks is what tells the client
    if (reply_->complete() && !write(sink, reply_->whole())) return false;
  }
  return reply_->complete() ? end(sink) : true;
}

bool Exchange::write(httplib::DataSink& sink, const std::string& text) {
  last_write_ = std::chrono::steady_clock::now();
  return sink.write(text.data(), text.size());
}

bool Exchange::end(httplib::DataSink& sink) {
  sink.done();
  return true;
}

}  // namespace server
