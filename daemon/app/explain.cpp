#include "app/explain.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <string_view>
#include <utility>

#include "app/describe.h"
#include "app/shapes.h"
#include "base/limits.h"
#include "target/names.h"

namespace diagnose::app {
namespace {

using nlohmann::json;
using target::Piece;

std::string register_text(std::uint8_t number, std::uint32_t bytes) {
  constexpr std::array<std::string_view, 8> words{"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
  if (number == target::register_ip) return "%rip";
  if (number >= 16) return "a register";
  if (number >= 8) return fmt::format("%r{}{}", number, bytes == 4 ? "d" : bytes == 2 ? "w" : bytes == 1 ? "b" : "");
  const std::string_view word = words[number];
  if (bytes == 1) return number < 4 ? fmt::format("%{}l", word.substr(0, 1)) : fmt::format("%{}l", word);
  return fmt::format("%{}{}", bytes == 2 ? "" : bytes == 4 ? "e" : "r", word);
}

std::string signed_hex(std::int64_t number) {
  const auto magnitude = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  return fmt::format("{}{:#x}", number < 0 ? "-" : "", magnitude);
}

std::string memory_text(const Piece& piece) {
  if (piece.base == target::register_none && piece.index == target::register_none) return signed_hex(piece.offset);
  std::string text = piece.offset == 0 ? "" : signed_hex(piece.offset);
  text += "(" + (piece.base == target::register_none ? std::string() : register_text(piece.base, 8));
  if (piece.index != target::register_none) text += fmt::format(",{},{}", register_text(piece.index, 8), piece.scale);
  return text + ")";
}

std::string piece_text(const Piece& piece) {
  switch (piece.where) {
    case Piece::Where::gone:
      return "optimised away";
    case Piece::Where::reg:
      return register_text(piece.base, piece.bytes);
    case Piece::Where::memory:
      return memory_text(piece);
    case Piece::Where::address:
      return "the address " + memory_text(piece);
    case Piece::Where::constant:
      return fmt::format("the constant {}", piece.offset);
    case Piece::Where::vector:
      return "an xmm register";
  }
  return "";
}

std::string type_text(target::TypeId type, const std::vector<target::DebugType>& types) {
  return type != target::no_type && type < types.size() ? types[type].name : "";
}

json or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json value_shape(target::TypeId type, const std::vector<target::DebugType>& types, const std::vector<Piece>& pieces,
                 const std::string& why) {
  return {{"type", or_null(type_text(type, types))}, {"place", or_null(place_text(pieces))}, {"why", or_null(why)}};
}

json function_shape(const target::Function& function, const Grip& grip, std::size_t at,
                    const target::DebugInfo& described) {
  const bool chosen = at < grip.returns.size();
  json shape = {{"name", function.name},
                {"module", grip.module.path},
                {"strategy", attach::text(chosen ? grip.returns[at].strategy : attach::Strategy::none)},
                {"why", or_null(chosen ? grip.returns[at].why : "")},
                {"signature", nullptr},
                {"file", nullptr},
                {"line", nullptr},
                {"arguments", json::array()},
                {"result", nullptr},
                {"inlined", 0}};
  if (at >= described.places.size() || described.places[at].function.empty()) return shape;
  const target::Described& place = described.places[at];
  shape["signature"] = signature(place, described.types);
  shape["inlined"] = place.inlined;
  if (!place.file.empty()) {
    shape["file"] = place.file;
    shape["line"] = place.line;
  }
  for (const target::Variable& variable : place.variables) {
    if (!variable.is_parameter) continue;
    json argument = value_shape(variable.type, described.types, variable.pieces, variable.why);
    argument["name"] = variable.name;
    shape["arguments"].push_back(std::move(argument));
  }
  shape["result"] = value_shape(place.result, described.types, place.result_pieces, place.result_why);
  return shape;
}

// Adds the functions of a module, and where its debug information is.
void add_module(json& shape, const Grip& grip, const Probe& probe, const Parts& parts) {
  target::Module module = grip.module;
  if (module.functions.size() > limits::functions_explained) module.functions.resize(limits::functions_explained);
  const auto described = describe(parts.reader, module, probe.names());
  const target::DebugInfo& debug = described ? *described : target::DebugInfo{};
  shape["debug"].push_back(
      {{"module", module.path},
       {"source", debug.present ? json(debug.source.empty() ? module.path : debug.source) : json(nullptr)},
       {"missing", or_null(described ? debug.missing : described.error().text())}});
  for (std::size_t at = 0; at < module.functions.size(); ++at) {
    if (shape["functions"].size() >= limits::functions_explained) return;
    shape["functions"].push_back(function_shape(module.functions[at], grip, at, debug));
  }
}

// As a person writes it: "client *c", "int flags".
std::string declared(const std::string& type, const std::string& name) {
  if (name.empty()) return type;
  const std::size_t marks = type.find_last_not_of("*&") + 1;  // behind the type's own name
  if (marks == type.size()) return type + " " + name;
  const bool is_apart = marks > 0 && type[marks - 1] == ' ';
  return type.substr(0, marks) + (is_apart ? "" : " ") + type.substr(marks) + name;
}

}  // namespace

std::string place_text(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces) text += (text.empty() ? "" : " and ") + piece_text(piece);
  return text;
}

std::string signature(const target::Described& place, const std::vector<target::DebugType>& types) {
  std::string text;
  for (const target::Variable& variable : place.variables) {
    if (!variable.is_parameter || variable.is_artificial) continue;
    if (!text.empty()) text += ", ";
    text += declared(type_text(variable.type, types), variable.name);
  }
  return std::string(target::take_apart(place.function).name) + "(" + text + ")";
}

json explain_shape(const Probe& probe, const Parts& parts, bool listings) {
  json shape = attach_shape(probe, parts.prices);
  shape["functions"] = json::array();
  shape["debug"] = json::array();
  shape["programs"] = json::array();
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const Grip& grip : probe.grips()) {
    if (seen.insert({grip.module.device, grip.module.inode}).second) add_module(shape, grip, probe, parts);
  }
  for (const auto role :
       {compile::ProgramRole::entry, compile::ProgramRole::exit, compile::ProgramRole::caller,
        compile::ProgramRole::session, compile::ProgramRole::unwind, compile::ProgramRole::thread_end}) {
    const compile::Linked* program = probe.plan().program(role);
    if (program == nullptr || program->instructions.empty()) continue;
    json one = {{"role", compile::name_of(role)}, {"instructions", program->instructions.size()}};
    if (listings) one["listing"] = compile::listing(program->instructions);
    shape["programs"].push_back(std::move(one));
  }
  return shape;
}

}  // namespace diagnose::app
