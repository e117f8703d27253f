#include "server/http_server.hpp"

#include <sys/socket.h>

#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <mla/version.hpp>

#include "common/program.hpp"
#include "server/exchange.hpp"
#include "server/page.hpp"

namespace server {
namespace {

constexpr const char* json_type = "application/json";

std::int64_t seconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void set_error(httplib::Response& response, const ApiError& error) {
  response.status = error.status;
  response.set_content(error.to_json(), json_type);
}

// Takes as long whatever the first difference is.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() != b.size();
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[b.empty() ? 0 : i % b.size()]);
  return difference == 0;
}

}  // namespace

HttpServer::HttpServer(const HttpOptions& options, const RequestReader& reader, Scheduler& scheduler, Metrics& metrics)
    : options_(options),
      reader_(reader),
      scheduler_(scheduler),
      metrics_(metrics),
      started_(seconds_since_1970()),
      run_id_(std::random_device{}()) {
  configure();
  add_routes();
}

void HttpServer::configure() {
  server_.new_task_queue = [n = static_cast<std::size_t>(options_.n_threads)] { return new httplib::ThreadPool(n); };  // httplib deletes it
  server_.set_payload_max_length(options_.max_body);
  server_.set_tcp_nodelay(true);
  server_.set_keep_alive_max_count(1000);
  server_.set_read_timeout(10);
  server_.set_write_timeout(30);  // what a client may take to read before it is given up
  // Not httplib's SO_REUSEPORT, with which a second server on the port would take half of the requests.
  server_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    using enum httplib::Server::HandlerResponse;
    if (!options_.cors_origin.empty()) response.set_header("Access-Control-Allow-Origin", options_.cors_origin);
    if (request.has_header("Content-Encoding")) {  // a small body could unpack to one of any size
      set_error(response, ApiError(415, "compressed bodies are not supported"));
      return Handled;
    }
    if (request.method != "OPTIONS" || options_.cors_origin.empty()) return Unhandled;
    response.set_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    response.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type");
    response.status = 204;
    return Handled;
  });
  server_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const std::string message = response.status == 404   ? "there is no " + request.method + " " + request.path
                                : response.status == 413 ? "the body is too large (mla-server --max-body)"
                                                         : "the request can't be read";
    set_error(response, ApiError(response.status, message));
  });
  server_.set_logger([this](const httplib::Request& request, const httplib::Response& response) {
    metrics_.count_request(paths_.contains(request.path) ? request.path : "other", response.status);
  });
}

void HttpServer::add_routes() {
  get("/", [](const auto&, auto& response) { response.set_content(std::string(page), "text/html; charset=utf-8"); }, true);
  get("/health", [](const auto&, auto& response) { response.set_content(R"({"status":"ok"})", json_type); }, true);
  get("/v1/models", [this](const auto&, auto& response) { models(response); });
  get("/metrics",
      [this](const auto&, auto& response) { response.set_content(metrics_.text(scheduler_.load()), "text/plain; version=0.0.4"); });
  post("/v1/chat/completions", [this](const auto& request, auto& response) {
    answer(reader_.chat(parse_body(request.body)), "chatcmpl", make_chat_reply, response);
  });
  post("/v1/completions", [this](const auto& request, auto& response) {
    answer(reader_.completion(parse_body(request.body)), "cmpl", make_completion_reply, response);
  });
  post("/v1/embeddings", [this](const auto& request, auto& response) {
    answer(reader_.embeddings(parse_body(request.body)), "embd", make_embedding_reply, response);
  });
  for (const char* prefix : {"", "/v1"}) {
    post(std::string(prefix) + "/tokenize", [this](const auto& request, auto& response) { tokenize(request, response); });
    post(std::string(prefix) + "/detokenize", [this](const auto& request, auto& response) { detokenize(request, response); });
  }
}

void HttpServer::get(const std::string& path, Handler handler, bool open) {
  paths_.insert(path);
  server_.Get(path, guarded(std::move(handler), open));
}

void HttpServer::post(const std::string& path, Handler handler) {
  paths_.insert(path);
  server_.Post(path, guarded(std::move(handler), false));
}

