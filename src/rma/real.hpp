// The MPI library's own functions, found once (src/mpi: dlsym(RTLD_NEXT); tests: by linking) and called through
// pointers, so that the library carries no dependency on a particular MPI and never enters its own wrappers.
#pragma once

#include <mpi.h>

// One name for each function that is called inside.
// clang-format off
#define PSNAM_REAL_FUNCTIONS(X)                                                                                        \
  X(Allgather) X(Allreduce) X(Bcast) X(Barrier) X(Iprobe) X(Send) X(Abort)                                             \
  X(Comm_rank) X(Comm_size) X(Comm_dup) X(Comm_free) X(Comm_disconnect) X(Comm_group) X(Comm_test_inter)               \
  X(Comm_set_errhandler) X(Comm_call_errhandler) X(Comm_connect) X(Comm_remote_size)                                   \
  X(Info_create) X(Info_dup) X(Info_free) X(Info_get) X(Info_get_nkeys) X(Info_get_nthkey) X(Info_get_valuelen)        \
  X(Info_set)                                                                                                          \
  X(Type_size_x) X(Type_get_extent_x) X(Type_get_true_extent_x) X(Type_get_envelope) X(Type_get_contents) X(Type_free) \
  X(Type_dup) X(Type_commit) X(Type_get_envelope_c) X(Type_get_contents_c) X(Pack_size)                                \
  X(Win_create) X(Win_create_dynamic) X(Win_allocate) X(Win_attach) X(Win_detach) X(Win_free) X(Win_fence)             \
  X(Win_call_errhandler) X(Win_set_info) X(Win_get_info) X(Win_get_attr) X(Win_set_errhandler) X(Put) X(Put_c) X(Get)   \
  X(Get_c)                                                                                                             \
  X(Win_post) X(Win_start) X(Win_complete) X(Win_wait) X(Win_test) X(Win_lock) X(Win_unlock) X(Win_lock_all)            \
  X(Win_unlock_all) X(Win_flush) X(Win_flush_all) X(Win_flush_local) X(Win_flush_local_all) X(Win_sync)                 \
  X(Win_get_group) X(Group_size) X(Group_translate_ranks) X(Group_free) X(Accumulate) X(Accumulate_c)                   \
  X(Get_accumulate) X(Get_accumulate_c) X(Fetch_and_op) X(Compare_and_swap) X(Rput) X(Rget) X(Raccumulate)              \
  X(Rget_accumulate) X(Rget_c) X(Isend) X(Wait) X(Test) X(Type_create_hindexed_block)                                                                                          \
  X(Get_address) X(Get_processor_name)                                                                                 \
  X(Add_error_class) X(Add_error_code) X(Add_error_string) X(Error_class) X(Error_string)                              \
  X(Publish_name) X(Lookup_name) X(Unpublish_name) X(Initialized) X(Finalized) X(Query_thread)
// clang-format on

namespace psnam {

struct Real {
#define PSNAM_REAL_FIELD(name) decltype(&PMPI_##name) name = nullptr;
  PSNAM_REAL_FUNCTIONS(PSNAM_REAL_FIELD)
#undef PSNAM_REAL_FIELD
};

}  // namespace psnam
