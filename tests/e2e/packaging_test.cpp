// What an installation brings, and that the unit's sandbox is tight and yet lets the daemon work.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

const std::string unit = TEST_SOURCE_DIR "/../packaging/diagnosed.service";

TEST(Packaging, TheUnitsExposureIsAtMost3) {
  const Ended ended = run({"systemd-analyze", "security", "--offline=true", "--no-pager", unit});
  std::smatch found;
  ASSERT_TRUE(std::regex_search(ended.out, found, std::regex("Overall exposure level[^:]*: ([0-9.]+)")))
      << ended.out << ended.err;
  EXPECT_LE(std::stod(found[1]), 3.0);
}

TEST(Packaging, InstallPutsEverythingInItsPlaceAndKeepsChangedSettings) {
  const TemporaryFolder folder;
  const Command install = {
      "env", "DESTDIR=" + folder.path().string(), "cmake", "--install", TEST_BINARY_DIR, "--prefix", "/usr"};
  const Ended ended = run(install);
  ASSERT_EQ(ended.status, 0) << ended.err;
  const auto root = folder.path();
  for (const char* path :
       {"usr/sbin/diagnosed", "usr/bin/diagnosectl", "usr/lib/systemd/system/diagnosed.service",
        "usr/lib/sysusers.d/diagnose.conf", "usr/lib/tmpfiles.d/diagnose.conf",
        "usr/share/doc/diagnose/examples/demo.yaml", "usr/share/doc/diagnose/README.md",
        "usr/share/doc/diagnose/LICENSE", "usr/share/bash-completion/completions/diagnosectl",
        "usr/share/zsh/vendor-completions/_diagnosectl", "usr/share/fish/vendor_completions.d/diagnosectl.fish"}) {
    EXPECT_TRUE(std::filesystem::exists(root / path)) << path << "\n" << ended.out;
  }
  std::filesystem::path settings;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().filename() == "diagnosed.yaml") settings = entry.path();
  }
  ASSERT_FALSE(settings.empty()) << ended.out;
  EXPECT_TRUE(std::filesystem::is_directory(settings.parent_path() / "specs"));
  write_file(settings, "# mine\n");
  ASSERT_EQ(run(install).status, 0);
  EXPECT_EQ(read_file(settings), "# mine\n");
}

TEST(Packaging, TheInstalledUnitNamesTheInstalledDaemonAndSettingsWhateverThePrefix) {
  for (const std::string prefix : {"/usr", "/usr/local", "/opt/diagnose"}) {
    const TemporaryFolder folder;
    const std::string root = folder.path().string();
    const Ended ended = run({"env", "DESTDIR=" + root, "cmake", "--install", TEST_BINARY_DIR, "--prefix", prefix});
    ASSERT_EQ(ended.status, 0) << ended.err;
    const std::string text = read_file(root + prefix + "/lib/systemd/system/diagnosed.service");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(text, found, std::regex("ExecStart=(\\S+) --config (\\S+)"))) << prefix;
    EXPECT_TRUE(std::filesystem::exists(root + found[1].str())) << found[1];
    ASSERT_TRUE(std::filesystem::exists(root + found[2].str())) << found[2];
    const std::string settings = read_file(root + found[2].str());
    ASSERT_TRUE(std::regex_search(settings, found, std::regex("  - (\\S+/specs)"))) << prefix;
    EXPECT_TRUE(std::filesystem::is_directory(root + found[1].str())) << found[1];
  }
}

// Its account has no home, and its sandbox lets it write nowhere else.
TEST(Packaging, TheUnitKeepsDebugFilesInItsOwnCacheFolder) {
  const std::string text = read_file(TEST_BINARY_DIR "/packaging/diagnosed.service");
  std::smatch folder;
  std::smatch cache;
  ASSERT_TRUE(std::regex_search(text, folder, std::regex("\\nCacheDirectory=(\\S+)\\n")));
  ASSERT_TRUE(std::regex_search(text, cache, std::regex("\\nEnvironment=DEBUGINFOD_CACHE_PATH=%C/(\\S+)\\n")));
  EXPECT_TRUE(cache[1].str().starts_with(folder[1].str() + "/")) << cache[1];
}

TEST(Packaging, TheExampleSettingsAreGood) {
  const TemporaryFolder folder;
  std::string text = read_file(TEST_SOURCE_DIR "/../packaging/diagnosed.yaml");
  std::filesystem::create_directory(folder.file("specs"));
  text = std::regex_replace(text, std::regex("/etc/diagnose/specs"), folder.file("specs"));
  write_file(folder.file("diagnosed.yaml"), text);
  const Ended ended = run({binary("diagnosed"), "--check", "--config", folder.file("diagnosed.yaml")}, "", 20s);
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
}

TEST(Packaging, UnderTheUnitsUserAndCapabilitiesTheDaemonCountsAnotherUsersProcess) {
  const std::string text = read_file(unit);
  EXPECT_THAT(
      text, ::testing::HasSubstr("AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_LEASE "
                                 "CAP_CHECKPOINT_RESTORE\n"));
  Program program({"threads", "2", "1000"});  // root's
  auto folder = std::make_shared<TemporaryFolder>();
  std::filesystem::permissions(folder->path(), std::filesystem::perms::all);
  const std::string capabilities = "+bpf,+perfmon,+sys_ptrace,+dac_read_search,+lease,+checkpoint_restore";
  Daemon daemon({.folder = folder,
                 .wrapper = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set",
                             "-all," + capabilities, "--inh-caps", "-all," + capabilities, "--ambient-caps",
                             "-all," + capabilities, "--no-new-privs"}});
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter",
                                     "--name", "works", "--id", "other"});
  EXPECT_EQ(attached.at("state"), "armed");
  const auto later = daemon.json(
      {"attach", "--exe", program_path("forker"), "work", "--type", "counter", "--name", "forked", "--id", "later"});
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 2000);
  Program forker({"forker", "2", "500"});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("later") == "armed"; })) << daemon.state_of("later");
  forker.go();
  EXPECT_EQ(forker.counts().at("calls"), 1000);
  EXPECT_EQ(daemon.metrics().value("forked_total").value_or(-1), 1000);
  EXPECT_EQ(daemon.terminate().status, 0);
}

}  // namespace
}  // namespace diagnose::test
