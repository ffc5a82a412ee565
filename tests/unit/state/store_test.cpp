#include "state/store.h"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

namespace diagnose::state {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace fs = std::filesystem;

StoredProbe probe_of(const std::string& id) {
  return {.id = id,
          .origin = "/etc/diagnose/specs/shop.yaml",
          .written = {{"target", {{"exe", "/usr/bin/shop"}, {"function", "checkout"}}}, {"lifespan", "10m or 5 hits"}},
          .lastmodified = "2026-11-20T12:00:00Z"};
}

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "diagnose-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    parent_ = pattern;
    directory_ = parent_ / "state";
    reopen();
  }
  void TearDown() override { fs::remove_all(parent_); }

  // As a restart does.
  void reopen() {
    store_.reset();
    Result<Store> store = Store::open(directory_);
    ASSERT_TRUE(store) << store.error().text();
    store_.emplace(std::move(*store));
  }

  fs::path file(const std::string& id) const { return directory_ / (id + ".json"); }

  fs::path parent_;
  fs::path directory_;
  std::optional<Store> store_;
};

TEST_F(StoreTest, WhatWasSavedIsThereAfterARestart) {
  StoredProbe attached = probe_of("a");
  attached.origin = "attach";
  const StoredProbe applied = probe_of("a-b.c_d");
  ASSERT_TRUE(store_->save(applied));
  ASSERT_TRUE(store_->save(attached));
  reopen();
  const Loaded loaded = store_->load();
  EXPECT_TRUE(loaded.errors.empty());
  EXPECT_EQ(loaded.probes, std::vector<StoredProbe>({attached, applied}));  // by id
}

