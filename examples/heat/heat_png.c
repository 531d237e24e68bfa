/* Everything is drawn with smooth edges into one array of pixels, which libpng then writes. */
#include "heat_png.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heat_text.h"

enum {
  MARGIN = 32,
  GUTTER = 28, /* between panels */
  PANEL_BOX_WIDTH = 440,
  PANEL_BOX_HEIGHT = 340,
  HEADING_HEIGHT = 84, /* title and subtitle */
  LABEL_HEIGHT = 28,   /* above each panel */
  FOOTER_HEIGHT = 34,
  SCALE_WIDTH = 78, /* the colour scale and its labels */
  SCALE_BAR_WIDTH = 26,
  TICKS = 6,
  ISOTHERMS = 10 /* lines in the middle of each tenth of the range */
};

struct colour {
  double red, green, blue; /* 0 to 1, as stored (sRGB) */
};

struct canvas {
  int width, height;
  unsigned char* pixels; /* RGB */
};

static const struct colour kInk = {0.13, 0.14, 0.17};
static const struct colour kPaleInk = {0.40, 0.42, 0.46};
static const struct colour kWhite = {1.0, 1.0, 1.0};

/* ---- Colour ---- */

static double stored(double linear) {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1.0 / 2.4) - 0.055;
}

/* OKLab (lightness, two colour axes) to sRGB; 0 where the colour cannot be shown. */
static int from_oklab(double lightness, double a, double b, struct colour* colour) {
  const double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3.0);
  const double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3.0);
  const double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3.0);
  const double red = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
  const double green = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
  const double blue = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
  if (fmin(red, fmin(green, blue)) < 0.0 || fmax(red, fmax(green, blue)) > 1.0) {
    return 0;
  }
  *colour = (struct colour){stored(red), stored(green), stored(blue)};
  return 1;
}

/* Cold to hot, t from 0 to 1. Lightness rises evenly, so that equal steps of temperature look equal, also in print
 * without colour; the hue turns from violet through red and orange to yellow, as strong as the screen can show it, but
 * for the ends. */
static struct colour heat_colour(double t) {
  const double turn = 6.283185307179586;
  const double hue = (285.0 + 180.0 * t) / 360.0 * turn;
  const double lightness = 0.16 + 0.80 * t;
  struct colour colour = kInk;
  for (double strength = 0.06 + 0.15 * sin(turn / 2.0 * (0.12 + 0.76 * t)); strength > 0.0; strength -= 0.002) {
    if (from_oklab(lightness, strength * cos(hue), strength * sin(hue), &colour)) {
      return colour;
    }
  }
  from_oklab(lightness, 0.0, 0.0, &colour);
  return colour;
}

enum { COLOURS = 1024 };

static void fill_colours(struct colour table[COLOURS]) {
  for (int i = 0; i < COLOURS; ++i) {
    table[i] = heat_colour(i / (COLOURS - 1.0));
  }
}

static double share_of_range(const struct heat_picture* p, double value) {
  const double t = (value - p->lowest) / (p->highest - p->lowest);
  return t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
}

/* ---- Drawing ---- */

static void blend(struct canvas* c, int x, int y, struct colour colour, double cover) {
  if (x < 0 || x >= c->width || y < 0 || y >= c->height) {
    return;
  }
  unsigned char* pixel = c->pixels + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
  const double wanted[3] = {colour.red, colour.green, colour.blue};
  for (int i = 0; i < 3; ++i) {
    pixel[i] = (unsigned char)lround(pixel[i] * (1.0 - cover) + 255.0 * wanted[i] * cover);
  }
}

static void draw_box(struct canvas* c, int x, int y, int width, int height, struct colour colour) {
  for (int row = 0; row < height; ++row) {
    for (int column = 0; column < width; ++column) {
      blend(c, x + column, y + row, colour, 1.0);
    }
  }
}

