// FileReader in a child without privileges (design D8): a file that crashes it, hangs it, eats its memory or takes it
// over is an error on that request, nothing more.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "target/answer.h"
#include "target/answer_cache.h"
#include "target/reader_child.h"
#include "target/wire.h"

namespace diagnose::target {

enum class Verb : std::uint8_t;

// Loop thread only.  A request waits for its answer, at most as long as `patience` says.
class SandboxedReader final : public FileReader {
 public:
  struct Options {
    // Runs serve_reader() (reader_server.h) on the descriptor whose number is added as the last argument.
    std::vector<std::string> command;
    ReaderChild::Patience patience{.cpu = limits::reader_cpu, .wait = limits::reader_wait};
    unsigned requests = limits::reader_requests;  // that one child serves
  };

  // Starts the first child and waits until it is confined: fails if this host or the daemon's own sandbox does not let
  // it.
  [[nodiscard]] static Result<std::unique_ptr<SandboxedReader>> start(Options options);

  // From now on answers are kept, and taken from there.
  void keep_answers(AnswerCache cache) { cache_ = std::move(cache); }

  Result<Identity> identify(int fd, const std::string& name) override;
  Result<DebugInfo> describe(const DescribeRequest& request) override;
  Result<ListAnswer> list(const ListRequest& request) override;
  Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& request) override;
  Result<CallersAnswer> callers(const CallersRequest& request) override;
  Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& request) override;
  Result<Traits> traits(int fd, const std::string& name) override;
  Result<FileAnswer> read(const FileRequest& request) override;

  // Of the children that run now.
  [[nodiscard]] std::vector<pid_t> pids() const;

 private:
  // A child that a file has taken over could lie about the next one.  So files of root, which can change any program
  // anyway, are read by one child, those of other users by another that never goes from one owner to the next.
  struct Seat {
    std::optional<ReaderChild> child;
    std::optional<uid_t> owner;  // of the files it has read
    unsigned served = 0;
  };

  explicit SandboxedReader(Options options) : options_(std::move(options)) {}
  [[nodiscard]] Status fill(Seat& seat);
  [[nodiscard]] Result<Seat*> seat_for(const std::vector<int>& files);
  void settle(Seat& seat);
  template <typename Answer, typename Request>
  Result<Answer> ask(Verb verb, const Request& request, const std::string& what);

  Options options_;
  std::optional<AnswerCache> cache_;
  std::array<Seat, 2> seats_;  // root's files; others'
};

}  // namespace diagnose::target
