/* The producer: heat diffusion on a plate, computed by any number of ranks, written time-step by time-step into a
 * persistent window that is still there when this job has ended.
 *
 * A plain MPI program; heat_producer_restartable, compiled from the same source, saves checkpoints as well
 * (heat_checkpoint.h). Halo exchange is MPI_Isend and MPI_Irecv; what makes it a user of PSNAM is the info keys of
 * allocate_window(). README.md tells the story, heat_format.h what stands in the window. */
#include <getopt.h>
#include <mpi.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "example_common.h"
#include "heat_checkpoint.h"
#include "heat_format.h"

#define PROGRAM          "heat_producer"
#define DIFFUSION_NUMBER 0.24

struct options {
  long nx, ny, steps, every;
  const char* service;
  const char* structure;
  const char* manifestation;
  int help;
  struct heat_checkpoint checkpoint;
};

/* The plate as this rank sees it: its block with one row or column of neighbours' cells on each side. */
struct plate {
  MPI_Comm comm; /* the ranks as a grid, in the order of MPI_COMM_WORLD */
  int rank, ranks;
  int across, up;               /* ranks in x and in y */
  int west, east, south, north; /* neighbours or MPI_PROC_NULL */
  struct heat_block block;
  int width; /* of a row in memory: block.nx + 2 */
  double* now;
  double* next;
  unsigned char* fixed;
  MPI_Datatype column;   /* of the block, in memory with its borders */
  MPI_Datatype interior; /* the block without its borders */
};

/* ---- Options ---- */

static const char kUsage[] =
    "usage: " PROGRAM
    " [--size NXxNY] [--steps N] [--every K] [--service NAME] [--structure S] [--manifestation M]\n"
    "  --size NXxNY       cells of the plate (160x100), 8 to 32768 on each side\n"
    "  --steps N          time-steps to compute (2000)\n"
    "  --every K          write each K-th time-step, and the start, into the window (200)\n"
    "  --service NAME     publish the window under this name (heat)\n"
    "  --structure S      raw_and_flat, managed_contiguous or managed_distributed (managed_distributed)\n"
    "  --manifestation M  libnam or pershm (libnam)\n"
#ifdef HEAT_CHECKPOINTS
    "  --checkpoint-every N    save each N-th time-step, and go on from the last one that was saved (0: no)\n"
    "  --checkpoint-name NAME  of the series of checkpoints (heat)\n"
    "  --checkpoint-set N      most ranks that share their parity (0: all)\n"
#endif
    ;

static const char* parse_size(const char* text, struct options* o) {
  char* end = NULL;
  o->nx = strtol(text, &end, 10);
  if (end == text || *end != 'x' || o->nx < HEAT_SMALLEST_SIDE || o->nx > HEAT_LARGEST_SIDE ||
      !example_parse_number(end + 1, HEAT_SMALLEST_SIDE, HEAT_LARGEST_SIDE, &o->ny)) {
    return "--size wants NXxNY, both from 8 to 32768";
  }
  return NULL;
}

static const char* parse_one(int option, const char* text, struct options* o) {
  switch (option) {
    case 's':
      return parse_size(text, o);
    case 'n':
      return example_parse_number(text, 0, 100000000, &o->steps) ? NULL : "--steps wants a number from 0 to 100000000";
    case 'e':
      return example_parse_number(text, 1, 100000000, &o->every) ? NULL : "--every wants a number from 1 to 100000000";
    case 'v':
      o->service = text;
      return *text != '\0' ? NULL : "--service wants a name";
    case 't':
      o->structure = text;
      return strcmp(text, "raw_and_flat") == 0 || strcmp(text, "managed_contiguous") == 0 ||
                     strcmp(text, "managed_distributed") == 0
                 ? NULL
                 : "--structure wants raw_and_flat, managed_contiguous or managed_distributed";
    case 'm':
      o->manifestation = text;
      return strcmp(text, "libnam") == 0 || strcmp(text, "pershm") == 0 ? NULL
                                                                        : "--manifestation wants libnam or pershm";
#ifdef HEAT_CHECKPOINTS
    case 'c':
      return example_parse_number(text, 0, 100000000, &o->checkpoint.every)
                 ? NULL
                 : "--checkpoint-every wants a number from 0 to 100000000";
    case 'N':
      o->checkpoint.name = text;
      return *text != '\0' ? NULL : "--checkpoint-name wants a name";
    case 'S':
      return example_parse_number(text, 0, 255, &o->checkpoint.set_size) ? NULL
                                                                         : "--checkpoint-set wants a number up to 255";
#endif
    default:
      o->help = 1;
      return NULL;
  }
}

