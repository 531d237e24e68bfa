#include "mpi/errors.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace psnam::mpi {
namespace {

struct Row {
  Code code;
  int mpi_class;
};

constexpr std::array kClasses{
    Row{Code::invalid_argument, MPI_ERR_ARG},
    Row{Code::info_key, MPI_ERR_INFO_KEY},
    Row{Code::info_value, MPI_ERR_INFO_VALUE},
    Row{Code::size, MPI_ERR_SIZE},
    Row{Code::displacement, MPI_ERR_DISP},
    Row{Code::count, MPI_ERR_COUNT},
    Row{Code::rank, MPI_ERR_RANK},
    Row{Code::buffer, MPI_ERR_BUFFER},
    Row{Code::datatype, MPI_ERR_TYPE},
    Row{Code::operation, MPI_ERR_OP},
    Row{Code::range, MPI_ERR_RMA_RANGE},
    Row{Code::sync, MPI_ERR_RMA_SYNC},
    Row{Code::lock_type, MPI_ERR_LOCKTYPE},
    Row{Code::assertion, MPI_ERR_ASSERT},
    Row{Code::request, MPI_ERR_REQUEST},
    Row{Code::access, MPI_ERR_ACCESS},
    Row{Code::no_memory, MPI_ERR_NO_MEM},
    Row{Code::quota, MPI_ERR_NO_MEM},
    Row{Code::name_not_found, MPI_ERR_PORT},
    Row{Code::name_exists, MPI_ERR_NAME},
    Row{Code::service_not_found, MPI_ERR_NAME},
    Row{Code::service_exists, MPI_ERR_SERVICE},
    Row{Code::busy, MPI_ERR_OTHER},
    Row{Code::unreachable, MPI_ERR_OTHER},
    Row{Code::peer_lost, MPI_ERR_OTHER},
    Row{Code::incompatible, MPI_ERR_OTHER},
    Row{Code::corrupt, MPI_ERR_OTHER},
    Row{Code::unsupported, MPI_ERR_UNSUPPORTED_OPERATION},
    Row{Code::system, MPI_ERR_OTHER},
    Row{Code::mpi, MPI_ERR_OTHER},
};

}  // namespace

int class_of(Code code) noexcept {
  const auto* const row =
      std::find_if(kClasses.begin(), kClasses.end(), [code](const Row& r) { return r.code == code; });
  return row == kClasses.end() ? MPI_ERR_INTERN : row->mpi_class;
}

int ErrorCodes::code_for(const Error& error) {
  if (error.code == Code::mpi && error.detail != MPI_SUCCESS) return error.detail;
  const int mpi_class = class_of(error.code);
  const std::string text = "psnam: " + error.message.substr(0, MPI_MAX_ERROR_STRING - 8);
  const std::lock_guard lock{mutex_};
  for (std::size_t i = 0; i < used_; ++i)
    if (slots_[i].mpi_class == mpi_class && slots_[i].text == text) return slots_[i].code;
  if (user_class_ == 0 && real_.Add_error_class(&user_class_) != MPI_SUCCESS) return mpi_class;
  Slot& slot = slots_[next_];
  if (slot.code == 0 && real_.Add_error_code(user_class_, &slot.code) != MPI_SUCCESS) return mpi_class;
  real_.Add_error_string(slot.code, text.c_str());
  slot.mpi_class = mpi_class;
  slot.text = text;
  used_ = std::max(used_, next_ + 1);
  next_ = (next_ + 1) % kCodes;
  return slot.code;
}

int ErrorCodes::find_class(int code) noexcept {
  const std::lock_guard lock{mutex_};
  for (std::size_t i = 0; i < used_; ++i)
    if (slots_[i].code == code) return slots_[i].mpi_class;
  return 0;
}

}  // namespace psnam::mpi
