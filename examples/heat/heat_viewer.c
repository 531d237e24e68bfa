/* The viewer: a later job of any number of ranks. It finds the producer's window by its service name, reads it, holds
 * every value against a serial computation of its own, bit for bit, and draws the field. With --remove the window is
 * gone afterwards.
 *
 * A plain MPI program: open_window() and remove_window() are what PSNAM asks of it. */
#include <getopt.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "example_common.h"
#include "heat_format.h"
#include "heat_png.h"
#include "heat_serial.h"

#define PROGRAM "heat_viewer"

struct options {
  const char* service;
  const char* picture;
  int remove;
  int help;
};

/* The rows of every frame that this rank looks at. */
struct strip {
  int64_t y0, ny;
  double* values; /* frames * ny * nx */
};

struct view {
  int rank, ranks;
  int former; /* ranks of the job that made the window */
  char name[MPI_MAX_PORT_NAME];
  MPI_Win win;
  int64_t* region_bytes; /* of each former rank */
  struct heat_header header;
  struct heat_block* blocks;
  struct strip strip;
  int64_t wrong; /* values that differ, of this rank's */
};

/* ---- Options ---- */

static const char kUsage[] = "usage: " PROGRAM
                             " [--service NAME] [--picture FILE] [--remove]\n"
                             "  --service NAME  under which the producer published the window (heat)\n"
                             "  --picture FILE  PNG file to write (heat.png)\n"
                             "  --remove        unpublish and remove the window when everything in it is right\n";

/* 1 where the program can go on; otherwise rank 0 has said why not. All ranks decide alike. */
static int parse_options(int argc, char** argv, int rank, struct options* o) {
  static const struct option kOptions[] = {{"service", required_argument, NULL, 's'},
                                           {"picture", required_argument, NULL, 'p'},
                                           {"remove", no_argument, NULL, 'r'},
                                           {"help", no_argument, NULL, 'h'},
                                           {NULL, 0, NULL, 0}};
  const char* error = NULL;
  int option = 0;
  opterr = 0;
  while ((option = getopt_long(argc, argv, ":", kOptions, NULL)) != -1) {
    o->service = option == 's' ? optarg : o->service;
    o->picture = option == 'p' ? optarg : o->picture;
    o->remove |= option == 'r';
    o->help |= option == 'h';
    if (option == '?' || option == ':') {
      error = option == '?' ? "unknown option" : "a value is missing behind";
      break;
    }
  }
  const char* word = error != NULL ? argv[optind - 1] : optind < argc ? argv[optind] : NULL;
  if (error == NULL && word != NULL) {
    error = "unexpected argument";
  }
  if (rank == 0 && error != NULL) {
    fprintf(stderr, PROGRAM ": %s: '%s'\n%s", error, word, kUsage);
  } else if (rank == 0 && o->help) {
    fputs(kUsage, stdout);
  }
  return error == NULL;
}

static void* allocate(int64_t bytes, const char* what) { return example_allocate(PROGRAM, bytes, what); }

/* ---- The window ---- */

/* Connects to the window by its name and learns who contributed how much. */
static void open_window(struct view* v) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Comm handle = MPI_COMM_NULL;
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_window_connect", "true");
  MPI_Comm_connect(v->name, info, 0, MPI_COMM_WORLD, &handle);
  MPI_Comm_remote_size(handle, &v->former);
  MPI_Win_create_dynamic(info, handle, &v->win);
  MPI_Comm_disconnect(&handle); /* the window stays usable */
  MPI_Info_free(&info);
  v->region_bytes = allocate(v->former * (int64_t)sizeof(int64_t), "the sizes of the regions");
  for (int rank = 0; rank < v->former; ++rank) {
    MPI_Aint size = 0;
    int unit = 0;
    void* base = NULL;
    MPI_Win_shared_query(v->win, rank, &size, &unit, &base);
    v->region_bytes[rank] = size;
  }
}

/* A window that is set volatile ends with its last free: nothing of it stays in the store. */
static void remove_window(const struct view* v, const char* service) {
  MPI_Info info = MPI_INFO_NULL;
  if (v->rank == 0) {
    MPI_Unpublish_name(service, MPI_INFO_NULL, v->name);
  }
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_volatile");
  MPI_Win_set_info(v->win, info);
  MPI_Info_free(&info);
}