// Whatever a handler throws becomes an answer. `open`: without a key.
HttpServer::Handler HttpServer::guarded(Handler handler, bool open) const {
  return [this, handler = std::move(handler), open](const httplib::Request& request, httplib::Response& response) {
    try {
      if (!open) check_key(request);
      handler(request, response);
    } catch (const ApiError& error) {
      set_error(response, error);
    } catch (const Json::exception& error) {
      set_error(response, ApiError(400, std::string("the body has a value of the wrong type: ") + error.what()));
    } catch (const std::exception& error) {
      set_error(response, ApiError(500, error.what()));
    }
  };
}

void HttpServer::check_key(const httplib::Request& request) const {
  if (options_.api_keys.empty()) return;
  constexpr std::string_view scheme = "Bearer ";
  const std::string header = request.get_header_value("Authorization");
  const std::string_view key = header.starts_with(scheme) ? std::string_view(header).substr(scheme.size()) : std::string_view();
  bool known = false;
  for (const std::string& one : options_.api_keys) known |= equal_in_constant_time(key, one);
  if (!known) throw ApiError(401, "a valid API key is needed: Authorization: Bearer KEY", {}, "invalid_api_key");
}

void HttpServer::answer(Request request, const char* id_prefix, MakeReply make_reply, httplib::Response& response) {
  const std::string id = fmt::format("{}-{:08x}{:x}", id_prefix, run_id_, n_requests_++);
  ++n_answers_;
  const std::shared_ptr<void> counted(nullptr, [this](void*) { --n_answers_; });
  const auto stream = scheduler_.new_stream();
  std::vector<Job> jobs = request.jobs;
  for (Job& job : jobs) job.out = stream;
  switch (scheduler_.submit(std::move(jobs))) {
    case Refusal::full: throw ApiError(429, "too many requests are waiting: try again later", {}, "queue_full");
    case Refusal::stopping: throw ApiError(503, "the server is being stopped");
    case Refusal::none: break;
  }
  const bool as_events = request.stream;
  ReplyContext context{id, seconds_since_1970(), reader_.model_name(), scheduler_.model().tokenizer()};
  const auto exchange = std::make_shared<Exchange>(stream, make_reply(std::move(context), std::move(request)), as_events);
  response.set_header("Cache-Control", "no-store");
  response.set_chunked_content_provider(exchange->content_type(),
                                        [exchange, counted](std::size_t, httplib::DataSink& sink) { return exchange->pump(sink); });
}

void HttpServer::models(httplib::Response& response) const {
  const mla::ModelInfo& info = scheduler_.model().info();
  const Json model{{"id", reader_.model_name()},
                   {"object", "model"},
                   {"created", started_},
                   {"owned_by", "libmla"},
                   {"meta",
                    {{"n_ctx", scheduler_.options().n_ctx},
                     {"n_ctx_train", info.n_ctx_train},
                     {"n_vocab", info.n_vocab},
                     {"n_embd", info.n_embd},
                     {"n_params", info.n_parameters},
                     {"size", info.weight_bytes},
                     {"version", mla::version()}}}};
  response.set_content(dump({{"object", "list"}, {"data", Json::array({model})}}), json_type);
}

void HttpServer::tokenize(const httplib::Request& request, httplib::Response& response) const {
  const Json body = parse_body(request.body);
  const Fields fields(body);
  const std::string text = fields.find("content") != nullptr ? fields.text("content", "") : fields.text("prompt", "");
  if (fields.find("content") == nullptr && fields.find("prompt") == nullptr) fields.required("content");
  const std::vector<mla::Token> tokens = reader_.tokens_of(text, fields);
  response.set_content(dump({{"tokens", tokens}, {"count", tokens.size()}}), json_type);
}

void HttpServer::detokenize(const httplib::Request& request, httplib::Response& response) const {
  const Json body = parse_body(request.body);
  const Fields fields(body);
  const auto tokens = reader_.checked_tokens(fields.required("tokens"), "tokens");
  const std::string text = scheduler_.model().tokenizer().decode(tokens, fields.flag("show_special", true));
  response.set_content(dump({{"content", text}}), json_type);
}

int HttpServer::bind() {
  const int port = options_.port == 0                                   ? server_.bind_to_any_port(options_.host)
                   : server_.bind_to_port(options_.host, options_.port) ? options_.port
                                                                        : -1;
  if (port <= 0)
    throw program::Failure(fmt::format("cannot listen on {} port {}: is the port taken? (--host, --port)", options_.host, options_.port));
  return port;
}

void HttpServer::serve() { server_.listen_after_bind(); }

void HttpServer::drain(std::chrono::steady_clock::time_point end) const {
  while (n_answers_ > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace server
