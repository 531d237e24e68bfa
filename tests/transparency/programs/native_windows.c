/* All kinds of the MPI library's own windows and all calls on them, with a transcript on standard output that must not
 * depend on whether the library is loaded. Every line starts with the rank, so that the transcript can be sorted. */
#include <mpi.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { kInts = 1024 };

static int g_rank, g_size, g_handler_calls;

__attribute__((format(printf, 1, 2))) static void say(const char* format, ...) {
  va_list arguments;
  static int line = 0;
  char text[MPI_MAX_INFO_KEY + MPI_MAX_INFO_VAL + 64];
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  printf("%d %03d %s\n", g_rank, line++, text);
  fflush(stdout);
}

static void count_call(MPI_Win* win, int* code, ...) {
  int error_class = 0;
  (void)win;
  ++g_handler_calls;
  MPI_Error_class(*code, &error_class);
  say("window handler: class %d", error_class);
}

static void count_comm_call(MPI_Comm* comm, int* code, ...) {
  int error_class = 0;
  (void)comm;
  ++g_handler_calls;
  MPI_Error_class(*code, &error_class);
  say("communicator handler: class %d", error_class);
}

static void say_code(const char* what, int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0, error_class = 0;
  MPI_Error_class(code, &error_class);
  MPI_Error_string(error_class, text, &length);
  say("%s: class %d %s", what, error_class, text);
}

static void say_info(MPI_Win win) {
  MPI_Info info = MPI_INFO_NULL;
  int keys = 0;
  MPI_Win_get_info(win, &info);
  MPI_Info_get_nkeys(info, &keys);
  for (int i = 0; i < keys; ++i) {
    char key[MPI_MAX_INFO_KEY + 1] = "", value[MPI_MAX_INFO_VAL + 1] = "";
    int found = 0;
    MPI_Info_get_nthkey(info, i, key);
    MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &found);
    say("info %s = %s", key, value);
  }
  MPI_Info_free(&info);
}

static void say_attributes(MPI_Win win, const void* base) {
  void* found_base = NULL;
  MPI_Aint* bytes = NULL;
  int *unit = NULL, *flavor = NULL, *model = NULL, flags[5] = {0}, name_length = 0;
  char name[MPI_MAX_OBJECT_NAME] = "";
  MPI_Win_get_attr(win, MPI_WIN_BASE, (void*)&found_base, &flags[0]);
  MPI_Win_get_attr(win, MPI_WIN_SIZE, (void*)&bytes, &flags[1]);
  MPI_Win_get_attr(win, MPI_WIN_DISP_UNIT, (void*)&unit, &flags[2]);
  MPI_Win_get_attr(win, MPI_WIN_CREATE_FLAVOR, (void*)&flavor, &flags[3]);
  MPI_Win_get_attr(win, MPI_WIN_MODEL, (void*)&model, &flags[4]);
  say("attributes %d%d%d%d%d: base %s, size %ld, unit %d, flavor %d, model %d", flags[0], flags[1], flags[2], flags[3],
      flags[4], found_base == base ? "same" : "other", (long)*bytes, *unit, *flavor, *model);
  MPI_Win_get_name(win, name, &name_length);
  say("name \"%s\"", name);
}

