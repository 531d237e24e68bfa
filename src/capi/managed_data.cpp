// psnam_checkpoint.h: what a process registers. Not collective.
#include <fmt/format.h>

#include "capi/failure.hpp"
#include "capi/managed.hpp"
#include "capi/process.hpp"

namespace psnam::capi {
namespace {

std::span<std::byte> memory(void* address, std::size_t bytes) { return {static_cast<std::byte*>(address), bytes}; }

struct Block {
  std::size_t element_bytes;
  int dimensions;
  const std::uint64_t *sizes, *subsizes, *starts;
};

Result<checkpoint::Part> part_of(const Block& block) {
  checkpoint::Part part{.share = checkpoint::Share::part, .element_bytes = block.element_bytes, .extents = {}};
  if (block.dimensions > 0 && (block.sizes == nullptr || block.subsizes == nullptr || block.starts == nullptr))
    return Error{Code::invalid_argument, "psnam_checkpoint_register_part: sizes, subsizes or starts are NULL"};
  if (block.dimensions > static_cast<int>(format::kCheckpointMaxDimensions))
    return Error{Code::invalid_argument, fmt::format("psnam_checkpoint_register_part: {} dimensions, {} are possible",
                                                     block.dimensions, format::kCheckpointMaxDimensions)};
  for (int one = 0; one < block.dimensions; ++one)
    part.extents.push_back({block.sizes[one], block.subsizes[one], block.starts[one]});
  PSNAM_CHECK(check(part));
  return part;
}

/// The C functions, with what they return as an error.
checkpoint::Object object_of(std::uint64_t id, const psnam_checkpoint_object_t& given) {
  const auto failed = [id](const char* what, int result) {
    return Error{Code::system, fmt::format("object {}: its function \"{}\" returned {}", id, what, result), EIO};
  };
  return {.pack = [given, failed]() -> Result<std::span<const std::byte>> {
            const void* data = nullptr;
            std::size_t bytes = 0;
            const int result = given.pack(given.object, &data, &bytes);
            if (result != 0 || (data == nullptr && bytes != 0)) return failed("pack", result);
            return std::span{static_cast<const std::byte*>(data), bytes};
          },
          .unpack = [given, failed](std::span<const std::byte> bytes) -> Status {
            const int result = given.unpack(given.object, bytes.data(), bytes.size());
            return result == 0 ? Status{} : failed("unpack", result);
          }};
}

}  // namespace
}  // namespace psnam::capi

using psnam::Code;
using psnam::Error;
using psnam::Status;
using psnam::capi::boundary;
using psnam::capi::find;
using psnam::checkpoint::Share;

extern "C" {

int psnam_checkpoint_register(psnam_checkpoint_t* checkpoint, uint64_t id, void* address, size_t bytes) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_register", checkpoint));
    return one->managed->add(id, psnam::capi::memory(address, bytes));
  });
}

int psnam_checkpoint_register_part(psnam_checkpoint_t* checkpoint, uint64_t id, void* address, size_t element_bytes,
                                   int dimensions, const uint64_t* sizes, const uint64_t* subsizes,
                                   const uint64_t* starts) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_register_part", checkpoint));
    PSNAM_TRY(auto part, psnam::capi::part_of({element_bytes, dimensions, sizes, subsizes, starts}));
    const std::uint64_t bytes = part.bytes();
    return one->managed->add(id, psnam::capi::memory(address, bytes), std::move(part));
  });
}

int psnam_checkpoint_register_shared(psnam_checkpoint_t* checkpoint, uint64_t id, void* address, size_t bytes) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_register_shared", checkpoint));
    psnam::checkpoint::Part part;
    part.share = Share::shared;
    return one->managed->add(id, psnam::capi::memory(address, bytes), std::move(part));
  });
}

int psnam_checkpoint_register_object(psnam_checkpoint_t* checkpoint, uint64_t id,
                                     const psnam_checkpoint_object_t* object, int shared) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_register_object", checkpoint));
    if (object == nullptr || object->pack == nullptr || object->unpack == nullptr)
      return Error{Code::invalid_argument,
                   fmt::format("psnam_checkpoint_register_object: object {} or one of its functions is NULL", id)};
    return one->managed->add_object(id, psnam::capi::object_of(id, *object), shared != 0 ? Share::shared : Share::own);
  });
}

int psnam_checkpoint_unregister(psnam_checkpoint_t* checkpoint, uint64_t id) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_unregister", checkpoint));
    return one->managed->remove(id);
  });
}

}  // extern "C"
