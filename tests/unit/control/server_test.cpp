// Real sockets in a directory of the test's own; the loop runs on a thread as it does in the daemon.
#include "control/server.h"

#include <array>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <future>
#include <grp.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/fd.h"
#include "base/limits.h"

namespace diagnose::control {
namespace {

using nlohmann::json;

// Root is admitted whatever the group; without root the tests' own group makes us members.
std::string own_group() {
  const group* entry = getgrgid(getegid());
  return entry != nullptr ? entry->gr_name : "nogroup";
}

class FakeService final : public Service {
 public:
  explicit FakeService(loop::Loop& loop) : loop_(loop) {}

  bool call(const std::string& method, const json& params, Connection& from, Reply reply) override {
    if (method == "echo") {
      reply(params);
    } else if (method == "pid") {
      reply(json{{"pid", from.peer().pid}, {"number", from.number()}});
    } else if (method == "later") {
      loop_.post([reply = std::move(reply), params] { reply(params); });
    } else if (method == "keep") {
      kept_.push_back(std::move(reply));
    } else if (method == "twice") {
      reply(json{{"answer", 1}});
      reply(json{{"answer", 2}});
    } else if (method == "drop") {
      return true;
    } else if (method == "typed") {
      reply(json{{"n", params.at("n").get<int>()}});
    } else if (method == "refuse") {
      reply(failure(Error{.what = "attach", .where = "here", .why = "because", .mend = "do that"}));
    } else if (method == "big") {
      reply(json(std::string(params.at("bytes").get<std::size_t>(), 'b')));
    } else if (method == "flood") {
      std::uint64_t sent = 0;
      while (from.notify("event", json{{"n", sent}, {"text", std::string(1000, 'x')}}.dump())) ++sent;
      flooded = sent;
      reply(json{{"sent", sent}});
    } else {
      return false;
    }
    return true;
  }
  void gone(Connection& connection) override {
    last_gone = connection.number();
    ++gone_count;
  }

  std::atomic<std::uint64_t> flooded = 0;
  std::atomic<std::uint64_t> last_gone = 0;
  std::atomic<int> gone_count = 0;

