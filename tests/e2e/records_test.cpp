// Records: `events`, and `attach --follow`, whose probe lives as long as its client.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(Records, EventsFollowsThemAsJsonALine) {
  Program program({"strings", "2"});
  const Daemon daemon(
      {.specs = {{"say.yaml", spec_text("say", at(program.pid(), "say"),
                                        "type: log, message: \"said {str(arg0)}\", where: arg0 != 0")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("say") == "armed"; }));
  Process events = daemon.client({"events", "say", "--json"});
  // A follower that has just started may not be one yet: it is when the daemon has answered it.
  std::this_thread::sleep_for(500ms);
  program.go();
  const auto counts = program.counts();
  std::map<std::string, long> said;
  for (long i = 0; i < counts.at("calls") - counts.at("null"); ++i) {
    const json record = json::parse(events.line());
    EXPECT_EQ(record.at("probe"), "say");
    EXPECT_EQ(record.at("pid"), program.pid());
    EXPECT_EQ(record.at("comm"), "strings");
    EXPECT_EQ(record.at("event"), "call");
    for (const char* field : {"time", "instrument", "tid", "value", "labels", "fields", "custom"}) {
      EXPECT_TRUE(record.contains(field)) << field;
    }
    const std::string text = record.dump();
    for (const char* word : {"alpha", "beta"}) said[word] += text.find(word) != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(said["alpha"], counts.at("alpha"));
  EXPECT_EQ(said["beta"], counts.at("beta"));
}

TEST(Records, EventsEndWithStatus0AtAnInterrupt) {
  const Daemon daemon;
  Process events = daemon.client({"events"});
  std::this_thread::sleep_for(300ms);
  EXPECT_TRUE(events.running());
  events.signal(SIGINT);
  EXPECT_EQ(events.finish(5s).status, 0);
}

TEST(Records, StringLabelsCountWhatWasSaid) {
  Program program({"strings", "100"});
  const Daemon daemon(
      {.specs = {{"say.yaml", spec_text("say", at(program.pid(), "say"),
                                        "type: counter, name: said, labels: {text: \"str(arg0, 16)\"}")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("say") == "armed"; }));
  program.go();
  const auto counts = program.counts();
  const auto said = [&](const std::string& text) {
    return daemon.metrics().value("said_total", {{"text", text}}).value_or(-1);
  };
  EXPECT_TRUE(eventually([&] { return said("alpha") == static_cast<double>(counts.at("alpha")); })) << said("alpha");
  EXPECT_EQ(said("beta"), static_cast<double>(counts.at("beta")));
  EXPECT_EQ(said(""), static_cast<double>(counts.at("empty")));
  EXPECT_EQ(said("say \"hi\"\n\\"), static_cast<double>(counts.at("quoted")));
  EXPECT_EQ(daemon.metrics().sum("said_total"), static_cast<double>(counts.at("calls") - counts.at("null")));
  // The null pointer cannot be read: counted, and no empty string.
  EXPECT_EQ(
      daemon.metrics().value("diagnose_events_lost_total", {{"probe", "say"}, {"reason", "unreadable"}}).value_or(-1),
      static_cast<double>(counts.at("null")));
}

// Those of 300 characters are cut at 255 in a field and at 31 in a label; `str(x, 5)` is what was asked for.
TEST(Records, ATextThatIsLongerThanItsRoomIsMarkedAndCounted) {
  Program program({"strings", "100"});
  const auto with = [&](const std::string& id, const std::string& instrument) {
    return probe_text(id, at(program.pid(), "say"), instrument);
  };
  const Daemon daemon(
      {.specs = {
           {"say.yaml",
            "probes:\n" + with("field", "type: log, message: \"said {str(arg0)}, {str(arg0, 5)}\", max_chars: 1000") +
                with("label", "type: counter, name: said, labels: {text: str(arg0)}") +
                with("folded", "type: counter, name: folded, labels: {text: str(arg0)}") + "    aggregate: events\n" +
                with("fits", "type: counter, name: fits, labels: {text: \"str(arg0, 5)\"}")}}});
  for (const char* id : {"field", "label", "folded", "fits"}) {
    ASSERT_TRUE(eventually([&] { return daemon.state_of(id) == "armed"; })) << id;
  }
  Process events = daemon.client({"events", "field", "--json"});
  Process shown = daemon.client({"events", "field"});
  std::this_thread::sleep_for(500ms);
  program.go();
  const auto counts = program.counts();
  const auto expected = static_cast<double>(counts.at("long"));
  const std::string cut(255, 'x');
  long marked = 0;
  for (long i = 0; i < counts.at("calls"); ++i) {
    const json record = json::parse(events.line());
    const bool is_long = record.at("fields").at("str(arg0)") == cut;
    marked += is_long ? 1 : 0;
    EXPECT_EQ(record.value("truncated", json()), is_long ? json({"str(arg0)"}) : json());
    if (is_long) {
      EXPECT_EQ(record.at("message"), "said " + cut + "\u2026, xxxxx");
    }
    EXPECT_EQ(shown.line().find("\u2026") != std::string::npos, is_long);
  }
  EXPECT_EQ(marked, counts.at("long"));
  const auto truncated = [&](const char* id) {
    return daemon.metrics().value("diagnose_texts_truncated_total", {{"probe", id}}).value_or(-1);
  };
  for (const char* id : {"field", "label", "folded"}) EXPECT_EQ(truncated(id), expected) << id;
  EXPECT_EQ(truncated("fits"), 0);
  EXPECT_EQ(daemon.json({"status", "label"}).at("truncated"), counts.at("long"));
  for (const char* name : {"said_total", "folded_total"}) {
    EXPECT_TRUE(eventually([&] {
      return daemon.metrics().value(name, {{"text", std::string(31, 'x')}}).value_or(-1) == expected;
    })) << name;
  }
}

TEST(Records, TheNameOfAnExecutableThatIsLongerThanItsRoomIsMarkedToo) {
  const Daemon daemon;
  for (const std::size_t length : {std::size_t{63}, std::size_t{64}, std::size_t{200}}) {
    const std::string path = daemon.folder()->file(std::string(length, 'n'));
    std::filesystem::copy_file(program_path("strings"), path);
    Program program({path, "1"});
    const std::string id = "exe" + std::to_string(length);
    const Ended attached = daemon.ctl(
        {"attach", "--pid", std::to_string(program.pid()), "say", "--type", "log", "--value", "exe", "--id", id});
    ASSERT_EQ(attached.status, 0) << attached.err;
    Process events = daemon.client({"events", id, "--json"});
    std::this_thread::sleep_for(500ms);
    program.go();
    const auto calls = program.counts().at("calls");
    for (long i = 0; i < calls; ++i) {
      const json record = json::parse(events.line());
      EXPECT_EQ(record.at("value"), std::string(63, 'n'));
      EXPECT_EQ(record.contains("truncated"), length > 63) << length;
    }
    EXPECT_EQ(daemon.metrics().value("diagnose_texts_truncated_total", {{"probe", id}}).value_or(-1),
              length > 63 ? static_cast<double>(calls) : 0);
  }
}

Command follow_work(pid_t pid) {
  return {"attach", "--pid", std::to_string(pid), "work",    "--type", "histogram", "--value", "arg0 % 100", "--name",
          "works",  "--id",  "followed",          "--follow"};
}

TEST(Follow, TheProbeGoesWhenItsClientIsKilled) {
  Program program({"threads", "1", "0"});
  const Daemon daemon;
  Process follower = daemon.client(follow_work(program.pid()));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("followed") == "armed"; }));
  const auto links = links_of(daemon.pid());
  ASSERT_FALSE(links.empty());
  program.go();
  follower.signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return daemon.state_of("followed") != "armed"; }));
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }));
  program.enough();
  EXPECT_GT(program.counts().at("calls"), 0);
}

