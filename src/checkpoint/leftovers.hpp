// What killed jobs had in use, before somebody looks whether anything is.
#pragma once

#include "nam/service.hpp"

namespace psnam::checkpoint {

/// It is in use no more, as far as this process may see to it. A manager does that by itself when a session ends, and
/// lets only those who administer it ask for it.
inline Status release_leftovers(nam::Service& nam) {
  auto collected = nam.collect();
  if (!collected && collected.error().code != Code::access) return collected.take_error();
  return {};
}

}  // namespace psnam::checkpoint
