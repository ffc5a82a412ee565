#include "export/http.h"

#include <arpa/inet.h>
#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>

#include "base/fd.h"

namespace diagnose::exporter {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

metrics::Family family() {
  metrics::Family result;
  result.name = "calls";
  result.help = "Calls.";
  result.series.emplace_back().value = 7;
  return result;
}

class Http : public ::testing::Test {
 protected:
  std::unique_ptr<HttpServer> start(const std::string& listen = "127.0.0.1:0") {
    auto server = HttpServer::start(listen, {.metrics = [] { return std::vector<metrics::Family>{family()}; },
                                             .ready = [this] { return ready_.load(); },
                                             .index = [] { return std::string("index\n"); }});
    EXPECT_TRUE(server) << server.error().text();
    return server ? std::move(*server) : nullptr;
  }

  std::atomic<bool> ready_ = true;
};

class Client {
 public:
  explicit Client(const std::string& address) {
    const auto colon = address.rfind(':');
    const auto port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    if (address.starts_with('[')) {
      sockaddr_in6 peer{};
      peer.sin6_family = AF_INET6;
      peer.sin6_port = port;
      peer.sin6_addr = in6addr_loopback;
      connect(AF_INET6, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
    } else {
      sockaddr_in peer{};
      peer.sin_family = AF_INET;
      peer.sin_port = port;
      peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      connect(AF_INET, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
    }
  }

  void send(const std::string& text) {
    ASSERT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  // Up to and with `end`, or all there is if the server ends the connection.
  std::string receive(const std::string& end) {
    std::string text;
    char byte = 0;
    while (!text.ends_with(end) && ::recv(socket_.get(), &byte, 1, 0) == 1) text += byte;
    return text;
  }
  std::string receive_all() {
    std::string text;
    char bytes[4096];
    for (ssize_t size = 0; (size = ::recv(socket_.get(), bytes, sizeof(bytes), 0)) > 0;) {
      text.append(bytes, static_cast<std::size_t>(size));
    }
    return text;
  }

 private:
  void connect(int domain, const sockaddr* peer, socklen_t size) {
    socket_ = Fd(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket_.get(), peer, size), 0);
  }

  Fd socket_;
};

std::string fetch(const std::string& address, const std::string& request_line, const std::string& fields = "") {
  Client client(address);
  client.send(request_line + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + fields + "\r\n");
  return client.receive_all();
}

TEST_F(Http, ServesItsPages) {
  const auto server = start();
  EXPECT_THAT(server->address(), StartsWith("127.0.0.1:"));
  EXPECT_THAT(
      fetch(server->address(), "GET /metrics"),
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            EndsWith("\r\n\r\n# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 7\n")));
  EXPECT_THAT(fetch(server->address(), "GET /metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n"),
              AllOf(HasSubstr("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
                    EndsWith("calls_total 7\n# EOF\n")));
  EXPECT_THAT(fetch(server->address(), "GET /-/healthy"), EndsWith("\r\n\r\nhealthy\n"));
  EXPECT_THAT(fetch(server->address(), "GET /"), EndsWith("\r\n\r\nindex\n"));
  EXPECT_THAT(fetch(server->address(), "GET /etc/passwd"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(fetch(server->address(), "GET /../metrics"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(Http, IsReadyWhenTheDaemonSaysSo) {
  const auto server = start();
  ready_ = false;
  EXPECT_THAT(fetch(server->address(), "GET /-/ready"), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  ready_ = true;
  EXPECT_THAT(fetch(server->address(), "GET /-/ready"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http, HeadHasTheLengthAndNoBody) {
  const auto server = start();
  EXPECT_THAT(fetch(server->address(), "HEAD /-/healthy"),
              AllOf(HasSubstr("Content-Length: 8\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(Http, OtherMethodsAreNotAllowed) {
  const auto server = start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
    EXPECT_THAT(fetch(server->address(), std::string(method) + " /metrics"),
                AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"), HasSubstr("Allow: GET, HEAD\r\n")));
  }
}

TEST_F(Http, AConnectionServesManyRequestsAlsoWhenTheyComeTogetherOrInPieces) {
  const auto server = start();
  Client client(server->address());
  const std::string request = "GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    client.send(request);
    EXPECT_THAT(client.receive("healthy\n"), HasSubstr("Connection: keep-alive\r\n"));
  }
  client.send(request + request);
  EXPECT_THAT(client.receive("healthy\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(client.receive("healthy\n"), StartsWith("HTTP/1.1 200"));
  for (const char c : request) client.send(std::string(1, c));
  EXPECT_THAT(client.receive("healthy\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Http, ARequestThatIsTooLargeOrJunkIsRefusedAndTheConnectionEnds) {
  const auto server = start();
  Client large(server->address());
  large.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(100'000, 'a'));
  EXPECT_THAT(large.receive_all(), StartsWith("HTTP/1.1 431 "));
  Client junk(server->address());
  junk.send(std::string("\x16\x03\x01\x00\xff\n\n", 7));
  EXPECT_THAT(junk.receive_all(), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(fetch(server->address(), "GET /-/healthy"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Http, ABodyIsNotTakenForTheNextRequest) {
  const auto server = start();
  Client client(server->address());
  const std::string smuggled = "GET /-/ready HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send("GET /-/healthy HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(smuggled.size()) + "\r\n\r\n" +
              smuggled);
  EXPECT_THAT(client.receive_all(), AllOf(EndsWith("healthy\n"), Not(HasSubstr("ready\n"))));
}

TEST_F(Http, ClientsThatNeverFinishARequestHoldUpNobody) {
  const auto server = start();
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(std::make_unique<Client>(server->address()));
    silent.back()->send("GET /met");
  }
  EXPECT_THAT(fetch(server->address(), "GET /-/healthy"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Http, AClientThatTakesItsAnswerSlowlyGetsAllOfIt) {
  const std::string large(8U << 20U, 'x');
  auto server = HttpServer::start("127.0.0.1:0", {.metrics = [] { return std::vector<metrics::Family>{}; },
                                                  .ready = [] { return true; },
                                                  .index = [&] { return large; }});
  ASSERT_TRUE(server);
  Client slow((*server)->address());
  slow.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(fetch((*server)->address(), "GET /-/healthy"), StartsWith("HTTP/1.1 200"));  // meanwhile
  const std::string answer = slow.receive_all();
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), large);
}

TEST_F(Http, APageThatThrowsIsAnErrorAndTheServerLives) {
  auto server =
      HttpServer::start("127.0.0.1:0", {.metrics = []() -> std::vector<metrics::Family> { throw std::bad_alloc(); },
                                        .ready = [] { return true; },
                                        .index = [] { return std::string(); }});
  ASSERT_TRUE(server);
  EXPECT_THAT(fetch((*server)->address(), "GET /metrics"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(fetch((*server)->address(), "GET /-/healthy"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Http, ListensOnIpv6AndOnEveryAddress) {
  const auto v6 = start("[::1]:0");
  ASSERT_NE(v6, nullptr);
  EXPECT_THAT(v6->address(), StartsWith("[::1]:"));
  EXPECT_THAT(fetch(v6->address(), "GET /-/healthy"), StartsWith("HTTP/1.1 200"));
  const auto every = start(":0");
  ASSERT_NE(every, nullptr);
  const std::string port = every->address().substr(every->address().rfind(':'));
  EXPECT_THAT(fetch("127.0.0.1" + port, "GET /-/healthy"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(fetch("[::1]" + port, "GET /-/healthy"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Http, APortInUseIsToldAndHowToMendIt) {
  const auto server = start();
  const auto second = HttpServer::start(server->address(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().what, "listen on " + server->address());
  EXPECT_EQ(second.error().why, "address in use");
  EXPECT_THAT(second.error().mend, HasSubstr("--listen"));
}

TEST_F(Http, WhatIsNoAddressIsTold) {
  for (const char* bad : {"", "9950", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", "::1:9950",
                          "[127.0.0.1]:1", "127.0.0.1:-1", "[::1]"}) {
    const auto server = HttpServer::start(bad, {});
    ASSERT_FALSE(server) << bad;
    EXPECT_EQ(server.error().what, std::string("listen on ") + bad);
    EXPECT_THAT(server.error().mend, HasSubstr("127.0.0.1:9950")) << bad;
  }
  const auto foreign = HttpServer::start("192.0.2.1:0", {});  // TEST-NET-1, RFC 5737
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().why, "this host has no such address");
}

TEST_F(Http, EndsAtOnceThoughClientsAreConnected) {
  auto server = start();
  Client idle(server->address());
  Client busy(server->address());
  busy.send("GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n");
  (void)busy.receive("healthy\n");
  server.reset();  // joins its thread: hangs here if a client could hold it
  EXPECT_EQ(idle.receive_all(), "");
}

}  // namespace
}  // namespace diagnose::exporter