/* 1 where the program can go on; otherwise rank 0 has said why not. All ranks decide alike. */
static int parse_options(int argc, char** argv, int rank, struct options* o) {
  static const struct option kOptions[] = {{"size", required_argument, NULL, 's'},
                                           {"steps", required_argument, NULL, 'n'},
                                           {"every", required_argument, NULL, 'e'},
                                           {"service", required_argument, NULL, 'v'},
                                           {"structure", required_argument, NULL, 't'},
                                           {"manifestation", required_argument, NULL, 'm'},
#ifdef HEAT_CHECKPOINTS
                                           {"checkpoint-every", required_argument, NULL, 'c'},
                                           {"checkpoint-name", required_argument, NULL, 'N'},
                                           {"checkpoint-set", required_argument, NULL, 'S'},
#endif
                                           {"help", no_argument, NULL, 'h'},
                                           {NULL, 0, NULL, 0}};
  const char* error = NULL;
  const char* word = NULL;
  int option = 0;
  opterr = 0;
  while (error == NULL && (option = getopt_long(argc, argv, ":", kOptions, NULL)) != -1) {
    word = optarg != NULL ? optarg : argv[optind - 1];
    error = option == '?'   ? "unknown option"
            : option == ':' ? "a value is missing behind"
                            : parse_one(option, optarg, o);
  }
  if (error == NULL && optind < argc) {
    error = "unexpected argument";
    word = argv[optind];
  }
  if (rank == 0 && error != NULL) {
    fprintf(stderr, PROGRAM ": %s: '%s'\n%s", error, word, kUsage);
  } else if (rank == 0 && o->help) {
    fputs(kUsage, stdout);
  }
  return error == NULL;
}

/* ---- The plate ---- */

static struct heat_block block_of(const struct plate* p, const struct options* o, int rank) {
  struct heat_block block = {0};
  int place[2] = {0, 0}; /* y, x */
  MPI_Cart_coords(p->comm, rank, 2, place);
  block.x0 = place[1] * o->nx / p->across;
  block.y0 = place[0] * o->ny / p->up;
  block.nx = (place[1] + 1) * o->nx / p->across - block.x0;
  block.ny = (place[0] + 1) * o->ny / p->up - block.y0;
  return block;
}

static int in_disc(long x, long y, long centre_x, long centre_y, long radius) {
  return (x - centre_x) * (x - centre_x) + (y - centre_y) * (y - centre_y) <= radius * radius;
}

/* The temperature of a cell at the start, and whether it keeps it. */
static double scene(long x, long y, const struct options* o, unsigned char* fixed) {
  const long nx = o->nx;
  const long ny = o->ny;
  const long m = nx < ny ? nx : ny;
  const long side = m / 10 > 1 ? m / 10 : 1;
  const long left = 45 * nx / 100;
  const long low = 8 * ny / 100;
  *fixed = 1;
  if (y == ny - 1) {
    const double s = (double)x / (double)(nx - 1);
    return 20.0 + (240.0 * s) * (1.0 - s);
  }
  if (x == 0 || x == nx - 1 || y == 0) {
    return 20.0;
  }
  if (in_disc(x, y, 7 * nx / 10, 65 * ny / 100, 12 * m / 100)) {
    return 0.0;
  }
  if (in_disc(x, y, 3 * nx / 10, 4 * ny / 10, 13 * m / 100)) {
    return 100.0;
  }
  *fixed = 0;
  if (x >= left && x < 95 * nx / 100 && y >= low && y < 48 * ny / 100 &&
      ((x - left) / side + (y - low) / side) % 2 == 0) {
    return 90.0;
  }
  return 20.0;
}