/* ---- What stands in it ---- */

static int block_is_sound(const struct view* v, const struct heat_block* b) {
  const struct heat_header* h = &v->header;
  return b->target >= 0 && b->target < v->former && b->nx >= 0 && b->ny >= 0 && b->x0 >= 0 && b->y0 >= 0 &&
         b->x0 + b->nx <= h->nx && b->y0 + b->ny <= h->ny && b->offset >= 0 &&
         b->offset + h->frames * b->nx * b->ny * (int64_t)sizeof(double) <= v->region_bytes[b->target];
}

static int header_is_sound(const struct view* v) {
  const struct heat_header* h = &v->header;
  return h->magic == HEAT_MAGIC && h->nx >= HEAT_SMALLEST_SIDE && h->nx <= HEAT_LARGEST_SIDE &&
         h->ny >= HEAT_SMALLEST_SIDE && h->ny <= HEAT_LARGEST_SIDE && h->steps >= 0 && h->every >= 1 &&
         h->frames == h->steps / h->every + 1 && h->frames_written == h->frames && h->blocks >= 1 &&
         h->blocks <= v->former &&
         h->header_bytes >= (int64_t)sizeof *h + h->blocks * (int64_t)sizeof(struct heat_block) &&
         h->header_bytes <= v->region_bytes[0];
}

/* Each rank reads the descriptions from region 0. NULL, or what is wrong with them. */
static const char* read_descriptions(struct view* v) {
  struct heat_header* h = &v->header;
  if (v->region_bytes[0] < (int64_t)sizeof *h) {
    return "region 0 is too small for a description";
  }
  MPI_Win_fence(MPI_MODE_NOPRECEDE, v->win);
  MPI_Get(h, (int)sizeof *h, MPI_BYTE, 0, 0, (int)sizeof *h, MPI_BYTE, v->win);
  MPI_Win_fence(0, v->win);
  if (!header_is_sound(v)) {
    return "what stands at the start of region 0 does not describe a whole heat field";
  }
  const int bytes = (int)h->blocks * (int)sizeof *v->blocks;
  v->blocks = allocate(bytes, "the descriptions of the blocks");
  MPI_Get(v->blocks, bytes, MPI_BYTE, 0, sizeof *h, bytes, MPI_BYTE, v->win);
  MPI_Win_fence(0, v->win);
  int64_t cells = 0;
  for (int64_t i = 0; i < h->blocks; ++i) {
    if (!block_is_sound(v, &v->blocks[i])) {
      return "the description of a block leaves the grid or its region";
    }
    cells += v->blocks[i].nx * v->blocks[i].ny;
  }
  return cells == h->nx * h->ny ? NULL : "the blocks do not cover the grid";
}

/* The rows that a block and this rank's strip have in common, of one frame. Where they stand in the window they follow
 * each other; in the strip they are parts of longer rows. */
static void get_rows(const struct view* v, const struct heat_block* b, int64_t frame) {
  const struct strip* s = &v->strip;
  const int64_t nx = v->header.nx;
  const int64_t first = b->y0 > s->y0 ? b->y0 : s->y0;
  const int64_t end = b->y0 + b->ny < s->y0 + s->ny ? b->y0 + b->ny : s->y0 + s->ny;
  if (first >= end || b->nx == 0) {
    return;
  }
  const int rows = (int)(end - first);
  const int64_t cells_before = frame * b->nx * b->ny + (first - b->y0) * b->nx;
  double* to = s->values + (frame * s->ny + (first - s->y0)) * nx + b->x0;
  MPI_Datatype part_of_rows = MPI_DATATYPE_NULL;
  MPI_Type_vector(rows, (int)b->nx, (int)nx, MPI_DOUBLE, &part_of_rows);
  MPI_Type_commit(&part_of_rows);
  MPI_Get(to, 1, part_of_rows, (int)b->target, (MPI_Aint)(b->offset + cells_before * (int64_t)sizeof(double)),
          rows * (int)b->nx, MPI_DOUBLE, v->win);
  MPI_Type_free(&part_of_rows);
}