/* x and y: upper left corner of the first capital. */
static void draw_text(struct canvas* c, int x, int y, double scale, struct colour colour, const char* text) {
  const int width = (int)ceil(heat_text_width(text) * scale) + 2;
  const int height = (int)ceil(9.0 * scale) + 2;
  for (int row = -1; row < height; ++row) {
    for (int column = -1; column < width; ++column) {
      const double cover = heat_text_cover(text, (column + 0.5) / scale, (row + 0.5) / scale, scale);
      if (cover > 0.0) {
        blend(c, x + column, y + row, colour, cover);
      }
    }
  }
}

/* ---- Panels ---- */

struct frame {
  int x, y, width, height; /* pixels */
};

/* The field at a place of the panel, between its cells by straight lines. u to the right and v downward, 0 to 1. */
static double sample(const struct heat_picture* p, const double* field, double u, double v) {
  const double x = fmin(fmax(u * p->nx - 0.5, 0.0), p->nx - 1.0);
  const double y = fmin(fmax((1.0 - v) * p->ny - 0.5, 0.0), p->ny - 1.0);
  const int x0 = (int)x < p->nx - 1 ? (int)x : p->nx - 2;
  const int y0 = (int)y < p->ny - 1 ? (int)y : p->ny - 2;
  const double fx = x - x0;
  const double fy = y - y0;
  const double* at = field + (size_t)y0 * (size_t)p->nx + (size_t)x0;
  const double low = at[0] * (1.0 - fx) + at[1] * fx;
  const double high = at[p->nx] * (1.0 - fx) + at[p->nx + 1] * fx;
  return low * (1.0 - fy) + high * fy;
}

/* How much an isotherm covers a pixel; none where the field is flat, or jumps within a few pixels. */
static double isotherm_cover(const struct heat_picture* p, const double* field, double u, double v, struct frame f) {
  const double du = 1.0 / f.width;
  const double dv = 1.0 / f.height;
  const double step = (p->highest - p->lowest) / ISOTHERMS;
  const double place = (sample(p, field, u, v) - p->lowest) / step - 0.5;
  const double distance = fabs(place - nearbyint(place)) * step;
  const double change = hypot(sample(p, field, u + du / 2.0, v) - sample(p, field, u - du / 2.0, v),
                              sample(p, field, u, v + dv / 2.0) - sample(p, field, u, v - dv / 2.0));
  const double around = fmax(fabs(sample(p, field, u + 2.0 * du, v) - sample(p, field, u - 2.0 * du, v)),
                             fabs(sample(p, field, u, v + 2.0 * dv) - sample(p, field, u, v - 2.0 * dv)));
  if (change < 0.01 || around > 1.6 * step) {
    return 0.0;
  }
  return 0.45 * fmin(fmax(1.1 - distance / change, 0.0), 1.0);
}

static void draw_panel(struct canvas* c, const struct heat_picture* p, const struct colour* table,
                       const struct heat_panel* panel, struct frame f) {
  for (int row = 0; row < f.height; ++row) {
    for (int column = 0; column < f.width; ++column) {
      const double u = (column + 0.5) / f.width;
      const double v = (row + 0.5) / f.height;
      const double t = share_of_range(p, sample(p, panel->field, u, v));
      blend(c, f.x + column, f.y + row, table[(int)(t * (COLOURS - 1))], 1.0);
      if (panel->isotherms) {
        blend(c, f.x + column, f.y + row, t < 0.6 ? kWhite : kInk, isotherm_cover(p, panel->field, u, v, f));
      }
    }
  }
}

static void draw_scale(struct canvas* c, const struct heat_picture* p, const struct colour* table, struct frame f) {
  char text[32];
  draw_box(c, f.x - 1, f.y - 1, SCALE_BAR_WIDTH + 2, f.height + 2, kPaleInk);
  for (int row = 0; row < f.height; ++row) {
    const double t = 1.0 - (row + 0.5) / f.height;
    draw_box(c, f.x, f.y + row, SCALE_BAR_WIDTH, 1, table[(int)(t * (COLOURS - 1))]);
  }
  for (int i = 0; i < TICKS; ++i) {
    const double share = (double)i / (TICKS - 1);
    const int y = f.y + f.height - 1 - (int)lround(share * (f.height - 1));
    draw_box(c, f.x + SCALE_BAR_WIDTH + 1, y, 6, 1, kInk);
    snprintf(text, sizeof text, "%g", p->lowest + share * (p->highest - p->lowest));
    draw_text(c, f.x + SCALE_BAR_WIDTH + 12, y - 6, 2.0, kInk, text);
  }
  draw_text(c, f.x, f.y - LABEL_HEIGHT + 4, 2.0, kInk, "\260C"); /* the degree sign */
}