/* 0 (told by rank 0) where the grid is too small for so many ranks. */
static int arrange_ranks(struct plate* p, const struct options* o) {
  int dims[2] = {0, 0};
  const int periods[2] = {0, 0};
  MPI_Comm_size(MPI_COMM_WORLD, &p->ranks);
  MPI_Comm_rank(MPI_COMM_WORLD, &p->rank);
  MPI_Dims_create(p->ranks, 2, dims); /* the first is the larger one: along the longer side */
  p->across = o->nx >= o->ny ? dims[0] : dims[1];
  p->up = o->nx >= o->ny ? dims[1] : dims[0];
  if (p->across > o->nx || p->up > o->ny) {
    if (p->rank == 0) {
      fprintf(stderr, PROGRAM ": %d x %d ranks need a grid of at least as many cells, not %ld x %ld\n", p->across,
              p->up, o->nx, o->ny);
    }
    return 0;
  }
  dims[0] = p->up;
  dims[1] = p->across;
  MPI_Cart_create(MPI_COMM_WORLD, 2, dims, periods, 0, &p->comm);
  MPI_Cart_shift(p->comm, 0, 1, &p->south, &p->north);
  MPI_Cart_shift(p->comm, 1, 1, &p->west, &p->east);
  return 1;
}

static void make_plate(struct plate* p, const struct options* o) {
  p->block = block_of(p, o, p->rank);
  const int nx = (int)p->block.nx;
  const int ny = (int)p->block.ny;
  p->width = nx + 2;
  const size_t cells = (size_t)p->width * (size_t)(ny + 2);
  p->now = calloc(cells, sizeof *p->now);
  p->next = calloc(cells, sizeof *p->next);
  p->fixed = calloc(cells, 1);
  if (p->now == NULL || p->next == NULL || p->fixed == NULL) {
    fprintf(stderr, PROGRAM ": rank %d: no memory for %zu cells\n", p->rank, cells);
    MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
  }
  for (int y = 0; y < ny; ++y) {
    for (int x = 0; x < nx; ++x) {
      const size_t at = (size_t)(y + 1) * (size_t)p->width + (size_t)(x + 1);
      p->now[at] = scene(p->block.x0 + x, p->block.y0 + y, o, &p->fixed[at]);
    }
  }
  MPI_Type_vector(ny, 1, p->width, MPI_DOUBLE, &p->column);
  MPI_Type_vector(ny, nx, p->width, MPI_DOUBLE, &p->interior);
  MPI_Type_commit(&p->column);
  MPI_Type_commit(&p->interior);
}

static void destroy_plate(struct plate* p) {
  MPI_Type_free(&p->column);
  MPI_Type_free(&p->interior);
  free(p->now);
  free(p->next);
  free(p->fixed);
  MPI_Comm_free(&p->comm);
}

/* First cell (row 0, column 0) of the block; rows and columns -1 and nx, ny are the neighbours'. */
static double* cell(const struct plate* p, int x, int y) {
  return p->now + (size_t)(y + 1) * (size_t)p->width + (size_t)(x + 1);
}

/* All four sides at once: a step waits once for its neighbours, not four times. */
static void exchange_borders(const struct plate* p) {
  const int nx = (int)p->block.nx;
  const int ny = (int)p->block.ny;
  MPI_Request requests[8];
  MPI_Status statuses[8];
  MPI_Irecv(cell(p, nx, 0), 1, p->column, p->east, 0, p->comm, &requests[0]);
  MPI_Irecv(cell(p, -1, 0), 1, p->column, p->west, 1, p->comm, &requests[1]);
  MPI_Irecv(cell(p, 0, ny), nx, MPI_DOUBLE, p->north, 2, p->comm, &requests[2]);
  MPI_Irecv(cell(p, 0, -1), nx, MPI_DOUBLE, p->south, 3, p->comm, &requests[3]);
  MPI_Isend(cell(p, 0, 0), 1, p->column, p->west, 0, p->comm, &requests[4]);
  MPI_Isend(cell(p, nx - 1, 0), 1, p->column, p->east, 1, p->comm, &requests[5]);
  MPI_Isend(cell(p, 0, 0), nx, MPI_DOUBLE, p->south, 2, p->comm, &requests[6]);
  MPI_Isend(cell(p, 0, ny - 1), nx, MPI_DOUBLE, p->north, 3, p->comm, &requests[7]);
  MPI_Waitall(8, requests, statuses);
}