TEST_F(StoreTest, TheDirectoryAndItsFilesAreForTheDaemonAlone) {
  ASSERT_TRUE(store_->save(probe_of("a")));
  EXPECT_EQ(fs::status(directory_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(file("a")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(StoreTest, SavingAgainReplacesAndLeavesNothingBeside) {
  ASSERT_TRUE(store_->save(probe_of("a")));
  StoredProbe renewed = probe_of("a");
  renewed.lastmodified = "2027-01-01T00:00:00Z";
  ASSERT_TRUE(store_->save(renewed));
  EXPECT_EQ(store_->load().probes, std::vector<StoredProbe>({renewed}));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(StoreTest, ARemovedProbeIsGoneAndRemovingItAgainIsNoError) {
  ASSERT_TRUE(store_->save(probe_of("a")));
  EXPECT_TRUE(store_->remove("a"));
  EXPECT_TRUE(store_->remove("a"));
  EXPECT_TRUE(store_->load().probes.empty());
}

TEST_F(StoreTest, WhatIsNoIdIsRefusedBeforeItBecomesAFileName) {
  for (const std::string& bad :
       {std::string(), std::string("../a"), std::string("a/b"), std::string(".a"), std::string("-a"), std::string("A"),
        std::string("a b"), std::string("a\0b", 3), std::string("\xc3\xa4"), std::string(limits::id_chars + 1, 'a')}) {
    EXPECT_FALSE(is_id(bad)) << bad;
    EXPECT_FALSE(store_->save(probe_of(bad))) << bad;
    EXPECT_FALSE(store_->remove(bad)) << bad;
  }
  EXPECT_TRUE(is_id(std::string(limits::id_chars, 'a')));
  EXPECT_TRUE(is_id("0.a_b-c"));
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(StoreTest, AFileCutAtAnyByteIsReportedAndLeftAsideAndTheOthersAreRead) {
  ASSERT_TRUE(store_->save(probe_of("a")));
  ASSERT_TRUE(store_->save(probe_of("good")));
  const std::string whole = text_of(file("a"));
  // The last two bytes are "}\n"; without the newline it is still whole.
  for (std::size_t size = 0; size < whole.size() - 1; size += 7) {
    write(file("a"), whole.substr(0, size));
    const Loaded loaded = store_->load();
    EXPECT_EQ(loaded.probes, std::vector<StoredProbe>({probe_of("good")})) << size;
    ASSERT_EQ(loaded.errors.size(), 1U) << size;
    EXPECT_EQ(loaded.errors[0].where, file("a").string());
    EXPECT_THAT(loaded.errors[0].mend, HasSubstr("a.json.corrupt"));
    EXPECT_EQ(text_of(directory_ / "a.json.corrupt"), whole.substr(0, size));
    EXPECT_TRUE(store_->load().errors.empty());  // nobody trips over it twice
  }
}

TEST_F(StoreTest, JunkIsReportedAndNeverCrashes) {
  const std::string good = R"("version":1,"id":"a","origin":"attach","lastmodified":"2026-11-20T12:00:00Z","written":)";
  for (const std::string& junk : {
           std::string("\x7f"
                       "ELF\x02\x01\x01\x00\xff\xfe",
                       10),
           std::string("null"),
           std::string("[]"),
           std::string("{}"),
           std::string(100'000, '['),
           "{" + good + std::string(1000, '[') + std::string(1000, ']') + "}",
           "{" + good + "7}",
           "{" + good + "{}} trailing",
           "{" + good + R"({},"id":"other"})",
           std::string(
               R"({"version":2,"id":"a","origin":"attach","lastmodified":"2026-11-20T12:00:00Z","written":{}})"),
           std::string(R"({"version":1,"id":7,"origin":"attach","lastmodified":"2026-11-20T12:00:00Z","written":{}})"),
           std::string(R"({"version":1,"id":"a","origin":"attach","lastmodified":"yesterday","written":{}})"),
       }) {
    write(file("a"), junk);
    const Loaded loaded = store_->load();
    EXPECT_TRUE(loaded.probes.empty()) << junk.substr(0, 200);
    EXPECT_EQ(loaded.errors.size(), 1U) << junk.substr(0, 200);
    EXPECT_FALSE(fs::exists(file("a")));
  }
  write(file("a"), "{" + good + "{}}");  // the text that all of them spoil
  EXPECT_EQ(store_->load().probes.size(), 1U);
}

TEST_F(StoreTest, AFileThatIsTooLargeIsLeftAsideAndAProbeThatIsTooLargeIsRefused) {
  StoredProbe probe = probe_of("a");
  probe.written["help"] = std::string(limits::spec_file_bytes, 'x');
  const Status saved = store_->save(probe);
  ASSERT_FALSE(saved);
  EXPECT_THAT(saved.error().why, StartsWith("larger than "));
  write(file("a"), std::string(limits::spec_file_bytes + 1, ' '));
  const Loaded loaded = store_->load();
  ASSERT_EQ(loaded.errors.size(), 1U);
  EXPECT_EQ(loaded.errors[0].why, "larger than a probe can be");
}

TEST_F(StoreTest, LinksFifosAndDirectoriesAreNotRead) {
  write(parent_ / "secret", "{}");
  fs::create_symlink(parent_ / "secret", file("link"));
  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
  fs::create_directory(file("directory"));
  const Loaded loaded = store_->load();
  EXPECT_TRUE(loaded.probes.empty());
  EXPECT_EQ(loaded.errors.size(), 3U);
  EXPECT_EQ(text_of(parent_ / "secret"), "{}");
}

TEST_F(StoreTest, WhatACrashLeftHalfWrittenIsClearedAndTheOldFileHolds) {
  ASSERT_TRUE(store_->save(probe_of("a")));
  write(directory_ / ".a.json.tmp", "{\"version\":1,");
  write(directory_ / "README", "a person's");
  reopen();
  EXPECT_EQ(store_->load().probes, std::vector<StoredProbe>({probe_of("a")}));
  EXPECT_FALSE(fs::exists(directory_ / ".a.json.tmp"));
  EXPECT_TRUE(fs::exists(directory_ / "README"));
}

TEST_F(StoreTest, ASaveThatCannotBeFinishedLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(store_->save(probe_of("a")));
  StoredProbe large = probe_of("a");
  large.written["help"] = std::string(100'000, 'x');
  // A limit on the size of files stands for a full disk, for root too.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tiny{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tiny), 0);
  const Status saved = store_->save(large);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)std::signal(SIGXFSZ, old_action);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().where, file("a").string());
  EXPECT_EQ(saved.error().why, "File too large");
  EXPECT_EQ(store_->load().probes, std::vector<StoredProbe>({probe_of("a")}));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(StoreTest, ADirectoryThatIsGoneIsAnErrorOfEachSave) {
  fs::remove_all(directory_);
  const Status saved = store_->save(probe_of("a"));
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().why, "No such file or directory");
}

TEST_F(StoreTest, ADirectoryThatCannotBeIsToldAtOpen) {
  write(parent_ / "file", "");
  for (const fs::path& bad : {parent_ / "file", parent_ / "no" / "parent"}) {
    const Result<Store> store = Store::open(bad);
    ASSERT_FALSE(store) << bad;
    EXPECT_EQ(store.error().where, bad.string());
    EXPECT_FALSE(store.error().why.empty());
  }
}

TEST_F(StoreTest, ADirectoryThatOthersMayWriteToIsRefused) {
  const fs::path open_to_all = parent_ / "open";
  fs::create_directory(open_to_all);
  fs::permissions(open_to_all, fs::perms::all);
  const Result<Store> store = Store::open(open_to_all);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().mend, "chmod 700 " + open_to_all.string());
}

TEST_F(StoreTest, ASecondDaemonOnOneDirectoryIsRefused) {
  const Result<Store> second = Store::open(directory_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().why, "another diagnosed uses it");
}

}  // namespace
}  // namespace diagnose::state
