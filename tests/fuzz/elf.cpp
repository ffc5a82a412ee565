// Any bytes as an ELF file, with code and debug information: every question that the daemon asks of a file.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "target/answer_check.h"
#include "target/elf_reader.h"

using namespace diagnose;
using namespace diagnose::target;

// libelf 0.192 itself forgets buffers of sections that do not decompress; the child that reads is retired when it
// grows.
extern "C" const char*
__lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier): its name is the interface
  return "leak:libelf.so\n";
}

namespace {

template <typename Answer, typename Request>
void require_good(const Answer& answer, const Request& request) {
  if (answer) {
    // What the daemon would take for a lie.
    const char* fault = fault_in(*answer, request);
    if (fault != nullptr) std::fprintf(stderr, "%s\n", fault);
    REQUIRE(fault == nullptr);
  } else {
    REQUIRE(!answer.error().why.empty());
  }
}

}  // namespace

void fuzz(std::string_view input) {
  static const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  REQUIRE(::ftruncate(file, static_cast<off_t>(input.size())) == 0);
  REQUIRE(::pwrite(file, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()));
  const auto reader = make_elf_reader();

  FileRequest request{.fd = file, .name = "f", .function = "re:.", .build_id = {}, .exits = true};
  const auto functions = reader->read(request);
  require_good(functions, request);

  CallersRequest callers{.fd = file, .name = "f", .callees = {}, .needs_result = true};
  callers.callees.push_back({.function = 1, .address = std::nullopt, .symbols = {"callee", "puts"}});
  DescribeRequest places{.fd = file, .name = "f"};
  places.members = {"next", "name", "size"};
  places.globals = {"global"};
  places.objects = {"global", "stdout"};
  places.types = {"struct node"};
  places.constants = {"RED"};
  ReturnSitesRequest returns{.fd = file, .name = "f", .return_offsets = {FileOffset{0x1000}}, .needs_result = true};
  if (functions) {
    for (const Function& function : functions->functions) {
      constexpr std::size_t most = 8;
      if (places.places.size() == most) break;
      callers.callees.push_back({.function = 2, .address = function.body.low, .symbols = {function.symbol}});
      for (const Site& site : function.sites) {
        places.places.push_back({.at = site.address, .entry = site.kind == SiteKind::entry});
        returns.return_offsets.push_back(site.offset);
        if (places.places.size() == most) break;
      }
    }
  }
  FileRequest place{.fd = file, .name = "f", .by = PlaceBy::line, .function = "s.c", .build_id = {}};
  place.line = 3;
  require_good(reader->read(place), place);
  place.by = PlaceBy::usdt;
  place.function = "p:m";
  require_good(reader->read(place), place);
  place.by = PlaceBy::address;
  if (!places.places.empty()) place.address = places.places.back().at;
  require_good(reader->read(place), place);
  require_good(reader->callers(callers), callers);
  require_good(reader->return_sites(returns), returns);
  require_good(reader->traits(file, "f"), TraitsRequest{.fd = file, .name = "f"});
  require_good(reader->describe(places), places);
  const ListRequest list{.fd = file, .name = "f", .pattern = {}};
  require_good(reader->list(list), list);
}