static void read_strip(struct view* v) {
  const struct heat_header* h = &v->header;
  v->strip.y0 = v->rank * h->ny / v->ranks;
  v->strip.ny = (v->rank + 1) * h->ny / v->ranks - v->strip.y0;
  v->strip.values = allocate(h->frames * v->strip.ny * h->nx * (int64_t)sizeof(double), "a strip of the field");
  for (int64_t frame = 0; frame < h->frames; ++frame) {
    for (int64_t block = 0; block < h->blocks; ++block) {
      get_rows(v, &v->blocks[block], frame);
    }
  }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, v->win);
}

/* ---- The check ---- */

static void compare_frame(void* context, int64_t frame, int64_t step, const double* field) {
  struct view* v = context;
  const int64_t nx = v->header.nx;
  const int64_t count = v->strip.ny * nx;
  const double* expected = field + v->strip.y0 * nx;
  const double* found = v->strip.values + frame * count;
  for (int64_t i = 0; i < count; ++i) {
    if (memcmp(&expected[i], &found[i], sizeof(double)) != 0 && v->wrong++ == 0) {
      fprintf(stderr, PROGRAM ": step %lld, x %lld, y %lld: %a in the window, %a computed\n", (long long)step,
              (long long)(i % nx), (long long)(v->strip.y0 + i / nx), found[i], expected[i]);
    }
  }
}

