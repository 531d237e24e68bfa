/* Written from the description in heat_format.h, apart from the producers: the fixed cells are a list that is laid over
 * the field again after each step, and the scene is painted shape by shape. */
#include "heat_serial.h"

#include <stdlib.h>

struct held_cell {
  size_t at;
  double value;
};

struct painting {
  int64_t nx, ny;
  double* field;
  struct held_cell* held;
  size_t held_count;
};

static void hold(struct painting* p, int64_t x, int64_t y, double value) {
  const size_t at = (size_t)(y * p->nx + x);
  p->field[at] = value;
  p->held[p->held_count].at = at;
  p->held[p->held_count].value = value;
  ++p->held_count;
}

static void paint_squares(struct painting* p, int64_t shorter) {
  const int64_t side = shorter >= 20 ? shorter / 10 : 1;
  const int64_t right = 95 * p->nx / 100;
  const int64_t top = 48 * p->ny / 100;
  int64_t odd_row = 0;
  for (int64_t low = 8 * p->ny / 100; low < top; low += side, odd_row ^= 1) {
    for (int64_t left = 45 * p->nx / 100 + odd_row * side; left < right; left += 2 * side) {
      for (int64_t y = low; y < low + side && y < top; ++y) {
        for (int64_t x = left; x < left + side && x < right; ++x) {
          p->field[y * p->nx + x] = 90.0;
        }
      }
    }
  }
}

static void hold_disc(struct painting* p, int64_t centre_x, int64_t centre_y, int64_t radius, double value) {
  for (int64_t dy = -radius; dy <= radius; ++dy) {
    for (int64_t dx = -radius; dx <= radius; ++dx) {
      const int64_t x = centre_x + dx;
      const int64_t y = centre_y + dy;
      if (dx * dx + dy * dy <= radius * radius && x >= 0 && x < p->nx && y >= 0 && y < p->ny) {
        hold(p, x, y, value);
      }
    }
  }
}

static void hold_edges(struct painting* p) {
  for (int64_t y = 0; y < p->ny; ++y) {
    hold(p, 0, y, 20.0);
    hold(p, p->nx - 1, y, 20.0);
  }
  for (int64_t x = 0; x < p->nx; ++x) {
    const double along = (double)x / (double)(p->nx - 1);
    hold(p, x, 0, 20.0);
    hold(p, x, p->ny - 1, 20.0 + (240.0 * along) * (1.0 - along));
  }
}

/* What is held later wins, in the list as in the field. */
static void paint(struct painting* p) {
  const int64_t shorter = p->nx < p->ny ? p->nx : p->ny;
  for (int64_t i = 0; i < p->nx * p->ny; ++i) {
    p->field[i] = 20.0;
  }
  paint_squares(p, shorter);
  hold_disc(p, 3 * p->nx / 10, 4 * p->ny / 10, 13 * shorter / 100, 100.0);
  hold_disc(p, 7 * p->nx / 10, 65 * p->ny / 100, 12 * shorter / 100, 0.0);
  hold_edges(p);
}

static void step_once(const struct painting* p, double number, double* next) {
  const int64_t nx = p->nx;
  for (int64_t y = 1; y + 1 < p->ny; ++y) {
    const double* here = p->field + y * nx;
    double* result = next + y * nx;
    for (int64_t x = 1; x + 1 < nx; ++x) {
      const double beside = here[x - 1] + here[x + 1];
      const double above_and_below = here[x - nx] + here[x + nx];
      result[x] = here[x] + number * ((beside + above_and_below) - 4.0 * here[x]);
    }
  }
  for (size_t i = 0; i < p->held_count; ++i) {
    next[p->held[i].at] = p->held[i].value;
  }
}

int heat_serial_run(int64_t nx, int64_t ny, int64_t steps, int64_t every, double number, heat_serial_visit visit,
                    void* context) {
  const int64_t shorter = nx < ny ? nx : ny;
  const int64_t widest = 2 * (13 * shorter / 100) + 1; /* side of the square around the larger disc */
  const size_t held_most = (size_t)(2 * widest * widest + 2 * (nx + ny));
  struct painting p = {nx, ny, NULL, NULL, 0};
  double* next = malloc((size_t)(nx * ny) * sizeof *next);
  p.field = malloc((size_t)(nx * ny) * sizeof *p.field);
  p.held = malloc(held_most * sizeof *p.held);
  const int enough = next != NULL && p.field != NULL && p.held != NULL;
  if (enough) {
    paint(&p);
    for (int64_t step = 0;; ++step) {
      if (step % every == 0) {
        visit(context, step / every, step, p.field);
      }
      if (step == steps) {
        break;
      }
      step_once(&p, number, next);
      double* last = p.field;
      p.field = next;
      next = last;
    }
  }
  free(next);
  free(p.field);
  free(p.held);
  return enough;
}
