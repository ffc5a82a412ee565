// The unix socket's server: connections, lines, peers.  What the verbs do is the Service's business.  Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>

#include "base/result.h"
#include "control/protocol.h"
#include "loop/loop.h"

namespace diagnose::control {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// One client's connection, as verbs see it.  Alive as long as the Server says so: see Service::gone.
class Connection {
 public:
  virtual ~Connection() = default;
  [[nodiscard]] virtual std::uint64_t number() const = 0;  // never used twice
  [[nodiscard]] virtual const Peer& peer() const = 0;
  // Sends a notification; `params` is JSON text.  False, and nothing sent, if the client's backlog is full: the caller
  // counts the loss.
  virtual bool notify(const std::string& method, std::string_view params) = 0;
};

// Answers one request; may be called later, from the loop's thread.  After the client has gone it does nothing, and so
// does a second call.  Dropped without a call, it answers that the request was given up.
using Answer = tl::expected<nlohmann::json, Refusal>;
using Reply = std::function<void(Answer)>;

class Service {
 public:
  virtual ~Service() = default;
  // Unknown methods answer through Server itself: return false.  A json exception that leaves this (a param of another
  // type than expected) is answered with Code::invalid_params.
  virtual bool call(const std::string& method, const nlohmann::json& params, Connection& from, Reply reply) = 0;
  // The connection is about to be destroyed.  Not called for those that die with the server.
  virtual void gone(Connection& connection) = 0;
};

class Server {
 public:
  // Binds `path` (0660, group `group` if it exists; missing parent directories are made, 0755).  A socket with a live
  // daemon behind it is an error that says so; one left by a dead daemon is replaced; anything else there is an error.
  // Peers other than root and members of the group (SO_PEERCRED, supplementary groups of the peer's process included)
  // get Code::forbidden and are closed.
  // Lines over limits::control_message_bytes, and lines that are not JSON-RPC, are answered with an error; the former
  // closes the connection.  A client that does not read its answers is not read from until it does.
  // Borrows `loop` and `service`, which must outlive the result.
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(loop::Loop& loop, const std::string& path,
                                                              Service& service, const std::string& group = "diagnose");
  virtual ~Server() = default;  // unlinks the socket
};

}  // namespace diagnose::control
