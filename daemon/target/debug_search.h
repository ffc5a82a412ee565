// FileReader that gives another one, which may open nothing, the files that belong to what it reads: debug files, those
// of split debug information, and packages of those.
#pragma once

#include <map>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "target/answer.h"
#include "target/debug_info.h"
#include "target/debuginfod.h"

namespace diagnose::target {

// Loop thread only.  What the files say of themselves is remembered (limits::searched_files); where others may be is
// looked up each time, so that a debug package is seen once it is installed.  A debug file that a server has, where
// `around.fetch` allows it, is waited for limits::debuginfod_patience; after that the error says that it is on its way.
class DebugSearch final : public FileReader {
 public:
  // Borrows both; they must outlive it.
  DebugSearch(FileReader& reader, Debuginfod& servers) : reader_(reader), servers_(servers) {}

  Result<Identity> identify(int fd, const std::string& name) override { return reader_.identify(fd, name); }
  Result<DebugInfo> describe(const DescribeRequest& request) override;
  Result<ListAnswer> list(const ListRequest& request) override;
  Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& request) override;
  Result<FileAnswer> read(const FileRequest& request) override;
  Result<CallersAnswer> callers(const CallersRequest& request) override { return reader_.callers(request); }
  Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& request) override {
    return reader_.return_sites(request);
  }
  Result<Traits> traits(int fd, const std::string& name) override { return reader_.traits(fd, name); }

  // The build ids whose debug files were on their way from a server when they were wanted, since this was last asked.
  [[nodiscard]] std::set<std::string> take_awaited() { return std::exchange(awaited_, {}); }
  // Whether it still is.
  [[nodiscard]] bool is_on_its_way(const std::string& build_id) {
    return servers_.known(build_id).state == Debuginfod::State::fetching;
  }

 private:
  // What was opened for one request.
  struct Found {
    std::vector<Fd> open;
    std::vector<int> debug;
    std::vector<std::string> debug_names;
    SplitFiles split;
    std::string missing;  // what was looked for in vain, for the mend of an error
  };
  struct Key {
    dev_t device;
    ino_t inode;
    std::int64_t size, changed_ns;
    auto operator<=>(const Key&) const = default;
  };

  [[nodiscard]] Result<Identity> identity_of(int fd, const std::string& name);
  [[nodiscard]] Result<Found> find(int fd, const std::string& path, const Surroundings& around,
                                   const std::vector<LinkAddress>& places = {});
  void find_debug_files(const Identity& identity, const std::string& path, const Surroundings& around, Found& found);
  void find_split(const Identity& identity, const std::string& path, const std::string& debug_path,
                  const Surroundings& around, const std::vector<LinkAddress>& places, Found& found);

  FileReader& reader_;
  Debuginfod& servers_;
  std::map<Key, Identity> known_;
  std::set<std::string> awaited_;
};

}  // namespace diagnose::target