 private:
  loop::Loop& loop_;
  std::vector<Reply> kept_;
};

class Client {
 public:
  explicit Client(const std::string& path) : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const timeval patience{.tv_sec = 20, .tv_usec = 0};  // only a failing test waits this long
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  [[nodiscard]] bool connected() const { return connected_; }
  // False once the server has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // The next line without its newline; nullopt at the end.
  std::optional<std::string> line() {
    for (;;) {
      if (const auto end = input_.find('\n'); end != std::string::npos) {
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        return line;
      }
      std::array<char, 65536> buffer{};
      const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return std::nullopt;
      input_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  json answer() {
    const auto text = line();
    return text ? json::parse(*text) : json();
  }
  json ask(const std::string& method, const json& params = json::object()) {
    send(request_line(++id_, method, params));
    return answer();
  }
  bool closed() { return !line(); }
  void finish_sending() { shutdown(socket_.get(), SHUT_WR); }

 private:
  Fd socket_;
  std::string input_;
  int id_ = 0;
  bool connected_ = false;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "diagnose-control-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/d.sock";
    auto loop = loop::Loop::create();
    ASSERT_TRUE(loop);
    loop_ = std::move(*loop);
    service_ = std::make_unique<FakeService>(*loop_);
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(directory_);
  }

  void serve(const std::string& group = own_group()) {
    auto server = Server::listen(*loop_, path_, *service_, group);
    ASSERT_TRUE(server) << server.error().text();
    server_ = std::move(*server);
    thread_ = std::thread([this] { EXPECT_EQ(loop_->run(), 0); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_->post([this] { loop_->stop(0); });
    thread_.join();
    server_.reset();
  }
  // Everything that the loop was told before has happened.
  void settle() {
    std::promise<void> done;
    loop_->post([&] { done.set_value(); });
    done.get_future().wait();
  }
  template <typename Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) {
      settle();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
  }

  std::string directory_;
  std::string path_;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<FakeService> service_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

// ---- answers ----

TEST_F(ServerTest, ARequestIsAnsweredUnderItsId) {
  serve();
  Client client(path_);
  const json answer = client.ask("echo", {{"a", 1}});
  EXPECT_EQ(answer["id"], 1);
  EXPECT_EQ(answer["result"], (json{{"a", 1}}));
}

TEST_F(ServerTest, ThePeerIsKnownAndNumbersAreNeverUsedTwice) {
  serve();
  std::uint64_t first = 0;
  {
    Client client(path_);
    const json answer = client.ask("pid");
    EXPECT_EQ(answer["result"]["pid"], getpid());
    first = answer["result"]["number"];
  }
  Client client(path_);
  EXPECT_NE(client.ask("pid")["result"]["number"], first);
}

TEST_F(ServerTest, AnswersMayComeLaterAndRequestsMayBePipelined) {
  serve();
  Client client(path_);
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += request_line(i, i % 2 == 0 ? "later" : "echo", {{"i", i}});
  ASSERT_TRUE(client.send(lines));
  std::vector<bool> answered(500, false);
  for (int i = 0; i < 500; ++i) {
    const json answer = client.answer();
    ASSERT_TRUE(answer.is_object());
    const auto id = answer["id"].get<std::size_t>();
    EXPECT_EQ(answer["result"]["i"], id);
    EXPECT_FALSE(answered[id]);
    answered[id] = true;
  }
}

TEST_F(ServerTest, ARequestInPiecesIsOneRequest) {
  serve();
  Client client(path_);
  for (const char c : request_line(1, "echo", {{"x", "y"}})) {
    ASSERT_TRUE(client.send({&c, 1}));
    settle();
  }
  EXPECT_EQ(client.answer()["result"]["x"], "y");
}

TEST_F(ServerTest, ASecondReplyIsIgnoredAndADroppedOneIsAnError) {
  serve();
  Client client(path_);
  EXPECT_EQ(client.ask("twice")["result"]["answer"], 1);
  const json dropped = client.ask("drop");
  EXPECT_EQ(dropped["error"]["code"], static_cast<int>(Code::refused));
  EXPECT_EQ(client.ask("echo", {{"still", true}})["result"]["still"], true);
}

TEST_F(ServerTest, ARefusalCarriesWhatWhereWhyAndMend) {
  serve();
  Client client(path_);
  const json answer = client.ask("refuse");
  EXPECT_EQ(answer["error"]["code"], static_cast<int>(Code::refused));
  EXPECT_EQ(answer["error"]["data"],
            (json{{"what", "attach"}, {"where", "here"}, {"why", "because"}, {"mend", "do that"}}));
}

TEST_F(ServerTest, AnUnknownMethodAndAParamOfTheWrongTypeSayWhichTheyAre) {
  serve();
  Client client(path_);
  EXPECT_EQ(client.ask("frobnicate")["error"]["code"], static_cast<int>(Code::method_not_found));
  EXPECT_EQ(client.ask("typed", {{"n", "three"}})["error"]["code"], static_cast<int>(Code::invalid_params));
  EXPECT_EQ(client.ask("typed")["error"]["code"], static_cast<int>(Code::invalid_params));
  EXPECT_EQ(client.ask("typed", {{"n", 3}})["result"]["n"], 3);
}

TEST_F(ServerTest, ANotificationIsServedAndNotAnswered) {
  serve();
  Client client(path_);
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","method":"echo","params":{}})"
                          "\n"));
  EXPECT_EQ(client.ask("echo")["id"], 1);
}

// ---- hostile input ----

TEST_F(ServerTest, LinesThatAreNotRequestsAreAnsweredAndTheConnectionGoesOn) {
  serve();
  Client client(path_);
  const std::string binary(
      "\x7f"
      "ELF\0\x01\x02\xff\xfe",
      9);
  for (const std::string& line :
       {std::string(), std::string("hello"), std::string("{\"jsonrpc\":"), binary, std::string("[1,2]"),
        std::string(500'000, '['), std::string(300'000, '{'), std::string("[{}]")}) {
    ASSERT_TRUE(client.send(line + "\n"));
    const json answer = client.answer();
    ASSERT_TRUE(answer.contains("error")) << line.substr(0, 20);
    EXPECT_TRUE(answer["id"].is_null());
  }
  EXPECT_EQ(client.ask("echo", {{"alive", true}})["result"]["alive"], true);
}

TEST_F(ServerTest, ATooLongLineIsAnsweredAndTheConnectionClosed) {
  serve();
  Client client(path_);
  client.send(std::string(limits::control_message_bytes + 100'000, 'a'));  // no newline: it might go on for ever
  const json answer = client.answer();
  EXPECT_EQ(answer["error"]["code"], static_cast<int>(Code::invalid_request));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(Client(path_).ask("echo")["id"], 1);
}

TEST_F(ServerTest, ALineOfExactlyTheBoundIsServed) {
  serve();
  Client client(path_);
  std::string line = request_line(1, "echo", {{"a", ""}});
  line.insert(line.find("\"\"") + 1, std::string(limits::control_message_bytes - (line.size() - 1), 'a'));
  ASSERT_EQ(line.size() - 1, limits::control_message_bytes);
  ASSERT_TRUE(client.send(line));
  EXPECT_TRUE(client.answer().contains("result"));
}

TEST_F(ServerTest, ATruncatedRequestIsAnsweredWithAnError) {
  serve();
  Client client(path_);
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"ec)"));
  client.finish_sending();
  EXPECT_EQ(client.answer()["error"]["code"], static_cast<int>(Code::parse_error));
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, AClientThatHasShutItsSideStillGetsItsAnswers) {
  serve();
  Client client(path_);
  ASSERT_TRUE(client.send(request_line(1, "later", {{"a", 1}}) + request_line(2, "echo", {{"a", 2}})));
  client.finish_sending();
  EXPECT_TRUE(client.answer().contains("result"));
  EXPECT_TRUE(client.answer().contains("result"));
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, AClientThatVanishesIsGoneAndItsLateAnswersGoNowhere) {
  serve();
  std::uint64_t number = 0;
  {
    Client client(path_);
    number = client.ask("pid")["result"]["number"];
    client.send(request_line(5, "keep", json::object()));
    client.send(request_line(6, "later", json::object()));
  }
  EXPECT_TRUE(eventually([&] { return service_->last_gone == number; }));
  EXPECT_EQ(Client(path_).ask("echo")["id"], 1);
  EXPECT_TRUE(eventually([&] { return service_->gone_count == 2; }));
}

TEST_F(ServerTest, ASlowFollowersBacklogIsBoundedAndWhatItWasToldItGets) {
  serve();
  Client client(path_);
  client.send(request_line(1, "flood", json::object()));
  ASSERT_TRUE(eventually([&] { return service_->flooded > 0; }));
  EXPECT_LE(service_->flooded * 1000, limits::client_backlog_bytes + (8U << 20U)) << "bounded by backlog and socket";
  EXPECT_GE(service_->flooded * 1100, limits::client_backlog_bytes);
  for (std::uint64_t i = 0; i < service_->flooded; ++i) {
    const json event = client.answer();
    ASSERT_EQ(event["params"]["n"], i);
  }
  EXPECT_EQ(client.answer()["result"]["sent"], service_->flooded.load());
}

TEST_F(ServerTest, AClientThatNeverReadsCannotMakeTheBacklogGrow) {
  serve();
  Client greedy(path_);
  std::thread sender([&] {
    // 60 answers of 1 MB; the server stops reading long before, and the sender's own small lines fit in the socket.
    for (int i = 0; i < 60; ++i) greedy.send(request_line(i, "big", {{"bytes", 1'000'000}}));
  });
  Client other(path_);
  EXPECT_EQ(other.ask("echo")["id"], 1) << "others are served meanwhile";
  sender.join();
  for (int i = 0; i < 60; ++i) ASSERT_EQ(greedy.answer()["result"].get<std::string>().size(), 1'000'000U);
}

TEST_F(ServerTest, ManyUnansweredRequestsHoldTheirClientBackAndNobodyElse) {
  serve();
  Client greedy(path_);
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += request_line(i, "keep", json::object());
  ASSERT_TRUE(greedy.send(lines));
  Client other(path_);
  EXPECT_EQ(other.ask("echo")["id"], 1);
}

TEST_F(ServerTest, OneClientTooManyIsToldSo) {
  serve();
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < limits::control_clients; ++i) {
    clients.push_back(std::make_unique<Client>(path_));
    ASSERT_EQ(clients.back()->ask("echo")["id"], 1) << i;
  }
  {
    Client extra(path_);
    EXPECT_EQ(extra.answer()["error"]["code"], static_cast<int>(Code::refused));
    EXPECT_TRUE(extra.closed());
  }
  clients.pop_back();
  EXPECT_TRUE(eventually([&] { return service_->gone_count == 1; }));
  EXPECT_EQ(Client(path_).ask("echo")["id"], 1);
}

// ---- peers ----

TEST_F(ServerTest, APeerOutsideTheGroupIsForbiddenWithAMendAndClosed) {
  serve("no-such-group-here");
  // Without these the file system would turn it away before we could.
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const Fd output(ends[0]);
  Fd input(ends[1]);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // a stranger; system calls only, the loop's thread does not exist here
    constexpr uid_t nobody = 65534;
    if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0)) _exit(1);
    const int stranger = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(stranger, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) _exit(2);
    std::array<char, 4096> buffer{};
    ssize_t got = 0;
    while ((got = recv(stranger, buffer.data(), buffer.size(), 0)) > 0) {
      if (write(ends[1], buffer.data(), static_cast<std::size_t>(got)) != got) _exit(3);
    }
    _exit(got == 0 ? 0 : 4);
  }
  input.reset();
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = read(output.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status);
  const json answer = json::parse(text);
  EXPECT_EQ(answer["error"]["code"], static_cast<int>(Code::forbidden));
  EXPECT_NE(answer["error"]["data"]["mend"].get<std::string>().find("usermod -aG"), std::string::npos);
}

