// The verbs against a daemon that answers from a table.
#include "cli/verbs.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/fd.h"
#include "base/limits.h"
#include "control/protocol.h"

namespace diagnose::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Accepts one client after the other; `answer` returns the lines to send back, "" to close.
class FakeDaemon {
 public:
  using Answer = std::function<std::string(const json& id, const std::string& method, const json& params)>;

  enum class Afterwards { listen, close };  // what follows an answer

  FakeDaemon(const std::string& path, Answer answer, Afterwards afterwards = Afterwards::listen)
      : answer_(std::move(answer)), afterwards_(afterwards), listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_.get(), 4), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeDaemon() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  std::vector<json> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void serve() {
    for (;;) {
      const Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      std::string input;
      std::array<char, 65536> buffer{};
      for (ssize_t got = 0; (got = recv(client.get(), buffer.data(), buffer.size(), 0)) > 0;) {
        input.append(buffer.data(), static_cast<std::size_t>(got));
        if (!serve_lines(client.get(), input)) break;
      }
    }
  }
  bool serve_lines(int client, std::string& input) {
    for (std::size_t end = 0; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
      const auto request = control::parse_request(std::string_view(input).substr(0, end));
      EXPECT_TRUE(request);
      if (!request) return false;
      {
        const std::lock_guard lock(mutex_);
        asked_.push_back({{"method", request->method}, {"params", request->params}});
      }
      const std::string lines = answer_(request->id, request->method, request->params);
      if (lines.empty()) return false;
      send(client, lines.data(), lines.size(), MSG_NOSIGNAL);
    }
    return afterwards_ == Afterwards::listen;
  }

  Answer answer_;
  Afterwards afterwards_;
  Fd listener_;
  std::mutex mutex_;
  std::vector<json> asked_;
  std::thread thread_;
};

class VerbsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "diagnose-cli-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    settings_.socket = directory_ + "/d.sock";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Runs the verb with its streams caught in out_ and err_.
  Exit run(const std::function<Exit()>& verb) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const Exit exit = verb();
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit;
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
    return directory_ + "/" + name;
  }

  std::string directory_;
  Settings settings_;
  std::string out_;
  std::string err_;
};

std::string always(const json& id, const json& result) {
  return control::result_line(id, result);
}

TEST_F(VerbsTest, DetachNamesWhatWasTakenAway) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto& params) {
    return always(id, {{"ids", params["ids"]}});
  });
  EXPECT_EQ(run([&] { return detach({"a", "b"}, false, settings_); }), Exit::done);
  EXPECT_EQ(out_, "detached a\ndetached b\n");
  settings_.json = true;
  EXPECT_EQ(run([&] { return detach({"a"}, false, settings_); }), Exit::done);
  EXPECT_EQ(out_, "{\"ids\":[\"a\"]}\n");
}

TEST_F(VerbsTest, ARefusalIsTextOnStderrOrJson) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto&) {
    return control::error_line(
        id, control::Code::refused,
        Error{.what = "renew `a`", .where = {}, .why = "no such probe", .mend = "see `diagnosectl list`"});
  });
  EXPECT_EQ(run([&] { return renew("a", "", settings_); }), Exit::refused);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "renew `a`: no such probe: see `diagnosectl list`\n");
  settings_.json = true;
  EXPECT_EQ(run([&] { return renew("a", "", settings_); }), Exit::refused);
  EXPECT_EQ(
      json::parse(err_),
      (json{{"error",
             {{"what", "renew `a`"}, {"where", ""}, {"why", "no such probe"}, {"mend", "see `diagnosectl list`"}}}}));
}

TEST_F(VerbsTest, ForbiddenIsARefusalAndADaemonThatGoesAwayIsNoDaemon) {
  {
    FakeDaemon daemon(settings_.socket, [](auto&, auto&, auto&) {
      return control::error_line(nullptr, control::Code::forbidden,
                                 Error{.what = "connect", .where = {}, .why = "only root", .mend = {}});
    });
    EXPECT_EQ(run([&] { return list(settings_); }), Exit::refused);
    EXPECT_THAT(err_, HasSubstr("only root"));
  }
  EXPECT_EQ(run([&] { return list(settings_); }), Exit::no_daemon);
  EXPECT_THAT(err_, HasSubstr("nobody listens there"));
  std::filesystem::remove(settings_.socket);
  FakeDaemon daemon(settings_.socket, [](auto&, auto&, auto&) { return std::string(); });
  EXPECT_EQ(run([&] { return list(settings_); }), Exit::no_daemon);
  EXPECT_THAT(err_, HasSubstr("closed the connection"));
}

TEST_F(VerbsTest, AnAnswerThatIsNotJsonIsAnError) {
  FakeDaemon daemon(settings_.socket, [](auto&, auto&, auto&) { return std::string("HTTP/1.1 400\r\n"); });
  EXPECT_EQ(run([&] { return list(settings_); }), Exit::no_daemon);
  EXPECT_THAT(err_, HasSubstr("not JSON-RPC"));
}

