// Answers of the reader of files, kept from one start of the daemon to the next: the tables of a large program are
// walked once for each question.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace diagnose::target {

// One file an answer in a folder of its own.  An answer belongs to its whole question, the identity, size and times of
// every file it was asked about, and this very executable; what does not begin with just that, or is not as long as it
// says, is no answer.  What is older gives way (limits::kept_answers, limits::kept_answers_bytes).  Loop thread only;
// an answer that cannot be read or kept is one that has to be found again, nothing worse.
class AnswerCache {
 public:
  // Makes the folder, for its owner alone.  Fails if it cannot be used.
  [[nodiscard]] static Result<AnswerCache> open(const std::string& folder);

  // The key of `question` about `files` (borrowed descriptors); nothing if one of them has just been changed: another
  // change would not show in its times.
  [[nodiscard]] std::optional<std::string> key(std::string_view question, std::span<const int> files) const;

  [[nodiscard]] std::optional<std::string> find(const std::string& key);
  void keep(const std::string& key, std::string_view answer);

 private:
  struct Kept {
    std::string name;
    std::size_t bytes = 0;
  };

  void note(const std::string& name, std::size_t bytes);
  void forget(const std::string& name);

  std::string folder_;
  std::string self_;      // identity of this executable
  std::list<Kept> kept_;  // the oldest first
  std::unordered_map<std::string, std::list<Kept>::iterator> by_name_;
  std::size_t bytes_ = 0;
};

}  // namespace diagnose::target
