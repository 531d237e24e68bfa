/* psnam_checkpoint.hpp: checkpoints in C++. The functions of psnam_checkpoint.h with exceptions, and structures that
 * are saved as cereal's archives, where cereal is included before this file:
 *
 *   #include <cereal/archives/binary.hpp>
 *   #include <cereal/types/vector.hpp>
 *   #include <psnam_checkpoint.hpp>
 *
 *   psnam::Checkpoint checkpoint{"my-simulation", MPI_COMM_WORLD};
 *   checkpoint.add_shared(1, step);
 *   checkpoint.add_object(2, particles);            // std::vector<Particle>; Particle has a member serialize()
 *   checkpoint.restart();                           // goes on where an earlier job was
 *   ... checkpoint.save(); ...
 *
 * C++17. What is collective in psnam_checkpoint.h is so here.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PSNAM_CHECKPOINT_HPP
#define PSNAM_CHECKPOINT_HPP

#include <psnam_checkpoint.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace psnam {

/* What nam_strerror() says, and errno. The same on all ranks where the function is collective. */
class CheckpointError : public std::runtime_error {
 public:
  CheckpointError(const std::string& message, int error_number)
      : std::runtime_error{message}, error_number_{error_number} {}
  int error_number() const noexcept { return error_number_; }

 private:
  int error_number_;
};

/* What a restart has given. */
struct Restart {
  std::uint64_t version = 0; /* 0: there was none */
  int source = PSNAM_CHECKPOINT_NOTHING;
  explicit operator bool() const noexcept { return version != 0; }
};

class Checkpoint {
 public:
  Checkpoint(const psnam_checkpoint_options_t& options, MPI_Comm comm)
      : handle_{psnam_checkpoint_open(&options, comm)}, exceptions_{std::uncaught_exceptions()} {
    if (handle_ == nullptr) fail();
  }
  Checkpoint(const std::string& name, MPI_Comm comm) : Checkpoint{named(name), comm} {}
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;
  /* Closes, which is collective; what was saved stays. Where an exception is on its way the other ranks may be
   * elsewhere: nothing is waited for then, and the handle stays open until the process ends. */
  ~Checkpoint() {
    if (handle_ == nullptr || std::uncaught_exceptions() > exceptions_) return;
    if (psnam_checkpoint_test(handle_) == 0 || under_way_) psnam_checkpoint_wait(handle_, nullptr);
    psnam_checkpoint_close(handle_);
  }

  /* ---- What is saved; see psnam_checkpoint_register and its relatives ---- */

  void add(std::uint64_t id, void* address, std::size_t bytes) {
    check(psnam_checkpoint_register(handle_, id, address, bytes));
  }
  /* What this rank has of a window; see psnam_checkpoint_register_window. */
  void add_window(std::uint64_t id, MPI_Win win) { check(psnam_checkpoint_register_window(handle_, id, win)); }
  template <class Value>
  void add(std::uint64_t id, Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>, "objects that are more than their bytes: add_object()");
    add(id, &value, sizeof(Value));
  }
  template <class Value>
  void add_shared(std::uint64_t id, Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>, "objects that are more than their bytes: add_object()");
    check(psnam_checkpoint_register_shared(handle_, id, &value, sizeof(Value)));
  }
  /* A block of an array, as MPI_Type_create_subarray describes it. */
  template <class Element>
  void add_part(std::uint64_t id, Element* address, const std::vector<std::uint64_t>& sizes,
                const std::vector<std::uint64_t>& subsizes, const std::vector<std::uint64_t>& starts) {
    static_assert(std::is_trivially_copyable_v<Element>, "elements are saved as their bytes");
    if (subsizes.size() != sizes.size() || starts.size() != sizes.size())
      throw CheckpointError{"add_part: sizes, subsizes and starts are not of as many dimensions", EINVAL};
    check(psnam_checkpoint_register_part(handle_, id, address, sizeof(Element), static_cast<int>(sizes.size()),
                                         sizes.data(), subsizes.data(), starts.data()));
  }
  /* An object by what writes it and what reads it again. They may throw: the function that called them fails. */
  void add_object(std::uint64_t id, std::function<void(std::ostream&)> write, std::function<void(std::istream&)> read,
                  bool shared = false) {
    auto object = std::make_unique<Streamed>(Streamed{std::move(write), std::move(read), {}, {}});
    const psnam_checkpoint_object_t functions{object.get(), &Streamed::pack, &Streamed::unpack};
    check(psnam_checkpoint_register_object(handle_, id, &functions, shared ? 1 : 0));
    objects_[id] = std::move(object);
  }