static void move_by_fence(MPI_Win win, MPI_Aint where, int target) {
  int value = 1000 + g_rank, got = -1, old = -1, swapped = -1, compare = 1000 + (target + g_size - 1) % g_size,
      result = -1;
  MPI_Win_fence(MPI_MODE_NOPRECEDE, win);
  MPI_Put(&value, 1, MPI_INT, target, where, 1, MPI_INT, win);
  MPI_Put(&value, 0, MPI_INT, MPI_PROC_NULL, 0, 0, MPI_INT, win);
  MPI_Win_fence(0, win);
  MPI_Get(&got, 1, MPI_INT, target, where, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  MPI_Accumulate(&value, 1, MPI_INT, target, where, 1, MPI_INT, MPI_SUM, win);
  MPI_Win_fence(0, win);
  MPI_Get_accumulate(&value, 1, MPI_INT, &old, 1, MPI_INT, target, where, 1, MPI_INT, MPI_REPLACE, win);
  MPI_Win_fence(0, win);
  MPI_Fetch_and_op(&value, &result, MPI_INT, target, where, MPI_MAX, win);
  MPI_Win_fence(0, win);
  MPI_Compare_and_swap(&got, &compare, &swapped, MPI_INT, target, where, win);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  say("fence: got %d old %d fetched %d swapped %d", got, old, result, swapped);
}

static void move_by_lock(MPI_Win win, MPI_Aint where, int target) {
  int value = 2000 + g_rank, got = -1, old = -1;
  MPI_Request requests[4];
  MPI_Win_lock(MPI_LOCK_EXCLUSIVE, target, 0, win);
  MPI_Put(&value, 1, MPI_INT, target, where, 1, MPI_INT, win);
  MPI_Win_flush(target, win);
  MPI_Get(&got, 1, MPI_INT, target, where, 1, MPI_INT, win);
  MPI_Win_flush_local(target, win);
  MPI_Win_unlock(target, win);
  say("lock: got %d", got);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Win_lock_all(0, win);
  MPI_Rput(&value, 1, MPI_INT, target, where, 1, MPI_INT, win, &requests[0]);
  MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
  MPI_Win_flush_all(win);
  MPI_Rget(&got, 1, MPI_INT, target, where, 1, MPI_INT, win, &requests[1]);
  MPI_Wait(&requests[1], MPI_STATUS_IGNORE);
  MPI_Raccumulate(&value, 1, MPI_INT, target, where, 1, MPI_INT, MPI_SUM, win, &requests[2]);
  MPI_Wait(&requests[2], MPI_STATUS_IGNORE);
  MPI_Win_flush_local_all(win);
  MPI_Win_flush_all(win);
  MPI_Rget_accumulate(&value, 1, MPI_INT, &old, 1, MPI_INT, target, where, 1, MPI_INT, MPI_NO_OP, win, &requests[3]);
  MPI_Wait(&requests[3], MPI_STATUS_IGNORE);
  MPI_Win_sync(win);
  MPI_Win_unlock_all(win);
  say("lock_all: got %d old %d", got, old);
}

static void move_by_post(MPI_Win win, MPI_Aint where, int target) {
  const int value = 3000 + g_rank, left = (g_rank + g_size - 1) % g_size;
  int done = 0, turns = 0;
  MPI_Group world = MPI_GROUP_NULL, origins = MPI_GROUP_NULL, targets = MPI_GROUP_NULL;
  MPI_Comm_group(MPI_COMM_WORLD, &world);
  MPI_Group_incl(world, 1, &left, &origins);
  MPI_Group_incl(world, 1, &target, &targets);
  for (int round = 0; round < 2; ++round) {
    MPI_Win_post(origins, 0, win);
    MPI_Win_start(targets, 0, win);
    MPI_Put(&value, 1, MPI_INT, target, where, 1, MPI_INT, win);
    MPI_Win_complete(win);
    if (round == 0) MPI_Win_wait(win);
    for (done = 0; round == 1 && !done; ++turns) MPI_Win_test(win, &done);
  }
  say("post: ended");
  MPI_Group_free(&origins);
  MPI_Group_free(&targets);
  MPI_Group_free(&world);
}

static void move_large_counts(MPI_Win win, MPI_Aint where, int target) {
  int value = 4000 + g_rank, got = -1;
  MPI_Win_fence(0, win);
  MPI_Put_c(&value, 1, MPI_INT, target, where, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  MPI_Get_c(&got, 1, MPI_INT, target, where, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  MPI_Accumulate_c(&value, 1, MPI_INT, target, where, 1, MPI_INT, MPI_SUM, win);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  say("large counts: got %d", got);
}

static void make_errors(MPI_Win win) {
  int value = 0;
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_Win_create_errhandler(count_call, &handler);
  MPI_Win_set_errhandler(win, handler);
  const int before = g_handler_calls;
  say_code("rank beyond the window", MPI_Put(&value, 1, MPI_INT, g_size + 5, 0, 1, MPI_INT, win));
  say_code("negative count", MPI_Get(&value, -1, MPI_INT, 0, 0, 1, MPI_INT, win));
  say_code("no datatype", MPI_Put(&value, 1, MPI_DATATYPE_NULL, 0, 0, 1, MPI_INT, win));
  say_code("unlock without lock", MPI_Win_unlock(0, win));
  say("handler calls %d", g_handler_calls - before);
  MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
  MPI_Errhandler_free(&handler);
  say_code("put outside an epoch", MPI_Put(&value, 1, MPI_INT, 0, 0, 1, MPI_INT, win));
}

static void use(const char* kind, MPI_Win win, int* memory, const void* base, MPI_Aint where) {
  const int target = (g_rank + 1) % g_size;
  say("--- %s", kind);
  for (int i = 0; i < kInts; ++i) memory[i] = -i;
  MPI_Barrier(MPI_COMM_WORLD);
  say_attributes(win, base);
  say_info(win);
  move_by_fence(win, where, target);
  move_by_lock(win, where, target);
  move_by_post(win, where, target);
  move_large_counts(win, where, target);
  MPI_Barrier(MPI_COMM_WORLD);
  say("memory %d %d %d", memory[0], memory[1], memory[2]);
  make_errors(win);
  MPI_Barrier(MPI_COMM_WORLD);
  say_code("free", MPI_Win_free(&win));
  say("handle after free is null: %d", win == MPI_WIN_NULL);
}

static void use_dynamic(void) {
  static int memory[kInts];
  MPI_Win win = MPI_WIN_NULL;
  MPI_Aint own = 0, addresses[64] = {0};
  MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &win);
  say_code("attach", MPI_Win_attach(win, memory, sizeof memory));
  MPI_Get_address(memory, &own);
  MPI_Allgather(&own, 1, MPI_AINT, addresses, 1, MPI_AINT, MPI_COMM_WORLD);
  use("dynamic", win, memory, MPI_BOTTOM, addresses[(g_rank + 1) % g_size]);
}

static void use_shared(void) {
  MPI_Win win = MPI_WIN_NULL;
  int *memory = NULL, *next = NULL, unit = 0;
  MPI_Aint bytes = 0;
  MPI_Win_allocate_shared(kInts * sizeof(int), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &memory, &win);
  MPI_Win_shared_query(win, (g_rank + 1) % g_size, &bytes, &unit, &next);
  say("shared: %ld bytes, unit %d, base %s", (long)bytes, unit, next != NULL ? "set" : "null");
  use("shared", win, memory, memory, 0);
}

static void fail_on_communicator(void) {
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_Comm none = MPI_COMM_NULL, made = MPI_COMM_NULL;
  MPI_Datatype none_type = MPI_DATATYPE_NULL;
  MPI_Win win = MPI_WIN_NULL;
  void* base = NULL;
  int flag = 0;
  char port[MPI_MAX_PORT_NAME] = "";
  MPI_Comm_create_errhandler(count_comm_call, &handler);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, handler);
  const int before = g_handler_calls;
  say_code("allocate: negative size", MPI_Win_allocate(-1, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &win));
  say_code("allocate: no communicator", MPI_Win_allocate(8, 1, MPI_INFO_NULL, MPI_COMM_NULL, &base, &win));
  say_code("allocate: no base", MPI_Win_allocate(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, NULL, &win));
  say_code("create_dynamic: no communicator", MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_NULL, &win));
  say_code("free no communicator", MPI_Comm_free(&none));
  say_code("free the world", (made = MPI_COMM_WORLD, MPI_Comm_free(&made)));
  say_code("test_inter of none", MPI_Comm_test_inter(MPI_COMM_NULL, &flag));
  say_code("remote_size of an intracommunicator", MPI_Comm_remote_size(MPI_COMM_WORLD, &flag));
  say_code("free no type", MPI_Type_free(&none_type));
  say_code("lookup of an unknown name", MPI_Lookup_name("transparency-unknown-service", MPI_INFO_NULL, port));
  say_code("unpublish an unknown name", MPI_Unpublish_name("transparency-unknown-service", MPI_INFO_NULL, "port"));
  say_code("fence on no window", MPI_Win_fence(0, MPI_WIN_NULL));
  say_code("free no window", MPI_Win_free(&win));
  say("handler calls %d", g_handler_calls - before);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
  MPI_Errhandler_free(&handler);
}

int main(int argc, char** argv) {
  static int created[kInts];
  int* allocated = NULL;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &g_rank);
  MPI_Comm_size(MPI_COMM_WORLD, &g_size);
  MPI_Win_create(created, sizeof created, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &win);
  use("create", win, created, created, 0);
  MPI_Win_allocate(kInts * sizeof(int), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &allocated, &win);
  use("allocate", win, allocated, allocated, 0);
  MPI_Win_allocate_c(kInts * sizeof(int), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &allocated, &win);
  use("allocate_c", win, allocated, allocated, 0);
  use_shared();
  use_dynamic();
  fail_on_communicator();
  MPI_Finalize();
  return 0;
}