TEST_F(VerbsTest, AttachSendsASpecUnderAnIdOfItsOwn) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto& params) {
    return always(id, {{"id", params["id"]}, {"state", "armed"}, {"processes", {1}}, {"sites", json::array()}});
  });
  AttachArguments arguments;
  arguments.function = "/bin/x:ns::f";
  EXPECT_EQ(run([&] { return attach(arguments, settings_); }), Exit::done);
  const json params = daemon.asked().at(0)["params"];
  EXPECT_EQ(params["follow"], false);
  EXPECT_EQ(params["spec"]["target"], "/bin/x:ns::f");
  EXPECT_THAT(params["id"].get<std::string>(), testing::MatchesRegex("ns-f-[0-9a-f]{4}"));
  EXPECT_THAT(out_, HasSubstr(params["id"].get<std::string>() + " armed\n"));
}

TEST_F(VerbsTest, StatusOfAllAsksWithoutAnId) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto&) { return always(id, {{"probes", json::array()}}); });
  EXPECT_EQ(run([&] { return status("", settings_); }), Exit::done);
  EXPECT_EQ(daemon.asked().at(0)["params"], json::object());
  EXPECT_EQ(out_, "no probes\n");
}

TEST_F(VerbsTest, VersionTellsAllThree) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto&) {
    return always(id, {{"version", "9.8"}, {"kernel", "6.18"}, {"protocol", 1}});
  });
  EXPECT_EQ(run([&] { return version(settings_); }), Exit::done);
  EXPECT_THAT(out_, testing::AllOf(HasSubstr("diagnosectl"), HasSubstr("9.8"), HasSubstr("6.18")));
}

TEST_F(VerbsTest, ApplySendsEveryFileOfADirectoryByName) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto&) {
    return always(id, {{"added", {"a"}}, {"failed", {{{"id", "b"}, {"errors", {{{"what", "b"}, {"why", "no"}}}}}}}});
  });
  write("b.yml", "probes: {}");
  write("a.yaml", "probes: {}\n");
  write("notes.txt", "no spec");
  write(".hidden.yaml", "no spec");
  EXPECT_EQ(run([&] { return apply({directory_}, settings_); }), Exit::refused) << "one of them failed";
  const json files = daemon.asked().at(0)["params"]["files"];
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0]["name"], directory_ + "/a.yaml");
  EXPECT_EQ(files[0]["text"], "probes: {}\n");
  EXPECT_THAT(files[0]["lastmodified"].get<std::string>(), testing::MatchesRegex(R"(....-..-..T..:..:..(\..*)?Z)"));
  EXPECT_EQ(files[1]["name"], directory_ + "/b.yml");
  EXPECT_EQ(out_, "added      a\nfailed     b\n");
  EXPECT_EQ(err_, "b: no\n");
}

TEST_F(VerbsTest, ApplySendsNothingWhereAFileCannotBeSent) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto&, auto&) { return always(id, json::object()); });
  const std::string good = write("good.yaml", "probes: {}");
  const std::string big = write("big.yaml", std::string(limits::spec_file_bytes + 1, '#'));
  const std::string fifo = directory_ + "/fifo.yaml";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(run([&] {
              return apply({good, directory_ + "/none.yaml", big, fifo, "/dev/null"}, settings_);
            }),
            Exit::refused);
  EXPECT_EQ(std::ranges::count(err_, '\n'), 4) << err_;
  EXPECT_THAT(err_, HasSubstr("none.yaml: No such file"));
  EXPECT_THAT(err_, HasSubstr("larger than 1048576 bytes"));
  const std::string half(limits::spec_file_bytes * 2 / 3, '#');
  EXPECT_EQ(run([&] { return apply({write("c.yaml", half), write("d.yaml", half)}, settings_); }), Exit::refused);
  EXPECT_THAT(err_, HasSubstr("apply them in several goes"));
  EXPECT_TRUE(daemon.asked().empty());
}

TEST_F(VerbsTest, EventsPrintsRecordsUntilTheDaemonGoes) {
  FakeDaemon daemon(
      settings_.socket,
      [](auto& id, auto&, auto&) {
        return always(id, {{"following", {"a"}}}) + control::notification_line("event", R"({"probe":"a","value":1})") +
               control::notification_line("event", R"({"probe":"a","value":2})");
      },
      FakeDaemon::Afterwards::close);
  settings_.json = true;
  EXPECT_EQ(run([&] { return events({"a"}, settings_); }), Exit::no_daemon);
  EXPECT_EQ(daemon.asked().at(0)["params"]["ids"], (json{"a"}));
  EXPECT_EQ(out_, "{\"probe\":\"a\",\"value\":1}\n{\"probe\":\"a\",\"value\":2}\n");
}

// ---- follow ----

