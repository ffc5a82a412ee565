// A file under a probe is overwritten in place: breakpoints belong to the old code, and whoever starts the new one must
// never meet them.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

// As `cp` does it.  The open may wait until the daemon has let go.
void overwrite(const std::string& path, const std::string& bytes) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  ASSERT_TRUE(static_cast<bool>(file)) << std::strerror(errno);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    ASSERT_GT(wrote, 0) << std::strerror(errno);
    done += static_cast<std::size_t>(wrote);
  }
}

// A probe on `work` of a copy of tests/programs/threads that nobody runs, and another probe elsewhere, so that the
// daemon's links are never none.
class Overwrite : public ::testing::Test {
 protected:
  Overwrite() : path_(folder_.file("victim")) {
    std::filesystem::copy_file(program_path("threads"), path_);
    daemon_.write_spec("other.yaml", spec_text("other", "exe: " + program_path("longjmp") + ", function: passage",
                                               counter("passages")));
    EXPECT_TRUE(eventually([&] { return daemon_.state_of("other") == "armed"; })) << daemon_.state_of("other");
    others_ = links_of(daemon_.pid());
    daemon_.write_spec("victim.yaml", spec_text("victim", "exe: " + path_ + ", function: work", counter("works")));
    EXPECT_TRUE(eventually([&] { return daemon_.state_of("victim") == "armed"; })) << daemon_.state_of("victim");
  }

  [[nodiscard]] std::set<std::uint32_t> links() const {
    std::set<std::uint32_t> mine;
    for (const std::uint32_t id : links_of(daemon_.pid())) {
      if (others_.count(id) == 0) mine.insert(id);
    }
    return mine;
  }

  TemporaryFolder folder_;
  std::string path_;
  Daemon daemon_;
  std::set<std::uint32_t> others_;
};

TEST_F(Overwrite, WithAProgramWithoutTheFunctionItRunsAsIfNobodyHadProbedIt) {
  const auto before = links();
  ASSERT_FALSE(before.empty());
  const Ended normal = run({program_path("recursion"), "10", "100", "10"}, "\n");
  ASSERT_EQ(normal.status, 0);

  overwrite(path_, read_file(program_path("recursion")));
  EXPECT_TRUE(links().empty()) << "links stay on a file that was written to";
  EXPECT_EQ(still_there(before), 0U);
  for (int round = 0; round < 10; ++round) {
    const Ended ended = run({path_, "10", "100", "10"}, "\n");
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(counts_in(ended.out), counts_in(normal.out));
  }
  EXPECT_TRUE(links().empty());
  EXPECT_EQ(daemon_.metrics().value("works_total").value_or(0), 0);
  EXPECT_EQ(daemon_.state_of("other"), "armed");
}

TEST_F(Overwrite, WithAProgramThatHasTheFunctionElsewhereItRunsAsItShouldAndIsProbedAnew) {
  const auto before = links();
  ASSERT_FALSE(before.empty());
  overwrite(path_, read_file(program_path("forker")));
  EXPECT_EQ(still_there(before), 0U);
  for (int round = 0; round < 5; ++round) {
    Program program({path_, "2", "500"});
    program.go();
    EXPECT_EQ(program.counts().at("calls"), 1000);
  }
  Program program({path_, "2", "500"});
  const Labels installed = {{"probe", "victim"}, {"pid", std::to_string(program.pid())}};
  ASSERT_TRUE(eventually([&] { return daemon_.metrics().value("diagnose_probe_installed", installed) == 1; }))
      << daemon_.json({"status", "victim"});
  const double earlier = daemon_.metrics().value("works_total").value_or(0);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(daemon_.metrics().value("works_total").value_or(-1), earlier + 1000);
}

}  // namespace
}  // namespace diagnose::test