static void advance(struct plate* p) {
  exchange_borders(p);
  for (int y = 1; y <= (int)p->block.ny; ++y) {
    const size_t row = (size_t)y * (size_t)p->width;
    const double* c = p->now + row;
    const double* s = c - p->width;
    const double* n = c + p->width;
    const unsigned char* fixed = p->fixed + row;
    double* next = p->next + row;
    for (int x = 1; x <= (int)p->block.nx; ++x) {
      const double warmed = c[x] + DIFFUSION_NUMBER * (((c[x - 1] + c[x + 1]) + (s[x] + n[x])) - 4.0 * c[x]);
      next[x] = fixed[x] ? c[x] : warmed;
    }
  }
  double* last = p->now;
  p->now = p->next;
  p->next = last;
}

/* ---- The window ---- */

static struct heat_header describe(const struct plate* p, const struct options* o) {
  struct heat_header header = {0};
  const int64_t bytes = (int64_t)sizeof header + p->ranks * (int64_t)sizeof(struct heat_block);
  header.magic = HEAT_MAGIC;
  header.header_bytes = (bytes + HEAT_ALIGNMENT - 1) / HEAT_ALIGNMENT * HEAT_ALIGNMENT;
  header.nx = o->nx;
  header.ny = o->ny;
  header.steps = o->steps;
  header.every = o->every;
  header.frames = o->steps / o->every + 1;
  header.blocks = p->ranks;
  header.number = DIFFUSION_NUMBER;
  return header;
}

/* All blocks, with their places in the window. The caller frees them. */
static struct heat_block* place_blocks(const struct plate* p, const struct options* o,
                                       const struct heat_header* header) {
  struct heat_block* blocks = calloc((size_t)p->ranks, sizeof *blocks);
  if (blocks == NULL) {
    fprintf(stderr, PROGRAM ": no memory for %d blocks\n", p->ranks);
    MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
    return NULL;
  }
  const int flat = strcmp(o->structure, "raw_and_flat") == 0;
  int64_t end = header->header_bytes;
  for (int rank = 0; rank < p->ranks; ++rank) {
    blocks[rank] = block_of(p, o, rank);
    blocks[rank].target = flat ? 0 : rank;
    blocks[rank].offset = flat || rank == 0 ? end : 0;
    end += header->frames * blocks[rank].nx * blocks[rank].ny * (int64_t)sizeof(double);
  }
  return blocks;
}

static int64_t bytes_of_region(int rank, const struct heat_header* header, const struct heat_block* blocks) {
  int64_t bytes = rank == 0 ? header->header_bytes : 0;
  for (int i = 0; i < (int)header->blocks; ++i) {
    if (blocks[i].target == rank) {
      bytes += header->frames * blocks[i].nx * blocks[i].ny * (int64_t)sizeof(double);
    }
  }
  return bytes;
}

/* The whole of what PSNAM asks of a program. */
static MPI_Win allocate_window(int64_t bytes, const struct options* o) {
  char value[64];
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win win = MPI_WIN_NULL;
  void* base = NULL;
  MPI_Info_create(&info);
  snprintf(value, sizeof value, "psnam_manifestation_%s", o->manifestation);
  MPI_Info_set(info, "psnam_manifestation", value);
  snprintf(value, sizeof value, "psnam_structure_%s", o->structure);
  MPI_Info_set(info, "psnam_structure", value);
  /* One that a later job fills again is kept when it is full, so that a killed job leaves none. */
  MPI_Info_set(info, "psnam_consistency",
               o->checkpoint.every != 0 ? "psnam_consistency_volatile" : "psnam_consistency_persistent");
  MPI_Win_allocate((MPI_Aint)bytes, 1, info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);
  return win;
}

static void window_name(MPI_Win win, char name[MPI_MAX_PORT_NAME]) {
  int size = MPI_MAX_PORT_NAME;
  int found = 0;
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win_get_info(win, &info);
  MPI_Info_get_string(info, "psnam_window_name", &size, name, &found);
  MPI_Info_free(&info);
  if (!found) {
    fprintf(stderr, PROGRAM ": the window has no psnam_window_name\n");
    MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
  }
}

