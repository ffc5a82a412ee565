#include "target/sandboxed_reader.h"

#include <cerrno>
#include <sys/stat.h>
#include <utility>

#include "target/answer_check.h"
#include "target/reader_wire.h"

namespace diagnose::target {

Result<std::unique_ptr<SandboxedReader>> SandboxedReader::start(Options options) {
  std::unique_ptr<SandboxedReader> reader(new SandboxedReader(std::move(options)));
  Seat& first = reader->seats_.front();
  first.owner = 0;
  if (auto filled = reader->fill(first); !filled) return tl::unexpected(filled.error());
  auto greeted = first.child->greet(reader->options_.patience);
  if (greeted) return reader;
  if (greeted.error().what.empty()) greeted.error().what = "start the reader of files";
  return tl::unexpected(greeted.error());
}

Status SandboxedReader::fill(Seat& seat) {
  seat.child.reset();
  seat.served = 0;
  auto child = ReaderChild::start(options_.command);
  if (!child) return tl::unexpected(child.error());
  seat.child.emplace(std::move(*child));
  return {};
}

Result<SandboxedReader::Seat*> SandboxedReader::seat_for(const std::vector<int>& files) {
  uid_t owner = 0;
  bool mixed = false;
  for (const int file : files) {
    struct stat status {};
    if (::fstat(file, &status) != 0) {
      return failure({.what = {}, .where = {}, .why = errno_text(errno), .mend = "check that the file can be read"});
    }
    if (status.st_uid == 0) continue;
    mixed = mixed || (owner != 0 && owner != status.st_uid);
    owner = status.st_uid;
  }
  Seat& seat = seats_.at(owner == 0 ? 0 : 1);
  const std::optional<uid_t> wanted = mixed ? std::nullopt : std::optional(owner);
  // It may have been killed, by the kernel for want of memory or by a person.
  const bool fits = seat.child && seat.child->running() && wanted && seat.owner == wanted;
  seat.owner = wanted;
  if (fits) return &seat;
  if (auto filled = fill(seat); !filled) return tl::unexpected(filled.error());
  return &seat;
}

// Behind an answer: the next child gets ready while nobody waits for it.
void SandboxedReader::settle(Seat& seat) {
  ++seat.served;
  if (seat.served < options_.requests && seat.child->resident_bytes() <= limits::reader_resident_bytes) return;
  (void)fill(seat);  // if it cannot be had now, the next request tries again and tells
}

namespace {

// What came back, taken apart.
template <typename Answer>
struct Said {
  Result<Answer> answer;
  const char* lie;  // null: it makes sense
};

template <typename Answer, typename Request>
Said<Answer> said(std::string_view bytes, const Request& request) {
  wire::Reader in(bytes, limits::reader_answer_memory);
  bool good = false;
  Answer answer{};
  Error error;
  in(good);
  if (good) {
    in(answer);
  } else {
    in(error);
  }
  const char* const lie = !in.done() ? "it cannot be read" : good ? fault_in(answer, request) : nullptr;
  if (!good) return {failure(std::move(error)), lie};
  return {std::move(answer), lie};
}

}  // namespace

template <typename Answer, typename Request>
Result<Answer> SandboxedReader::ask(Verb verb, const Request& request, const std::string& what) {
  const auto failed = [&](Error error) -> Result<Answer> {
    if (error.what.empty()) error.what = what;
    if (error.where.empty()) error.where = request.name;
    return failure(std::move(error));
  };
  wire::Writer out;
  out(verb, request);
  if (out.bytes().size() > limits::reader_request_bytes || out.descriptors().size() > limits::reader_files) {
    return failed({.what = {}, .where = {}, .why = "too much is asked for at once", .mend = "narrow the pattern"});
  }
  // Hardly ever is the same address asked for again.
  const auto key = cache_ && verb != Verb::symbolize ? cache_->key(out.bytes(), out.descriptors()) : std::nullopt;
  if (const auto kept = key ? cache_->find(*key) : std::nullopt) {
    Said<Answer> known = said<Answer>(*kept, request);
    if (known.lie == nullptr && known.answer) return std::move(known.answer);
  }
  auto seat = seat_for(out.descriptors());
  if (!seat) return failed(std::move(seat.error()));
  std::optional<ReaderChild>& child = (*seat)->child;
  const auto drop = [&](Error error) {
    child.reset();
    return failed(std::move(error));
  };
  if (auto greeted = child->greet(options_.patience); !greeted) return drop(std::move(greeted.error()));
  auto bytes = child->exchange(out.bytes(), out.descriptors(), options_.patience);
  if (!bytes) return drop(std::move(bytes.error()));

  Said<Answer> answer = said<Answer>(*bytes, request);
  if (answer.lie != nullptr) {
    return drop({.what = {},
                 .where = {},
                 .why = std::string("the answer of the reader of files makes no sense: ") + answer.lie,
                 .mend = "check that the file is whole; if it is, this is a bug of diagnosed: report it"});
  }
  settle(**seat);
  if (!answer.answer) return failed(std::move(answer.answer.error()));
  // The files may have been changed while they were read: then the key is another by now.
  if (key && cache_->key(out.bytes(), out.descriptors()) == key) cache_->keep(*key, *bytes);
  return std::move(answer.answer);
}

Result<FileAnswer> SandboxedReader::read(const FileRequest& request) {
  return ask<FileAnswer>(Verb::read, request, "find `" + request.function + "`");
}

Result<CallersAnswer> SandboxedReader::callers(const CallersRequest& request) {
  return ask<CallersAnswer>(Verb::callers, request, "find callers");
}

Result<std::vector<ReturnSite>> SandboxedReader::return_sites(const ReturnSitesRequest& request) {
  return ask<std::vector<ReturnSite>>(Verb::return_sites, request, "find places behind calls");
}

Result<Traits> SandboxedReader::traits(int fd, const std::string& name) {
  return ask<Traits>(Verb::traits, TraitsRequest{.fd = fd, .name = name}, "read the code");
}

Result<Identity> SandboxedReader::identify(int fd, const std::string& name) {
  return ask<Identity>(Verb::identify, IdentityRequest{.fd = fd, .name = name}, "read the file");
}

Result<DebugInfo> SandboxedReader::describe(const DescribeRequest& request) {
  return ask<DebugInfo>(Verb::describe, request, "read the debug information");
}

Result<ListAnswer> SandboxedReader::list(const ListRequest& request) {
  return ask<ListAnswer>(Verb::list, request, "list the functions");
}

Result<std::vector<Symbolized>> SandboxedReader::symbolize(const SymbolizeRequest& request) {
  return ask<std::vector<Symbolized>>(Verb::symbolize, request, "name addresses");
}

std::vector<pid_t> SandboxedReader::pids() const {
  std::vector<pid_t> all;
  for (const Seat& seat : seats_) {
    if (seat.child && seat.child->running()) all.push_back(seat.child->pid());
  }
  return all;
}

}  // namespace diagnose::target
