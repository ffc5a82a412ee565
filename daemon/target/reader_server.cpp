#include "target/reader_server.h"

#include <cerrno>
#include <exception>
#include <new>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <utility>

#include "base/limits.h"
#include "target/channel.h"
#include "target/given_files.h"
#include "target/reader_wire.h"

namespace diagnose::target {
namespace {

std::string failed(std::string what, std::string where, std::string why, std::string mend) {
  wire::Writer out;
  out(false, Error{.what = std::move(what), .where = std::move(where), .why = std::move(why), .mend = std::move(mend)});
  return out.bytes();
}

template <typename Request, typename Read>
std::string answer_to(wire::Reader& in, Read read) {
  Request request;
  in(request);
  if (!in.done()) return failed("read a file", {}, "the request makes no sense", {});
  try {
    std::optional<GivenFiles> given;
    if constexpr (requires { request.split; }) given.emplace(request.split);
    const auto answer = read(request);
    wire::Writer out;
    out(answer.has_value());
    if (answer) {
      out(*answer);
    } else {
      out(answer.error());
    }
    if (out.bytes().size() <= limits::reader_answer_bytes) return out.bytes();
    return failed("read a file", request.name,
                  "the answer has more than " + std::to_string(limits::reader_answer_bytes >> 20U) + " MiB",
                  "narrow the pattern");
  } catch (const std::bad_alloc&) {
    return failed("read a file", request.name,
                  "that takes more than " + std::to_string(limits::reader_memory_bytes >> 20U) + " MiB of memory",
                  "narrow the pattern, or check that the file is whole");
  } catch (const std::exception& error) {
    return failed("read a file", request.name, std::string("the reader failed: ") + error.what(),
                  "check that the file is whole");
  }
}

// The request's descriptors are closed before the answer goes out: a lease on the file may hang on them.
std::string answer_to(FileReader& reader, const Message& message) {
  wire::Reader in(message.bytes, limits::reader_request_memory, message.descriptors);
  Verb verb = Verb::read;
  in(verb);
  switch (verb) {
    case Verb::read:
      return answer_to<FileRequest>(in, [&](const FileRequest& request) { return reader.read(request); });
    case Verb::callers:
      return answer_to<CallersRequest>(in, [&](const CallersRequest& request) { return reader.callers(request); });
    case Verb::return_sites:
      return answer_to<ReturnSitesRequest>(
          in, [&](const ReturnSitesRequest& request) { return reader.return_sites(request); });
    case Verb::traits:
      return answer_to<TraitsRequest>(
          in, [&](const TraitsRequest& request) { return reader.traits(request.fd, request.name); });
    case Verb::identify:
      return answer_to<IdentityRequest>(
          in, [&](const IdentityRequest& request) { return reader.identify(request.fd, request.name); });
    case Verb::describe:
      return answer_to<DescribeRequest>(in, [&](const DescribeRequest& request) { return reader.describe(request); });
    case Verb::list:
      return answer_to<ListRequest>(in, [&](const ListRequest& request) { return reader.list(request); });
    case Verb::symbolize:
      return answer_to<SymbolizeRequest>(in,
                                         [&](const SymbolizeRequest& request) { return reader.symbolize(request); });
  }
  return failed("read a file", {}, "the request makes no sense", {});
}

}  // namespace

int serve_reader(int socket, FileReader& reader, const Confinement& confinement) {
  const Ready ready = [socket](short events) {
    pollfd one{.fd = socket, .events = events, .revents = 0};
    return ::poll(&one, 1, -1) > 0 || errno == EINTR;
  };
  ::prctl(PR_SET_NAME, "diagnosed-read");  // for `ps`; nothing hangs on it
  const auto confined = confine(socket, confinement);
  wire::Writer hello;
  hello(confined.has_value());
  if (!confined) hello(confined.error());
  if (send(socket, hello.bytes(), {}, ready) != Transfer::done || !confined) return 1;
  for (;;) {
    std::string answer;
    {
      Message message;
      if (receive(socket, message, limits::reader_request_bytes, limits::reader_files, ready) != Transfer::done) {
        return 0;
      }
      answer = answer_to(reader, message);
    }
    if (send(socket, answer, {}, ready) != Transfer::done) return 0;
  }
}

}  // namespace diagnose::target