static void write_descriptions(MPI_Win win, const struct heat_header* header, const struct heat_block* blocks,
                               int rank) {
  MPI_Win_fence(MPI_MODE_NOPRECEDE, win);
  if (rank == 0) {
    MPI_Put(header, (int)sizeof *header, MPI_BYTE, 0, 0, (int)sizeof *header, MPI_BYTE, win);
    MPI_Put(blocks, (int)header->blocks * (int)sizeof *blocks, MPI_BYTE, 0, sizeof *header,
            (int)header->blocks * (int)sizeof *blocks, MPI_BYTE, win);
  }
  MPI_Win_fence(0, win);
}

/* Each rank puts `cells` cells of `type` at `from` where the descriptions say; the epoch is open before and after. */
static void write_cells(MPI_Win win, int rank, const struct heat_block* mine, int64_t frame, const double* from,
                        int count, MPI_Datatype type) {
  const int cells = (int)(mine->nx * mine->ny);
  const MPI_Aint at = (MPI_Aint)(mine->offset + frame * cells * (int64_t)sizeof(double));
  const int64_t written = frame + 1;
  MPI_Put(from, count, type, (int)mine->target, at, cells, MPI_DOUBLE, win);
  if (rank == 0) {
    MPI_Put(&written, 1, MPI_INT64_T, 0, offsetof(struct heat_header, frames_written), 1, MPI_INT64_T, win);
  }
  MPI_Win_fence(0, win);
}

/* The block as it is now, without the borders. */
static void write_frame(MPI_Win win, const struct plate* p, const struct heat_block* mine, int64_t frame) {
  write_cells(win, p->rank, mine, frame, cell(p, 0, 0), 1, p->interior);
}

/* ---- Checkpoints ---- */

#ifdef HEAT_CHECKPOINTS

static int64_t cells_of(const struct plate* p) { return (int64_t)p->width * (p->block.ny + 2); }

/* The time-step to go on from. What was written before is written again, into the window of this job. */
static long go_on(MPI_Win win, struct plate* p, struct options* o, const struct heat_block* mine) {
  struct heat_checkpoint* const c = &o->checkpoint;
  const int64_t frame_cells = mine->nx * mine->ny;
  if (c->every == 0) {
    return 0;
  }
  const long step = (long)heat_checkpoint_begin(c, p->now, cells_of(p), o->steps / o->every + 1, frame_cells);
  if (step != 0) {
    for (long frame = 0; frame <= step / o->every; ++frame) {
      write_cells(win, p->rank, mine, frame, c->frames + frame * frame_cells, (int)frame_cells, MPI_DOUBLE);
    }
  }
  if (step != 0 && p->rank == 0) {
    printf(PROGRAM ": goes on from step %ld\n", step);
  }
  return step;
}

static void keep_frame(const struct plate* p, struct heat_checkpoint* c, int64_t frame) {
  if (c->every == 0) {
    return;
  }
  for (int y = 0; y < (int)p->block.ny; ++y) {
    memcpy(c->frames + frame * c->frame_cells + y * p->block.nx, cell(p, 0, y), (size_t)p->block.nx * sizeof(double));
  }
}

static void save(const struct plate* p, struct heat_checkpoint* c, long step, long first) {
  if (c->every == 0 || step == first || step % c->every != 0) {
    return;
  }
  heat_checkpoint_save(c, p->now, cells_of(p), step);
  if (p->rank == 0) {
    printf(PROGRAM ": saved step %ld\n", step);
  }
}

/* All is in the window: it is kept, and what was saved is not needed any more. */
static void finish(MPI_Win win, struct heat_checkpoint* c) {
  MPI_Info info = MPI_INFO_NULL;
  if (c->every == 0) {
    return;
  }
  heat_checkpoint_end(c);
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_persistent");
  MPI_Win_set_info(win, info);
  MPI_Info_free(&info);
}

#else

static long go_on(MPI_Win win, struct plate* p, struct options* o, const struct heat_block* mine) {
  (void)win, (void)p, (void)o, (void)mine;
  return 0;
}
static void keep_frame(const struct plate* p, struct heat_checkpoint* c, int64_t frame) {
  (void)p, (void)c, (void)frame;
}
static void save(const struct plate* p, struct heat_checkpoint* c, long step, long first) {
  (void)p, (void)c, (void)step, (void)first;
}
static void finish(MPI_Win win, struct heat_checkpoint* c) { (void)win, (void)c; }