/* ---- The picture ---- */

struct arrangement {
  int columns, rows;
  int panel_width, panel_height;
};

static int wider(int a, int b) { return a > b ? a : b; }

static struct arrangement arrange(const struct heat_picture* p) {
  struct arrangement a = {p->panels < 3 ? p->panels : 3, (p->panels + 2) / 3, 0, 0};
  const double fit = fmin((double)PANEL_BOX_WIDTH / p->nx, (double)PANEL_BOX_HEIGHT / p->ny);
  a.panel_width = wider((int)lround(fit * p->nx), 8);
  a.panel_height = wider((int)lround(fit * p->ny), 8);
  return a;
}

static int width_of(const struct heat_picture* p, const struct arrangement* a) {
  const int panels = a->columns * a->panel_width + (a->columns - 1) * GUTTER + GUTTER + SCALE_WIDTH;
  const int texts =
      wider(3 * heat_text_width(p->title), 2 * wider(heat_text_width(p->subtitle), heat_text_width(p->footer)));
  return 2 * MARGIN + wider(panels, texts);
}

static void draw(struct canvas* c, const struct heat_picture* p, const struct arrangement* a) {
  struct colour table[COLOURS];
  const int top = MARGIN + HEADING_HEIGHT;
  const int row_height = LABEL_HEIGHT + a->panel_height + GUTTER;
  fill_colours(table);
  memset(c->pixels, 255, 3 * (size_t)c->width * (size_t)c->height);
  draw_text(c, MARGIN, MARGIN, 3.0, kInk, p->title);
  draw_text(c, MARGIN, MARGIN + 38, 2.0, kPaleInk, p->subtitle);
  for (int i = 0; i < p->panels; ++i) {
    const struct frame f = {MARGIN + (i % a->columns) * (a->panel_width + GUTTER),
                            top + (i / a->columns) * row_height + LABEL_HEIGHT, a->panel_width, a->panel_height};
    draw_text(c, f.x, f.y - LABEL_HEIGHT + 4, 2.0, kInk, p->panel[i].label);
    draw_box(c, f.x - 1, f.y - 1, f.width + 2, f.height + 2, kPaleInk);
    draw_panel(c, p, table, &p->panel[i], f);
  }
  const struct frame scale = {MARGIN + a->columns * (a->panel_width + GUTTER), top + LABEL_HEIGHT, SCALE_BAR_WIDTH,
                              (a->rows - 1) * row_height + a->panel_height};
  draw_scale(c, p, table, scale);
  draw_text(c, MARGIN, c->height - MARGIN - 14, 2.0, kPaleInk, p->footer);
}

static int write_file(const char* path, const struct canvas* c) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = (png_uint_32)c->width;
  image.height = (png_uint_32)c->height;
  image.format = PNG_FORMAT_RGB;
  if (!png_image_write_to_file(&image, path, 0, c->pixels, 0, NULL)) {
    fprintf(stderr, "heat_viewer: cannot write %s: %s\n", path, image.message);
    return 0;
  }
  return 1;
}

int heat_png_write(const char* path, const struct heat_picture* p, int* width, int* height) {
  const struct arrangement a = arrange(p);
  struct canvas c = {0};
  c.width = width_of(p, &a);
  c.height = 2 * MARGIN + HEADING_HEIGHT + a.rows * (LABEL_HEIGHT + a.panel_height + GUTTER) + FOOTER_HEIGHT - GUTTER;
  c.pixels = malloc(3 * (size_t)c.width * (size_t)c.height);
  if (c.pixels == NULL) {
    fprintf(stderr, "heat_viewer: no memory for a picture of %d x %d pixels\n", c.width, c.height);
    return 0;
  }
  draw(&c, p, &a);
  const int written = write_file(path, &c);
  free(c.pixels);
  *width = c.width;
  *height = c.height;
  return written;
}
