#include "target/answer_cache.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/limits.h"

namespace diagnose::target {
namespace {

// What a file begins with; then come the key and the answer.
struct Head {
  std::array<char, 8> magic{};
  std::uint64_t key_bytes = 0;
  std::uint64_t answer_bytes = 0;
  std::uint64_t sum = 0;  // of key and answer
};
constexpr std::array<char, 8> magic = {'d', 'i', 'a', 'g', 'n', 'o', 's', '1'};

// Times of files advance with the kernel's tick, 1 to 10 ms.
constexpr std::int64_t settled_ns = 2'000'000'000;

// FNV-1a: tells accidents, and spreads names; the whole key is compared.
std::uint64_t sum_of(std::string_view text, std::uint64_t sum = 0xcbf2'9ce4'8422'2325) {
  for (const char byte : text) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100'0000'01b3;
  return sum;
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Device, inode, size and times, as text; nothing if it cannot be told, or has just been changed.
std::optional<std::string> identity(int file) {
  struct stat status {};
  timespec now{};
  if (::fstat(file, &status) != 0 || ::clock_gettime(CLOCK_REALTIME, &now) != 0) return std::nullopt;
  const std::int64_t changed = std::max(nanoseconds(status.st_mtim), nanoseconds(status.st_ctim));
  if (nanoseconds(now) - changed < settled_ns) return std::nullopt;
  std::string text;
  for (const auto number :
       {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
        static_cast<std::int64_t>(status.st_size), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)}) {
    text += std::to_string(number) + ' ';
  }
  return text;
}

std::string name_of(const std::string& key) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name;
  std::uint64_t sum = sum_of(key);
  for (int digit = 0; digit < 16; ++digit, sum >>= 4U) name += digits[sum & 15U];
  return name;
}

bool is_name(const std::string& name) {
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool read_all(int file, char* to, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = ::read(file, to, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(file, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace

Result<AnswerCache> AnswerCache::open(const std::string& folder) {
  const auto unusable = [&](const std::string& why) {
    return failure({.what = "keep what was read of files", .where = folder, .why = why, .mend = "see --state"});
  };
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return unusable(errno_text(errno));
  AnswerCache cache;
  cache.folder_ = folder + "/";
  const Fd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!self || ::fstat(self.get(), &status) != 0) return unusable("/proc/self/exe: " + errno_text(errno));
  cache.self_ = std::to_string(status.st_dev) + ' ' + std::to_string(status.st_ino) + ' ' +
                std::to_string(nanoseconds(status.st_mtim)) + ' ' + std::to_string(nanoseconds(status.st_ctim)) + '\n';

  struct Found {
    std::filesystem::file_time_type time;
    Kept kept;
  };
  std::vector<Found> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    std::error_code gone;
    const auto bytes = entry.file_size(gone);
    const auto time = entry.last_write_time(gone);
    if (!is_name(name)) ::unlink(entry.path().c_str());  // half written
    if (!gone && is_name(name)) found.push_back({time, {name, bytes}});
  }
  if (error) return unusable(error.message());
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.time < b.time; });
  for (const Found& one : found) cache.note(one.kept.name, one.kept.bytes);
  return cache;
}

std::optional<std::string> AnswerCache::key(std::string_view question, std::span<const int> files) const {
  std::string key = self_;
  for (const int file : files) {
    const auto about = identity(file);
    if (!about) return std::nullopt;
    key += *about + '\n';
  }
  key += question;
  return key;
}

std::optional<std::string> AnswerCache::find(const std::string& key) {
  const std::string name = name_of(key);
  if (!by_name_.contains(name)) return std::nullopt;
  const Fd file(::open((folder_ + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  Head head;
  std::string rest;
  const bool begins = file && read_all(file.get(), reinterpret_cast<char*>(&head), sizeof(head)) &&
                      head.magic == magic && head.key_bytes == key.size() &&
                      head.answer_bytes <= limits::kept_answer_bytes;
  if (begins) rest.resize(head.key_bytes + head.answer_bytes);
  if (!begins || !read_all(file.get(), rest.data(), rest.size()) || sum_of(rest) != head.sum ||
      rest.compare(0, key.size(), key) != 0) {
    forget(name);
    return std::nullopt;
  }
  return rest.substr(key.size());
}

void AnswerCache::keep(const std::string& key, std::string_view answer) {
  if (answer.size() > limits::kept_answer_bytes) return;
  const std::string name = name_of(key);
  const std::string path = folder_ + name;
  const std::string unfinished = path + ".new";
  Head head{.magic = magic, .key_bytes = key.size(), .answer_bytes = answer.size(), .sum = sum_of(answer, sum_of(key))};
  {
    const Fd file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    const std::string_view head_bytes(reinterpret_cast<const char*>(&head), sizeof(head));
    if (!file || !write_all(file.get(), head_bytes) || !write_all(file.get(), key) || !write_all(file.get(), answer)) {
      ::unlink(unfinished.c_str());
      return;
    }
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return;
  note(name, sizeof(head) + key.size() + answer.size());
}

// As the youngest.
void AnswerCache::note(const std::string& name, std::size_t bytes) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    bytes_ -= known->second->bytes;
    kept_.erase(known->second);
    by_name_.erase(known);
  }
  kept_.push_back({name, bytes});
  by_name_[name] = std::prev(kept_.end());
  bytes_ += bytes;
  while (kept_.size() > limits::kept_answers || bytes_ > limits::kept_answers_bytes) forget(kept_.front().name);
}

void AnswerCache::forget(const std::string& name) {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return;
  ::unlink((folder_ + name).c_str());
  bytes_ -= known->second->bytes;
  const auto at = known->second;
  by_name_.erase(known);
  kept_.erase(at);
}

}  // namespace diagnose::target