#endif

/* ---- The run ---- */

static void compute_and_write(MPI_Win win, struct plate* p, struct options* o, const struct heat_block* mine) {
  const long first = go_on(win, p, o, mine);
  for (long step = first;; ++step) {
    if (step % o->every == 0) {
      write_frame(win, p, mine, step / o->every);
      keep_frame(p, &o->checkpoint, step / o->every);
    }
    if (step == o->steps) {
      break;
    }
    save(p, &o->checkpoint, step, first);
    advance(p);
  }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
}

/* Publishes the window, so that a later job finds it by the service name. 0 where that fails: then the window is
 * removed, for nobody would find it. */
static int publish(MPI_Win win, const char* name, const char* service, int rank) {
  int code = MPI_SUCCESS;
  if (rank == 0) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    code = MPI_Publish_name(service, MPI_INFO_NULL, name);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    if (code != MPI_SUCCESS) {
      char text[MPI_MAX_ERROR_STRING] = "";
      int length = 0;
      MPI_Error_string(code, text, &length);
      fprintf(stderr, PROGRAM ": cannot publish the window as '%s', so it is removed: %s\n", service, text);
    }
  }
  MPI_Bcast(&code, 1, MPI_INT, 0, MPI_COMM_WORLD);
  if (code != MPI_SUCCESS) {
    MPI_Info info = MPI_INFO_NULL;
    MPI_Info_create(&info);
    MPI_Info_set(info, "psnam_consistency", "psnam_consistency_volatile");
    MPI_Win_set_info(win, info);
    MPI_Info_free(&info);
  }
  return code == MPI_SUCCESS;
}

static int run(struct plate* p, struct options* o) {
  char name[MPI_MAX_PORT_NAME] = "";
  const struct heat_header header = describe(p, o);
  struct heat_block* blocks = place_blocks(p, o, &header);
  const int64_t bytes = bytes_of_region(p->rank, &header, blocks);
  int64_t all_bytes = 0;
  MPI_Win win = allocate_window(bytes, o);
  MPI_Reduce(&bytes, &all_bytes, 1, MPI_INT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  if (p->rank == 0) {
    printf(PROGRAM ": a window of %.1f MB: %s, %s\n", (double)all_bytes / 1e6, o->manifestation, o->structure);
  }
  write_descriptions(win, &header, blocks, p->rank);
  compute_and_write(win, p, o, &blocks[p->rank]);
  if (p->rank == 0) {
    printf(PROGRAM ": %ld steps computed, %ld frames written\n", o->steps, (long)header.frames);
  }
  finish(win, &o->checkpoint);
  window_name(win, name);
  const int published = publish(win, name, o->service, p->rank);
  MPI_Win_free(&win);
  free(blocks);
  if (published && p->rank == 0) {
    printf(PROGRAM ": window '%s' published as '%s'; this job ends, the window stays\n", name, o->service);
  }
  return published ? EXIT_SUCCESS : EXAMPLE_EXIT_FAILED;
}

int main(int argc, char** argv) {
  struct options o = {
      160, 100, 2000, 200, "heat", "managed_distributed", "libnam", 0, {0, "heat", 0, 0, NULL, 0, NULL}};
  struct plate p = {0};
  int rank = 0;
  int code = EXIT_SUCCESS;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  setvbuf(stdout, NULL, _IOLBF, 0); /* a line of progress is seen when its phase is done, also through a pipe */
  if (!parse_options(argc, argv, rank, &o)) {
    code = EXAMPLE_EXIT_USAGE;
  } else if (!o.help && !arrange_ranks(&p, &o)) {
    code = EXAMPLE_EXIT_USAGE;
  } else if (!o.help && !example_library_is_there(PROGRAM, rank)) {
    code = EXAMPLE_EXIT_FAILED;
  } else if (!o.help) {
    if (rank == 0) {
      printf(PROGRAM ": %d ranks as %d x %d, a plate of %ld x %ld cells\n", p.ranks, p.across, p.up, o.nx, o.ny);
    }
    make_plate(&p, &o);
    code = run(&p, &o);
    destroy_plate(&p);
  }
  MPI_Finalize();
  return code;
}
