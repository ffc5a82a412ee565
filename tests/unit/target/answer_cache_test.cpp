#include "target/answer_cache.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"

namespace diagnose::target {
namespace {

class AnswerCaches : public testing::Test {
 protected:
  AnswerCaches() {
    std::string name = "/tmp/answers-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    asked_about_ = folder_ / "program";
    write("program");
  }
  ~AnswerCaches() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& text) const { std::ofstream(asked_about_) << text; }

  // Of a file whose last change is long ago.
  std::string key(const AnswerCache& cache, const std::string& question) const {
    const Fd file(::open(TEST_PROGRAMS_DIR "/threads", O_RDONLY | O_CLOEXEC));
    const int files[] = {file.get()};
    return cache.key(question, files).value();
  }

  AnswerCache open() const { return AnswerCache::open(folder_ / "kept").value(); }

  // The one file that is kept.
  std::filesystem::path kept() const { return std::filesystem::directory_iterator(folder_ / "kept")->path(); }

  std::filesystem::path folder_;
  std::filesystem::path asked_about_;
};

TEST_F(AnswerCaches, GiveBackWhatTheyWereGivenAlsoToTheNext) {
  const std::string answer("with\0zero", 9);
  AnswerCache cache = open();
  EXPECT_FALSE(cache.find(key(cache, "one")));
  cache.keep(key(cache, "one"), answer);
  EXPECT_EQ(cache.find(key(cache, "one")), answer);
  EXPECT_FALSE(cache.find(key(cache, "two")));
  AnswerCache next = open();
  EXPECT_EQ(next.find(key(next, "one")), answer);
}

TEST_F(AnswerCaches, KnowNothingOfAFileThatHasJustBeenChanged) {
  const AnswerCache cache = open();
  const Fd file(::open(asked_about_.c_str(), O_RDONLY | O_CLOEXEC));
  const int files[] = {file.get()};
  EXPECT_FALSE(cache.key("question", files));
}

TEST_F(AnswerCaches, TellFilesApart) {
  const AnswerCache cache = open();
  const Fd one(::open(TEST_PROGRAMS_DIR "/threads", O_RDONLY | O_CLOEXEC));
  const Fd two(::open(TEST_PROGRAMS_DIR "/tails", O_RDONLY | O_CLOEXEC));
  const int ones[] = {one.get()};
  const int twos[] = {two.get()};
  EXPECT_NE(cache.key("question", ones).value(), cache.key("question", twos).value());
}

TEST_F(AnswerCaches, TakeNothingFromAFileWithAWrongByteAnywhere) {
  AnswerCache cache = open();
  const std::string question = key(cache, "question");
  cache.keep(question, "answer");
  std::string whole;
  {
    std::ifstream file(kept(), std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::filesystem::path path = kept();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    std::ofstream(path, std::ios::binary) << wrong;
    AnswerCache next = open();
    EXPECT_FALSE(next.find(question)) << at;
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    AnswerCache next = open();
    EXPECT_FALSE(next.find(question)) << size;
  }
}

TEST_F(AnswerCaches, LetTheOldestGo) {
  AnswerCache cache = open();
  for (std::size_t number = 0; number <= limits::kept_answers; ++number) {
    cache.keep(key(cache, std::to_string(number)), "answer");
  }
  EXPECT_FALSE(cache.find(key(cache, "0")));
  EXPECT_TRUE(cache.find(key(cache, "1")));
  cache.keep(key(cache, "large"), std::string(limits::kept_answer_bytes + 1, 'x'));
  EXPECT_FALSE(cache.find(key(cache, "large")));
  const auto files = std::filesystem::directory_iterator(folder_ / "kept");
  EXPECT_EQ(std::distance(begin(files), end(files)), limits::kept_answers);
}

TEST_F(AnswerCaches, RemoveWhatIsHalfWritten) {
  (void)open();
  std::ofstream(folder_ / "kept" / "0123456789abcdef.new") << "half";
  (void)open();
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "kept"));
}

}  // namespace
}  // namespace diagnose::target