TEST(Follow, AtCtrlCTheProbeIsDetachedAndTheHistogramStands) {
  Program program({"threads", "1", "0"});
  const Daemon daemon;
  Process follower = daemon.client(follow_work(program.pid()));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("followed") == "armed"; }));
  const auto links = links_of(daemon.pid());
  program.go();
  ASSERT_TRUE(eventually([&] { return daemon.metrics().value("works_count").value_or(0) > 1000; }));
  follower.signal(SIGINT);
  const Ended ended = follower.finish(10s);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_FALSE(ended.out.empty());
  EXPECT_EQ(still_there(links), 0U);
  program.enough();
  EXPECT_GT(program.counts().at("calls"), 0);
}

TEST(Follow, ItEndsWhenItsProbeExpires) {
  Program program({"threads", "1", "1"});
  const Daemon daemon;
  Command command = follow_work(program.pid());
  command.insert(command.end(), {"--lifespan", "1s"});
  Process follower = daemon.client(command);
  EXPECT_EQ(follower.finish(10s).status, 0);
}

TEST(Follow, ItEndsWithAnErrorWhenTheDaemonDies) {
  Program program({"threads", "1", "1"});
  Daemon daemon;
  Process follower = daemon.client(follow_work(program.pid()));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("followed") == "armed"; }));
  daemon.kill();
  const Ended ended = follower.finish(10s);
  EXPECT_THAT(ended.status, ::testing::AnyOf(1, 3));
  EXPECT_FALSE(ended.err.empty());
}

}  // namespace
}  // namespace diagnose::test
