// Spec folders are watched: what is written there is attached, changed and taken away without a word to the daemon.
#include <filesystem>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

TEST(SpecsFolder, AFileAddedIsAttached) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  daemon.write_spec("new.yaml", spec_text("new", at(program.pid(), "work"), counter("works")));
  EXPECT_TRUE(eventually([&] { return daemon.state_of("new") == "armed"; }));
}

TEST(SpecsFolder, AFileRenamedIntoPlaceIsAttached) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const std::string draft = daemon.folder()->file("draft.yaml");
  write_file(draft, spec_text("new", at(program.pid(), "work"), counter("works")));
  std::filesystem::rename(draft, std::filesystem::path(daemon.specs()) / "new.yaml");
  EXPECT_TRUE(eventually([&] { return daemon.state_of("new") == "armed"; }));
}

TEST(SpecsFolder, AFileEditedChangesItsProbe) {
  Program program({"threads", "1", "100"});
  const Daemon daemon({.specs = {{"one.yaml", spec_text("one", at(program.pid(), "work"), counter("before"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("one") == "armed"; }));
  daemon.write_spec("one.yaml", spec_text("one", at(program.pid(), "work"), counter("after")));
  EXPECT_TRUE(eventually([&] { return !daemon.metrics().find("after_total", {{"probe", "one"}}).empty(); }));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("one") == "armed"; }));
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 100);
  EXPECT_EQ(daemon.metrics().value("after_total").value_or(-1), 100);
}

TEST(SpecsFolder, AFileRemovedTakesItsProbesAlong) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon({.specs = {{"one.yaml", spec_text("one", at(program.pid(), "work"), counter("one"))},
                                 {"two.yaml", spec_text("two", at(program.pid(), "work"), counter("two"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("one") == "armed" && daemon.state_of("two") == "armed"; }));
  std::filesystem::remove(std::filesystem::path(daemon.specs()) / "one.yaml");
  EXPECT_TRUE(eventually([&] {
    const std::string state = daemon.state_of("one");
    return state != "armed";
  }));
  EXPECT_EQ(daemon.state_of("two"), "armed");
  std::filesystem::remove(std::filesystem::path(daemon.specs()) / "two.yaml");
  EXPECT_TRUE(eventually([&] { return links_of(daemon.pid()).empty(); }));
}

TEST(SpecsFolder, AFileWithoutYamlInItsNameIsNoSpec) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon({.specs = {{"one.yaml.bak", spec_text("bak", at(program.pid(), "work"), counter("bak"))},
                                 {".one.yaml.swp", spec_text("swp", at(program.pid(), "work"), counter("swp"))},
                                 {"one.yaml", spec_text("one", at(program.pid(), "work"), counter("one"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("one") == "armed"; }));
  EXPECT_EQ(daemon.state_of("bak"), "");
  EXPECT_EQ(daemon.state_of("swp"), "");
}

TEST(SpecsFolder, AFaultBesideAGoodProbeStopsOnlyItself) {
  const Program program({"threads", "1", "1"});
  const std::string text = "probes:\n" + probe_text("good", at(program.pid(), "work"), counter("good")) +
                           probe_text("bad", at(program.pid(), "work"), "type: counter, name: bad, lable: {}");
  const Daemon daemon({.specs = {{"mixed.yaml", text}}});
  EXPECT_TRUE(eventually([&] { return daemon.state_of("good") == "armed"; }));
  EXPECT_NE(daemon.state_of("bad"), "armed");
  EXPECT_TRUE(eventually([&] {
    const std::string log = read_file(daemon.folder()->file("log"));
    return log.find("mixed.yaml:8:") != std::string::npos && log.find("labels") != std::string::npos;
  })) << read_file(daemon.folder()->file("log"));
}

TEST(SpecsFolder, AProbeThatCannotBeAttachedStopsOnlyItself) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon(
      {.specs = {{"two.yaml", "probes:\n" + probe_text("good", at(program.pid(), "work"), counter("good")) +
                                  probe_text("bad", at(program.pid(), "wrok"), counter("bad"))}}});
  EXPECT_TRUE(eventually([&] { return daemon.state_of("good") == "armed"; }));
  EXPECT_EQ(daemon.state_of("bad"), "failed");
  const auto status = daemon.json({"status", "bad"});
  ASSERT_FALSE(status.at("errors").empty());
  EXPECT_NE(status.at("errors").at(0).dump().find("work"), std::string::npos) << status.at("errors");
}

TEST(SpecsFolder, AProcessThatStartsLaterIsCountedFromItsFirstCall) {
  const Daemon daemon(
      {.specs = {{"later.yaml",
                  spec_text("later", "exe: " + program_path("forker") + ", function: work", counter("works"))}}});
  ASSERT_TRUE(eventually([&] { return !daemon.state_of("later").empty(); }));
  Program program({"forker", "4", "10000"});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("later") == "armed"; })) << daemon.state_of("later");
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 40'000);
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 40'000);
}

TEST(SpecsFolder, TheSameIdInTwoFilesIsTold) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon({.specs = {{"a.yaml", spec_text("same", at(program.pid(), "work"), counter("first"))},
                                 {"b.yaml", spec_text("same", at(program.pid(), "work"), counter("second"))}}});
  EXPECT_TRUE(eventually([&] { return daemon.state_of("same") == "armed"; }));
  EXPECT_TRUE(eventually([&] {
    const std::string log = read_file(daemon.folder()->file("log"));
    return log.find("a.yaml") != std::string::npos && log.find("b.yaml") != std::string::npos &&
           log.find("same") != std::string::npos;
  })) << read_file(daemon.folder()->file("log"));
}

}  // namespace
}  // namespace diagnose::test
