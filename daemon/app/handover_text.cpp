// Handover as JSON and back.
#include "app/handover.h"

namespace nlohmann {

template <typename Value>
struct adl_serializer<std::optional<Value>> {
  static void to_json(json& text, const std::optional<Value>& value) {
    if (value) text = *value;
    if (!value) text = nullptr;
  }
  static void from_json(const json& text, std::optional<Value>& value) {
    value = text.is_null() ? std::nullopt : std::optional(text.get<Value>());
  }
};

}  // namespace nlohmann

namespace diagnose::attach {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Return, strategy, why, number)

}  // namespace diagnose::attach

namespace diagnose::compile {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Returns, frames, callers, trampoline, session, frames_max)

}  // namespace diagnose::compile

namespace diagnose::target {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tail, kind, condition, base, index, scale, displacement)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Site, kind, address, offset, instruction, length, bytes, cost, tail, cfa_register,
                                   cfa_offset, cfa_indirect, unless, result_register, return_address, unwind, semaphore)

}  // namespace diagnose::target

namespace diagnose::app {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedProcess, pid, start_ticks)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedGrip, file, every_process, processes, digest, returns, covered, links,
                                   learning, lease)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedCallers::Callee, number, file, low, entry, entry_offset, symbols, name)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedCallers::Held, file, pid, links, return_addresses)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedCallers::Shown, path, in, site)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedCallers, callees, held, learnt_sites, by_exits, shown, learnt)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedFolding, series, other)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HandedProbe, id, number, written, lifespan, lastmodified, returns, shape, maps,
                                   programs, sites, admitted, thread_end, unwinding, grips, callers, handed_over,
                                   foldings, hits, seconds, errors, slow_follower)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Handover, contract, records, processes, last_number, probes)

namespace {

Error unreadable(std::string why) {
  return {.what = "take over from the daemon before",
          .where = "the service manager's store",
          .why = std::move(why),
          .mend = "probes are attached anew, and count from zero"};
}

}  // namespace

std::string text_of(const Handover& handover) {
  return nlohmann::json(handover).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Handover> read_handover(const std::string& text) {
  if (text.empty()) return failure(unreadable("it could not leave everything: see FileDescriptorStoreMax"));
  try {
    const auto read = nlohmann::json::parse(text);
    // First: the rest may have another form.
    if (read.at("contract").get<std::string>() != contract_digest()) {
      return failure(unreadable("it was of another version, with other programs in the kernel"));
    }
    return read.get<Handover>();
  } catch (const nlohmann::json::exception& error) {
    return failure(unreadable(error.what()));
  }
}

}  // namespace diagnose::app
