// What crosses between the daemon and its sandboxed reader: the fields of every request and answer (answer.h,
// debug_info.h).  A new field is named here too; forgotten, it does not compile.
#pragma once

#include <string>

#include "base/result.h"
#include "target/answer.h"
#include "target/debug_info.h"
#include "target/wire.h"

namespace diagnose {

template <typename Archive, target::wire::As<Error> E>
auto fields(Archive&& a, E& e) {
  return a(e.what, e.where, e.why, e.mend);
}

}  // namespace diagnose

namespace diagnose::target {

// One for each function of FileReader.
enum class Verb : std::uint8_t { read, callers, return_sites, traits, describe, list, symbolize, identify };

struct TraitsRequest {
  int fd = -1;
  std::string name;
};

struct IdentityRequest {
  int fd = -1;
  std::string name;
};

// ---- enumerations: a new value is named here too, or -Wswitch says so ----

constexpr bool known(Verb verb) {
  switch (verb) {
    case Verb::read:
    case Verb::callers:
    case Verb::return_sites:
    case Verb::traits:
    case Verb::describe:
    case Verb::list:
    case Verb::symbolize:
    case Verb::identify:
      return true;
  }
  return false;
}

constexpr bool known(Cost cost) {
  switch (cost) {
    case Cost::optimised:
    case Cost::emulated:
    case Cost::stepped:
      return true;
  }
  return false;
}

constexpr bool known(SiteKind kind) {
  switch (kind) {
    case SiteKind::entry:
    case SiteKind::exit:
    case SiteKind::tail:
    case SiteKind::caller:
    case SiteKind::catch_:
    case SiteKind::inlined:
    case SiteKind::line:
    case SiteKind::usdt:
    case SiteKind::address:
      return true;
  }
  return false;
}

constexpr bool known(Tail::Kind kind) {
  switch (kind) {
    case Tail::Kind::always:
    case Tail::Kind::conditional:
    case Tail::Kind::by_register:
    case Tail::Kind::by_memory:
      return true;
  }
  return false;
}

constexpr bool known(UnwindKind kind) {
  switch (kind) {
    case UnwindKind::set_ip:
    case UnwindKind::begin_catch:
    case UnwindKind::longjmp:
    case UnwindKind::thread_exit:
      return true;
  }
  return false;
}

constexpr bool known(PlaceBy by) {
  switch (by) {
    case PlaceBy::function:
    case PlaceBy::address:
    case PlaceBy::line:
    case PlaceBy::usdt:
      return true;
  }
  return false;
}

constexpr bool known(DebugType::Kind kind) {
  using Kind = DebugType::Kind;
  switch (kind) {
    case Kind::nothing:
    case Kind::integer:
    case Kind::boolean:
    case Kind::floating:
    case Kind::pointer:
    case Kind::reference:
    case Kind::array:
    case Kind::record:
    case Kind::enumeration:
    case Kind::text:
    case Kind::sequence:
    case Kind::smart:
    case Kind::optional:
      return true;
  }
  return false;
}

constexpr bool known(Piece::Where where) {
  switch (where) {
    case Piece::Where::gone:
    case Piece::Where::reg:
    case Piece::Where::memory:
    case Piece::Where::address:
    case Piece::Where::constant:
    case Piece::Where::vector:
      return true;
  }
  return false;
}

// ---- answer.h ----

template <typename Archive, wire::As<Tail> S>
auto fields(Archive&& a, S& s) {
  return a(s.kind, s.condition, s.base, s.index, s.scale, s.displacement);
}

template <typename Archive, wire::As<Site> S>
auto fields(Archive&& a, S& s) {
  return a(s.kind, s.address, s.offset, s.instruction, s.length, s.bytes, s.cost, s.tail, s.cfa_register, s.cfa_offset,
           s.cfa_indirect, s.unless, s.result_register, s.return_address, s.unwind, s.semaphore);
}

template <typename Archive, wire::As<Range> S>
auto fields(Archive&& a, S& s) {
  return a(s.low, s.high);
}

template <typename Archive, wire::As<Function> S>
auto fields(Archive&& a, S& s) {
  return a(s.symbol, s.name, s.names, s.body, s.cold, s.sites, s.exits_error, s.leaf, s.reads_return_address, s.go);
}

template <typename Archive, wire::As<Surroundings> S>
auto fields(Archive&& a, S& s) {
  return a(s.root, s.fetch);
}

template <typename Archive, wire::As<SplitFiles> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fds), s.names);
}

template <typename Archive, wire::As<IdentityRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name);
}

template <typename Archive, wire::As<Identity::Unit> S>
auto fields(Archive&& a, S& s) {
  return a(s.directory, s.file, s.code);
}

template <typename Archive, wire::As<Identity> S>
auto fields(Archive&& a, S& s) {
  return a(s.build_id, s.debuglink, s.dwarf, s.symbols, s.split);
}

template <typename Archive, wire::As<FileRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name, s.by, s.function, s.address, s.line, s.inlined, s.around,
           wire::descriptors(s.debug_fds), s.split, s.build_id, s.exits, s.entry_registers, s.entry_unmoved,
           s.entry_memory, s.exit_memory, s.nop5_in_body, s.functions_max);
}

template <typename Archive, wire::As<FileAnswer> S>
auto fields(Archive&& a, S& s) {
  return a(s.build_id, s.stripped, s.functions, s.nearest, s.refused, s.absent);
}

