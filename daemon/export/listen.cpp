#include "export/listen.h"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>

namespace diagnose::exporter {
namespace {

constexpr int backlog = 64;

struct HostPort {
  std::string host;  // empty: every address
  std::string port;
};

tl::unexpected<Error> refused(const std::string& listen, std::string why, std::string mend) {
  return failure({.what = "listen on " + listen, .where = "", .why = std::move(why), .mend = std::move(mend)});
}

std::optional<HostPort> split(const std::string& listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostPort result{.host = listen.substr(0, colon), .port = listen.substr(colon + 1)};
  if (result.host.starts_with('[') && result.host.ends_with(']')) {
    result.host = result.host.substr(1, result.host.size() - 2);
    if (result.host.find(':') == std::string::npos) return std::nullopt;
  } else if (result.host.find(':') != std::string::npos) {
    return std::nullopt;  // which colon is the port's?
  }
  unsigned port = 0;
  const char* end = result.port.data() + result.port.size();
  const auto read = std::from_chars(result.port.data(), end, port);
  if (read.ec != std::errc() || read.ptr != end || port > 65535) return std::nullopt;
  return result;
}

std::string address_of(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  // The socket is bound, so it has a name.
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  char text[INET6_ADDRSTRLEN] = {};
  if (bound.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&bound);
    (void)::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound);
  (void)::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
  return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
}

// errno in the error's place.
tl::expected<Fd, int> bind_to(const addrinfo& address) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return tl::unexpected(errno);
  const int on = 1;
  // A restart must not wait for the connections of the last run to time out.
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    const int only_v6 = 0;  // so that [::] serves IPv4 too, whatever the host's default is
    (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
  }
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 || ::listen(socket.get(), backlog) != 0) {
    return tl::unexpected(errno);
  }
  return socket;
}

tl::unexpected<Error> bind_refused(const std::string& listen, int error_number) {
  switch (error_number) {
    case EADDRINUSE:
      return refused(listen, "address in use",
                     "end what listens there (`ss -ltnp` names it), or choose another port with --listen");
    case EACCES:
      return refused(listen, "no permission for a port below 1024",
                     "choose a higher port, or grant CAP_NET_BIND_SERVICE");
    case EADDRNOTAVAIL:
      return refused(listen, "this host has no such address", "listen on an address that `ip address` lists");
    default:
      return refused(listen, errno_text(error_number), "");
  }
}

}  // namespace

Result<Listener> listen_on(const std::string& listen) {
  const std::optional<HostPort> wanted = split(listen);
  if (!wanted) {
    return refused(listen, "not an address and a port up to 65535", "write 127.0.0.1:9950, [::1]:9950 or :9950");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = wanted->host.empty() ? nullptr : wanted->host.c_str();
  if (const int error = ::getaddrinfo(host, wanted->port.c_str(), &hints, &found); error != 0) {
    return refused(listen, ::gai_strerror(error), "give a numeric address, or a name that this host resolves");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);

  int first_error = 0;
  const auto attempt = [&](int family, bool only) -> std::optional<Listener> {
    for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
      if ((at->ai_family == family) != only) continue;
      auto socket = bind_to(*at);
      if (socket) {
        std::string bound = address_of(socket->get());
        return Listener{.socket = std::move(*socket), .address = std::move(bound)};
      }
      if (first_error == 0 || first_error == EAFNOSUPPORT) first_error = socket.error();
    }
    return std::nullopt;
  };
  // Of "every address" IPv6 comes first, for it serves IPv4 as well; of a name's addresses IPv4.
  const int preferred = host == nullptr ? AF_INET6 : AF_INET;
  for (const bool only : {true, false}) {
    if (auto listener = attempt(preferred, only)) return std::move(*listener);
    if (first_error == EADDRINUSE || first_error == EACCES) break;  // another family's socket would hide the reason
  }
  return bind_refused(listen, first_error);
}

}  // namespace diagnose::exporter
