// The HTTP side: routes, keys, limits.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <httplib.h>

#include "server/metrics.hpp"
#include "server/reply.hpp"
#include "server/request.hpp"
#include "server/scheduler.hpp"

namespace server {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                     ///< 0: any that is free
  std::vector<std::string> api_keys = {};  ///< empty: none is asked for
  std::string cors_origin = {};        ///< empty: pages of other origins can't use the server
  std::size_t max_body = 16 << 20;     ///< bytes
  int n_threads = 64;                  ///< connections served at once
};

class HttpServer {
 public:
  HttpServer(const HttpOptions& options, const RequestReader& reader, Scheduler& scheduler, Metrics& metrics);

  /// Returns the port. Throws program::Failure if it can't be had.
  int bind();
  /// Serves until stop(), which another thread calls.
  void serve();
  /// Waits until every answer that is made has gone to its client, until `end` at most.
  void drain(std::chrono::steady_clock::time_point end) const;
  /// Breaks the connections that are left.
  void stop() { server_.stop(); }

 private:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  using MakeReply = std::unique_ptr<Reply> (*)(ReplyContext, Request);

  void configure();
  void add_routes();
  void get(const std::string& path, Handler handler, bool open = false);
  void post(const std::string& path, Handler handler);
  Handler guarded(Handler handler, bool open) const;
  void check_key(const httplib::Request& request) const;
  void answer(Request request, const char* id_prefix, MakeReply make_reply, httplib::Response& response);

  void models(httplib::Response& response) const;
  void tokenize(const httplib::Request& request, httplib::Response& response) const;
  void detokenize(const httplib::Request& request, httplib::Response& response) const;

  const HttpOptions options_;
  const RequestReader& reader_;
  Scheduler& scheduler_;
  Metrics& metrics_;
  const std::int64_t started_;
  const std::uint64_t run_id_;
  std::atomic<std::uint64_t> n_requests_{0};
  std::atomic<int> n_answers_{0};  // that are made or on their way
  std::set<std::string> paths_;  // that are counted apart
  httplib::Server server_;
};

}  // namespace server