class FollowTest : public VerbsTest {
 protected:
  void SetUp() override {
    VerbsTest::SetUp();
    sigemptyset(&interrupt_);
    sigaddset(&interrupt_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt_, nullptr);  // before the fake daemon's thread, which must not die of it
    arguments_.function = "/bin/x:f";
    arguments_.id = "f";
    arguments_.follow = true;
  }
  void TearDown() override {
    pthread_sigmask(SIG_UNBLOCK, &interrupt_, nullptr);
    VerbsTest::TearDown();
  }
  static json attached() {
    return {{"id", "f"}, {"state", "armed"}, {"processes", {1}}, {"sites", json::array()}, {"expires", nullptr}};
  }
  static json reading(int count) {
    return {{"families",
             {{{"name", "f"},
               {"kind", "counter"},
               {"unit", ""},
               {"series", {{{"labels", json::object()}, {"value", count}}}}}}},
            {"hits", count},
            {"lost", json::object()}};
  }
  std::vector<std::string> methods(FakeDaemon& daemon) {
    std::vector<std::string> names;
    for (const json& request : daemon.asked()) names.push_back(request["method"]);
    return names;
  }

  sigset_t interrupt_{};
  AttachArguments arguments_;
};

TEST_F(FollowTest, CtrlCDetachesAndDrawsTheFinalCount) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto& method, auto&) {
    if (method == "attach") {
      kill(getpid(), SIGINT);
      return always(id, attached());
    }
    if (method == "detach") return always(id, {{"ids", {"f"}}});
    return always(id, reading(41));
  });
  EXPECT_EQ(run([&] { return attach(arguments_, settings_); }), Exit::done);
  EXPECT_EQ(daemon.asked().at(0)["params"]["follow"], true);
  EXPECT_EQ(methods(daemon), (std::vector<std::string>{"attach", "read", "detach", "read"}));
  EXPECT_THAT(out_, HasSubstr("f_total  41\nhits 41\n"));
  EXPECT_EQ(out_.find('\x1b'), std::string::npos) << "no terminal here";
}

TEST_F(FollowTest, RecordsAreJsonLinesAndAnExpiredProbeIsTheEnd) {
  settings_.json = true;
  FakeDaemon daemon(settings_.socket, [](auto& id, auto& method, auto&) {
    const json none = {{"families", json::array()}, {"hits", 1}};
    if (method == "attach") return always(id, attached()) + control::notification_line("event", R"({"value":7})");
    if (method == "status") return always(id, {{"id", "f"}, {"state", "expired"}});
    return always(id, none);
  });
  EXPECT_EQ(run([&] { return attach(arguments_, settings_); }), Exit::done);
  EXPECT_EQ(out_, "{\"value\":7}\n");
  EXPECT_EQ(err_, "");
}

TEST_F(FollowTest, ATrippedProbeSaysWhyAndFails) {
  FakeDaemon daemon(settings_.socket, [](auto& id, auto& method, auto&) {
    if (method == "attach") return always(id, attached());
    if (method == "status") {
      return always(
          id, {{"state", "tripped"}, {"errors", {{{"what", "probe `f`"}, {"why", "9 % of a core, budget 5 %"}}}}});
    }
    return always(id, reading(3));
  });
  EXPECT_EQ(run([&] { return attach(arguments_, settings_); }), Exit::refused);
  EXPECT_THAT(out_, HasSubstr("f_total  3"));
  EXPECT_THAT(err_, HasSubstr("9 % of a core, budget 5 %"));
}

// ---- check ----

TEST_F(VerbsTest, CheckIsQuietAboutGoodFilesAndTellsEveryFaultOfBadOnes) {
  const std::string good = write("good.yaml",
                                 "probes:\n  a:\n    target: /bin/x:f\n    instrument: {type: counter, name: n}\n"
                                 "    lifespan: 5\n");
  EXPECT_EQ(run([&] { return check({good}, settings_); }), Exit::done);
  EXPECT_EQ(out_, good + ": ok, 1 probe\n");
  const std::string bad = write("bad.yaml",
                                "probes:\n"
                                "  a:\n"
                                "    target: /bin/x:f\n"
                                "    instrument: {type: counter, name: n, lable: 1}\n"
                                "  b:\n"
                                "    target: /bin/x:f\n"
                                "    instrument: {type: counter, name: m, where: arg0 +}\n");
  EXPECT_EQ(run([&] { return check({bad}, settings_); }), Exit::refused);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr(bad + ":4:"));
  EXPECT_THAT(err_, HasSubstr("did you mean `label"));
  EXPECT_THAT(err_, HasSubstr(bad + ":7:")) << "a fault of an expression";
  settings_.json = true;
  EXPECT_EQ(run([&] { return check({good, bad}, settings_); }), Exit::refused);
  const json shown = json::parse(out_);
  EXPECT_EQ(shown["files"][0]["probes"], (json{"a"}));
  EXPECT_TRUE(shown["files"][0]["errors"].empty());
  EXPECT_GE(shown["files"][1]["errors"].size(), 2U);
  EXPECT_EQ(err_, "");
}

}  // namespace
}  // namespace diagnose::cli
