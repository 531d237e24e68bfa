// The numbers of a conversation. A store gives no id twice, so an input cannot know what it will be given: in it, small
// numbers stand for what was given before, in the order in which it came.
#pragma once

#include <algorithm>
#include <cstdint>
#include <variant>
#include <vector>

#include "nam/reply.hpp"
#include "nam/request.hpp"

namespace psnam::fuzz {

class Numbers {
 public:
  void add(std::uint64_t number) {
    if (given_.size() < kMost) given_.push_back(number);
  }
  /// What an answer gives.
  void learn(const nam::reply::Any& answer) {
    if (const auto* number = std::get_if<nam::reply::Number>(&answer)) add(number->value);
    if (const auto* use = std::get_if<nam::AllocationUse>(&answer)) {
      add(use->allocation.id);
      add(use->use_id);
    }
    if (const auto* use = std::get_if<nam::WindowUse>(&answer)) {
      add(use->window.id);
      add(use->use_id);
      for (const auto& region : use->window.regions) {
        add(region.allocation_id);
        if (region.segment_id != 0) add(region.segment_id);
      }
    }
  }
  /// Puts into a request what its small numbers stand for, and keeps it from taking long or the whole machine.
  void resolve(nam::request::Any& request, std::uint32_t uid) const {
    std::visit([&](auto& value) { resolve_fields(value, uid); }, request);
  }

 private:
  static constexpr std::size_t kMost = 200;
  static constexpr std::uint64_t kLongestWaitUs = 200;
  static constexpr std::uint64_t kMostCapacity = std::uint64_t{8} << 20;

  void set(std::uint64_t& number) const {
    if (number >= 1 && number <= given_.size()) number = given_[number - 1];
  }
  void set(nam::request::Users& users) const {
    for (auto& user : users) set(user.start_time_ticks);
  }
  template <class Request>
  void resolve_fields(Request& value, std::uint32_t uid) const {
    if constexpr (requires { value.id; }) set(value.id);
    if constexpr (requires { value.use_id; }) set(value.use_id);
    if constexpr (requires { value.window_id; }) set(value.window_id);
    if constexpr (requires { value.allocation_id; }) set(value.allocation_id);
    if constexpr (requires { value.root_id; }) set(value.root_id);
    if constexpr (requires { value.object_id; }) set(value.object_id);
    if constexpr (requires { value.agent; }) set(value.agent);
    if constexpr (requires { value.users; }) set(value.users);
    if constexpr (requires { value.wait_us; }) value.wait_us = std::min(value.wait_us, kLongestWaitUs);
    if constexpr (std::is_same_v<Request, nam::request::SetCapacity>) value.bytes %= kMostCapacity;
    if constexpr (std::is_same_v<Request, nam::request::CreateWindow>) {
      for (auto& source : value.sources) set(source.id);
      if (value.draft.uid == 0) value.draft.uid = value.draft.gid = uid;
    }
  }

  std::vector<std::uint64_t> given_;
};

}  // namespace psnam::fuzz