#ifdef CEREAL_ARCHIVES_BINARY_HPP_
  /* Anything that cereal can write. `object` stays where it is. */
  template <class Object>
  void add_object(std::uint64_t id, Object& object, bool shared = false) {
    add_object(
        id, [&object](std::ostream& to) { cereal::BinaryOutputArchive{to}(object); },
        [&object](std::istream& from) { cereal::BinaryInputArchive{from}(object); }, shared);
  }
#endif
  void remove(std::uint64_t id) {
    check(psnam_checkpoint_unregister(handle_, id));
    objects_.erase(id);
  }

  /* ---- Collective ---- */

  void save(std::uint64_t version = 0) { check(psnam_checkpoint_save(handle_, version)); }
  void start(std::uint64_t version = 0) {
    check(psnam_checkpoint_start(handle_, version));
    under_way_ = true;
  }
  std::uint64_t wait() {
    std::uint64_t version = 0;
    under_way_ = false;
    check(psnam_checkpoint_wait(handle_, &version));
    return version;
  }
  /* `version` 0: the newest. */
  Restart restart(std::uint64_t version = 0) {
    Restart restart;
    restart.version = version;
    check(psnam_checkpoint_restart(handle_, &restart.version, &restart.source));
    return restart;
  }
  /* Until the last version is in files too. */
  void flush() { check(psnam_checkpoint_flush(handle_)); }
  psnam_checkpoint_info_t query() {
    psnam_checkpoint_info_t info{};
    info.bytes = static_cast<std::uint32_t>(sizeof info);
    check(psnam_checkpoint_query(handle_, &info));
    return info;
  }
  /* The complete versions, newest first. */
  std::vector<std::uint64_t> versions() {
    std::vector<std::uint64_t> all(PSNAM_CHECKPOINT_MAX_VERSIONS);
    const int count = psnam_checkpoint_versions(handle_, all.data(), static_cast<int>(all.size()));
    check(count < 0 ? -1 : 0);
    all.resize(static_cast<std::size_t>(count));
    return all;
  }
  /* Ends it, and removes all versions. */
  void remove_series() {
    check(psnam_checkpoint_remove(handle_));
    handle_ = nullptr;
  }
  /* Not collective: whether wait() would not wait. */
  bool test() { return psnam_checkpoint_test(handle_) != 0; }
  psnam_checkpoint_t* handle() const noexcept { return handle_; }

 private:
  /* Bytes that are there, as something to read from. */
  struct Memory : std::streambuf {
    Memory(const void* data, std::size_t bytes) {
      char* const begin = const_cast<char*>(static_cast<const char*>(data));
      setg(begin, begin, begin + bytes);
    }
  };
  struct Streamed {
    std::function<void(std::ostream&)> write;
    std::function<void(std::istream&)> read;
    std::string bytes;
    std::string failure; /* what the last exception said */

    static int pack(void* object, const void** data, std::size_t* bytes) {
      auto& self = *static_cast<Streamed*>(object);
      return self.guarded([&] {
        std::ostringstream stream{std::ios::out | std::ios::binary};
        self.write(stream);
        if (!stream) throw std::runtime_error{"the stream failed"};
        self.bytes = stream.str();
        *data = self.bytes.data();
        *bytes = self.bytes.size();
      });
    }
    static int unpack(void* object, const void* data, std::size_t bytes) {
      auto& self = *static_cast<Streamed*>(object);
      return self.guarded([&] {
        Memory memory{data, bytes};
        std::istream stream{&memory};
        self.read(stream);
        if (stream.bad()) throw std::runtime_error{"the stream failed"};
      });
    }
    template <class Body>
    int guarded(Body body) {
      try {
        body();
        return 0;
      } catch (const std::exception& exception) {
        failure = exception.what();
      } catch (...) {
        failure = "an exception that is none of the standard library's";
      }
      return 1;
    }
  };

  static psnam_checkpoint_options_t named(const std::string& name) {
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    options.name = name.c_str();
    return options;
  }
  void check(int result) {
    if (result != 0) fail();
  }
  [[noreturn]] void fail() {
    const int error_number = errno;
    std::string message = nam_strerror();
    for (auto& entry : objects_) {
      if (!entry.second->failure.empty()) message += " (" + entry.second->failure + ")";
      entry.second->failure.clear();
    }
    throw CheckpointError{message, error_number};
  }

  psnam_checkpoint_t* handle_;
  int exceptions_;
  bool under_way_ = false;
  std::map<std::uint64_t, std::unique_ptr<Streamed>> objects_;
};

}  // namespace psnam

#endif