/* Every rank computes the whole field for itself and compares its strip. Whether all of them found it right. */
static int field_is_right(struct view* v) {
  const struct heat_header* h = &v->header;
  int64_t wrong = 0;
  if (!heat_serial_run(h->nx, h->ny, h->steps, h->every, h->number, compare_frame, v)) {
    fprintf(stderr, PROGRAM ": no memory to compute the field\n");
    MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
  }
  MPI_Allreduce(&v->wrong, &wrong, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  if (v->rank == 0 && wrong == 0) {
    printf(PROGRAM ": all %lld values of %lld frames equal the serial computation, bit for bit\n",
           (long long)(h->nx * h->ny * h->frames), (long long)h->frames);
  } else if (v->rank == 0) {
    fprintf(stderr, PROGRAM ": %lld of %lld values are wrong\n", (long long)wrong,
            (long long)(h->nx * h->ny * h->frames));
  }
  return wrong == 0;
}

/* ---- The picture ---- */

/* Brings one frame together on rank 0: the strips follow each other there. */
static void gather_frame(const struct view* v, int64_t frame, double* field) {
  const int64_t nx = v->header.nx;
  const int count = (int)(v->strip.ny * nx);
  int* counts = allocate(v->ranks * (int64_t)sizeof *counts, "counts");
  int* places = allocate(v->ranks * (int64_t)sizeof *places, "places");
  for (int64_t rank = 0; rank < v->ranks; ++rank) {
    const int64_t y0 = rank * v->header.ny / v->ranks;
    counts[rank] = (int)(((rank + 1) * v->header.ny / v->ranks - y0) * nx);
    places[rank] = (int)(y0 * nx);
  }
  MPI_Gatherv(v->strip.values + frame * count, count, MPI_DOUBLE, field, counts, places, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  free(counts);
  free(places);
}

static int draw(const struct view* v, const double* fields, int panels, const int64_t* frames, const char* path) {
  const struct heat_header* h = &v->header;
  char labels[HEAT_PANELS_MOST][32];
  char subtitle[160];
  char footer[160];
  int width = 0;
  int height = 0;
  struct heat_picture picture = {.nx = (int)h->nx, .ny = (int)h->ny, .panels = panels, .lowest = 0.0, .highest = 100.0};
  snprintf(subtitle, sizeof subtitle,
           "%lld x %lld cells, written by %lld rank%s of one job, read by %d rank%s of a later one", (long long)h->nx,
           (long long)h->ny, (long long)h->blocks, h->blocks == 1 ? "" : "s", v->ranks, v->ranks == 1 ? "" : "s");
  snprintf(footer, sizeof footer, "All %lld values of %lld frames equal a serial computation, bit for bit",
           (long long)(h->nx * h->ny * h->frames), (long long)h->frames);
  picture.title = "Heat diffusion on a plate";
  picture.subtitle = subtitle;
  picture.footer = footer;
  for (int i = 0; i < panels; ++i) {
    snprintf(labels[i], sizeof labels[i], "step %lld", (long long)(frames[i] * h->every));
    picture.panel[i].field = fields + i * h->nx * h->ny;
    picture.panel[i].label = labels[i];
    picture.panel[i].isotherms = frames[i] > 0; /* the start is all edges */
  }
  if (!heat_png_write(path, &picture, &width, &height)) {
    return 0;
  }
  printf(PROGRAM ": wrote %s, %d x %d pixels\n", path, width, height);
  return 1;
}

/* Frames from the first to the last at equal distances. Whether rank 0 could write the picture, told to all. */
static int make_picture(const struct view* v, const char* path) {
  const struct heat_header* h = &v->header;
  const int panels = h->frames < HEAT_PANELS_MOST ? (int)h->frames : HEAT_PANELS_MOST;
  const int64_t cells = h->nx * h->ny;
  int64_t frames[HEAT_PANELS_MOST] = {0};
  double* fields = v->rank == 0 ? allocate(panels * cells * (int64_t)sizeof(double), "the picture's fields") : NULL;
  for (int i = 0; i < panels; ++i) {
    frames[i] = panels > 1 ? i * (h->frames - 1) / (panels - 1) : 0;
    gather_frame(v, frames[i], v->rank == 0 ? fields + i * cells : NULL);
  }
  int drawn = v->rank == 0 ? draw(v, fields, panels, frames, path) : 0;
  MPI_Bcast(&drawn, 1, MPI_INT, 0, MPI_COMM_WORLD);
  free(fields);
  return drawn;
}

/* ---- The run ---- */

static int look(struct view* v, const struct options* o) {
  const char* error = read_descriptions(v);
  if (error != NULL) {
    if (v->rank == 0) {
      fprintf(stderr, PROGRAM ": window '%s': %s\n", v->name, error);
    }
    return 0;
  }
  read_strip(v);
  if (v->rank == 0) {
    printf(PROGRAM ": read a plate of %lld x %lld cells, %lld frames of %lld steps\n", (long long)v->header.nx,
           (long long)v->header.ny, (long long)v->header.frames, (long long)v->header.every);
  }
  return field_is_right(v) && make_picture(v, o->picture);
}

static int run(struct view* v, const struct options* o) {
  if (!example_look_up(PROGRAM, o->service, v->name)) {
    return EXAMPLE_EXIT_FAILED;
  }
  open_window(v);
  if (v->rank == 0) {
    int64_t bytes = 0;
    for (int i = 0; i < v->former; ++i) {
      bytes += v->region_bytes[i];
    }
    printf(PROGRAM ": %d rank%s connected to '%s', made by %d, %.1f MB\n", v->ranks, v->ranks == 1 ? "" : "s", v->name,
           v->former, (double)bytes / 1e6);
  }
  const int right = look(v, o);
  if (right && o->remove) {
    remove_window(v, o->service);
  }
  MPI_Win_free(&v->win);
  if (right && o->remove && v->rank == 0) {
    printf(PROGRAM ": '%s' is unpublished and the window removed\n", o->service);
  }
  free(v->region_bytes);
  free(v->blocks);
  free(v->strip.values);
  return right ? EXIT_SUCCESS : EXAMPLE_EXIT_FAILED;
}

int main(int argc, char** argv) {
  struct options o = {"heat", "heat.png", 0, 0};
  struct view v = {0};
  int code = EXIT_SUCCESS;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &v.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &v.ranks);
  setvbuf(stdout, NULL, _IOLBF, 0); /* a line of progress is seen when its phase is done, also through a pipe */
  if (!parse_options(argc, argv, v.rank, &o)) {
    code = EXAMPLE_EXIT_USAGE;
  } else if (!o.help) {
    code = example_library_is_there(PROGRAM, v.rank) ? run(&v, &o) : EXAMPLE_EXIT_FAILED;
  }
  MPI_Finalize();
  return code;
}