// ---- the path ----

TEST_F(ServerTest, TheSocketIsForOwnerAndGroupOnlyAndGoesWithTheServer) {
  serve();
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  stop();
  EXPECT_NE(lstat(path_.c_str(), &status), 0);
}

TEST_F(ServerTest, ALiveDaemonsSocketIsAnErrorThatNamesItsPid) {
  serve();
  const auto second = Server::listen(*loop_, path_, *service_, own_group());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find("in use by a live daemon (pid " + std::to_string(getpid()) + ")"),
            std::string::npos)
      << second.error().text();
  EXPECT_EQ(Client(path_).ask("echo")["id"], 1) << "and it still serves";
}

TEST_F(ServerTest, ADeadDaemonsSocketIsReplaced) {
  {
    const Fd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(dead.get(), 1), 0);
  }
  serve();
  EXPECT_EQ(Client(path_).ask("echo")["id"], 1);
}

TEST_F(ServerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  const auto server = Server::listen(*loop_, path_, *service_, own_group());
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().why.find("not a socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(ServerTest, MissingParentDirectoriesAreMade) {
  path_ = directory_ + "/run/diagnose/d.sock";
  serve();
  EXPECT_EQ(Client(path_).ask("echo")["id"], 1);
  struct stat status {};
  ASSERT_EQ(stat((directory_ + "/run/diagnose").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0022, 0U);
}

TEST_F(ServerTest, APathThatCannotBeASocketsIsAClearError) {
  const auto too_long = Server::listen(*loop_, directory_ + "/" + std::string(200, 'x'), *service_, own_group());
  ASSERT_FALSE(too_long);
  EXPECT_NE(too_long.error().why.find("107 bytes"), std::string::npos) << too_long.error().text();
  std::ofstream(directory_ + "/file") << "";
  EXPECT_FALSE(Server::listen(*loop_, directory_ + "/file/d.sock", *service_, own_group()));
}

TEST_F(ServerTest, AnotherDaemonsLaterSocketSurvivesOurEnd) {
  serve();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  auto loop = loop::Loop::create();
  ASSERT_TRUE(loop);
  FakeService service(**loop);
  const auto later = Server::listen(**loop, path_, service, own_group());
  ASSERT_TRUE(later);
  stop();
  EXPECT_TRUE(std::filesystem::is_socket(path_));
}

}  // namespace
}  // namespace diagnose::control