template <typename Archive, wire::As<CallersRequest::Callee> S>
auto fields(Archive&& a, S& s) {
  return a(s.function, s.address, s.symbols);
}

template <typename Archive, wire::As<CallersRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name, s.callees, s.needs_result, s.needs_memory, s.callers_max);
}

template <typename Archive, wire::As<Caller> S>
auto fields(Archive&& a, S& s) {
  return a(s.function, s.site, s.in);
}

template <typename Archive, wire::As<CallersAnswer::Without> S>
auto fields(Archive&& a, S& s) {
  return a(s.function, s.return_address, s.why);
}

template <typename Archive, wire::As<CallersAnswer> S>
auto fields(Archive&& a, S& s) {
  return a(s.build_id, s.callers, s.without, s.too_many);
}

template <typename Archive, wire::As<ReturnSitesRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name, s.return_offsets, s.needs_result, s.needs_memory);
}

template <typename Archive, wire::As<ReturnSite> S>
auto fields(Archive&& a, S& s) {
  return a(s.return_address, s.site, s.in, s.why);
}

template <typename Archive, wire::As<TraitsRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name);
}

template <typename Archive, wire::As<Traits> S>
auto fields(Archive&& a, S& s) {
  return a(s.build_id, s.go, s.unwinds, s.switches_stacks, s.takes_other_stacks, s.jumps, s.catches);
}

template <typename Archive, wire::As<ListRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name, s.pattern, s.sources, s.around, wire::descriptors(s.debug_fds), s.split,
           s.functions_max);
}

template <typename Archive, wire::As<Listed> S>
auto fields(Archive&& a, S& s) {
  return a(s.symbol, s.name, s.address, s.size, s.file, s.line, s.inlined);
}

template <typename Archive, wire::As<ListAnswer> S>
auto fields(Archive&& a, S& s) {
  return a(s.build_id, s.functions, s.cut);
}

template <typename Archive, wire::As<SymbolizeRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name, s.offsets, s.around, wire::descriptors(s.debug_fds));
}

template <typename Archive, wire::As<Symbolized> S>
auto fields(Archive&& a, S& s) {
  return a(s.function, s.into, s.size);
}

// ---- debug_info.h ----

template <typename Archive, wire::As<DebugType::Layout> S>
auto fields(Archive&& a, S& s) {
  return a(s.data_offset, s.size_offset, s.size_is_end, s.has_short, s.short_if_clear, s.short_mask, s.short_shift,
           s.short_at, s.short_data_offset, s.flag_bytes, s.none);
}

template <typename Archive, wire::As<DebugType::Member> S>
auto fields(Archive&& a, S& s) {
  return a(s.name, s.type, s.offset, s.bits, s.bit_offset, s.is_base, s.is_virtual);
}

template <typename Archive, wire::As<DebugType::Enumerator> S>
auto fields(Archive&& a, S& s) {
  return a(s.name, s.value);
}

template <typename Archive, wire::As<DebugType> S>
auto fields(Archive&& a, S& s) {
  return a(s.kind, s.name, s.bytes, s.is_signed, s.is_character, s.is_interface, s.target, s.count, s.layout, s.members,
           s.enumerators, s.expanded);
}

template <typename Archive, wire::As<Piece> S>
auto fields(Archive&& a, S& s) {
  return a(s.where, s.base, s.index, s.scale, s.offset, s.bytes);
}

template <typename Archive, wire::As<Variable> S>
auto fields(Archive&& a, S& s) {
  return a(s.name, s.type, s.is_parameter, s.is_artificial, s.pieces, s.why);
}

template <typename Archive, wire::As<Described> S>
auto fields(Archive&& a, S& s) {
  return a(s.at, s.function, s.low, s.file, s.line, s.at_entry, s.variables, s.result, s.result_pieces, s.result_why,
           s.inlined);
}

template <typename Archive, wire::As<Global> S>
auto fields(Archive&& a, S& s) {
  return a(s.name, s.type, s.address, s.why, s.symbol);
}

template <typename Archive, wire::As<SharedObject> S>
auto fields(Archive&& a, S& s) {
  return a(s.symbol, s.address);
}

template <typename Archive, wire::As<NamedType> S>
auto fields(Archive&& a, S& s) {
  return a(s.name, s.type);
}

template <typename Archive, wire::As<NamedConstant> S>
auto fields(Archive&& a, S& s) {
  return a(s.name, s.type, s.value);
}

template <typename Archive, wire::As<DebugInfo> S>
auto fields(Archive&& a, S& s) {
  return a(s.present, s.build_id, s.debuglink, s.code, s.code_offset, s.source, s.missing, s.types, s.places, s.globals,
           s.objects, s.named_types, s.constants);
}

template <typename Archive, wire::As<DescribeRequest::Place> S>
auto fields(Archive&& a, S& s) {
  return a(s.at, s.entry, s.marker);
}

template <typename Archive, wire::As<DescribeRequest> S>
auto fields(Archive&& a, S& s) {
  return a(wire::descriptors(s.fd), s.name, wire::descriptors(s.debug_fds), s.debug_names, s.around, s.split, s.places,
           s.members, s.globals, s.objects, s.types, s.constants);
}

}  // namespace diagnose::target
