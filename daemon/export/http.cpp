#include "export/http.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <list>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <utility>

#include "base/fd.h"
#include "export/connection.h"
#include "export/listen.h"

namespace diagnose::exporter {
namespace {

constexpr std::size_t connections_max = 32;          // beyond: the one nearest its deadline gives way
constexpr std::size_t stack_bytes = 512UL * 1024UL;  // nothing here recurses

int poll_timeout_ms(const std::list<Connection>& connections, Clock::time_point now) {
  if (connections.empty()) return -1;
  const auto nearest =
      std::min_element(connections.begin(), connections.end(),
                       [](const auto& left, const auto& right) { return left.deadline() < right.deadline(); });
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(nearest->deadline() - now);
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

class PollingServer final : public HttpServer {
 public:
  PollingServer(Listener listener, Pages pages) : listener_(std::move(listener)), pages_(std::move(pages)) {}
  PollingServer(const PollingServer&) = delete;
  PollingServer& operator=(const PollingServer&) = delete;

  ~PollingServer() override {
    if (!running_) return;
    (void)::eventfd_write(stop_.get(), 1);  // fails only on overflow
    (void)::pthread_join(thread_, nullptr);
  }

  Status run() {
    stop_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_) return refused(errno);
    pthread_attr_t attributes;
    if (const int error = ::pthread_attr_init(&attributes); error != 0) return refused(error);
    (void)::pthread_attr_setstacksize(&attributes, stack_bytes);  // refused: the default will do
    // Signals belong to the loop; a thread inherits the mask of its maker.
    sigset_t all;
    sigset_t before;
    (void)::sigfillset(&all);
    (void)::pthread_sigmask(SIG_BLOCK, &all, &before);
    const int error = ::pthread_create(&thread_, &attributes, &PollingServer::main, this);
    (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    (void)::pthread_attr_destroy(&attributes);
    if (error != 0) return refused(error);
    running_ = true;
    (void)::pthread_setname_np(thread_, "http");  // for `top -H`; no matter if it fails
    return {};
  }

  [[nodiscard]] std::string address() const override { return listener_.address; }

 private:
  [[nodiscard]] Status refused(int error_number) const {
    return failure({.what = "serve " + listener_.address, .where = "", .why = errno_text(error_number), .mend = ""});
  }

  static void* main(void* self) {
    static_cast<PollingServer*>(self)->serve();
    return nullptr;
  }

  void serve() {
    std::vector<pollfd> polled;
    while (true) {
      polled.clear();
      polled.push_back({.fd = stop_.get(), .events = POLLIN, .revents = 0});
      polled.push_back({.fd = listener_.socket.get(), .events = POLLIN, .revents = 0});
      for (const Connection& each : connections_) {
        polled.push_back({.fd = each.socket(), .events = each.events(), .revents = 0});
      }
      if (::poll(polled.data(), polled.size(), poll_timeout_ms(connections_, Clock::now())) < 0 && errno != EINTR)
        return;
      if (polled[0].revents != 0) return;
      const Clock::time_point now = Clock::now();
      std::size_t at = 2;
      std::erase_if(connections_, [&](Connection& each) { return !each.step(polled[at++].revents != 0, now); });
      if (polled[1].revents != 0) accept(now);
    }
  }

  void accept(Clock::time_point now) {
    Fd socket(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      // Out of descriptors the listener stays readable: without a rest this would spin.
      const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (exhausted) rest();
      return;
    }
    if (connections_.size() >= connections_max) give_way();
    connections_.emplace_back(std::move(socket), pages_, now);
  }

  void rest() {
    constexpr int rest_ms = 100;
    pollfd stop{.fd = stop_.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&stop, 1, rest_ms);  // the loop looks at it again
  }

  void give_way() {
    const auto nearest = std::min_element(
        connections_.begin(), connections_.end(),
        [](const Connection& left, const Connection& right) { return left.deadline() < right.deadline(); });
    if (nearest != connections_.end()) connections_.erase(nearest);
  }

  Listener listener_;
  Pages pages_;
  Fd stop_;
  std::list<Connection> connections_;  // HTTP thread only
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& listen, Pages pages) {
  Result<Listener> listener = listen_on(listen);
  if (!listener) return tl::unexpected(std::move(listener.error()));
  auto server = std::make_unique<PollingServer>(std::move(*listener), std::move(pages));
  if (Status running = server->run(); !running) return tl::unexpected(std::move(running.error()));
  return server;
}

}  // namespace diagnose::exporter
