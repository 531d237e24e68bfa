/* What stands in the window: written by the producers (C: this header; Fortran: the same words by hand), read by the
 * viewer.
 *
 * Rank 0's region begins with a header of 64-bit words, followed by one description for each block of the grid, one
 * block for each rank that wrote. Then come the values. A block's values stand in region `target` from byte `offset`
 * on: one frame after the other, in a frame one row after the other, in a row x runs fastest. As a Fortran array that
 * is value(x, y, frame), as a C array value[frame][y][x]: the same bytes. Row y = 0 is the lower edge of the plate.
 *
 * For raw_and_flat every block's target is 0; for the managed structures block r stands in the region of rank r. The
 * reader needs not know which it was: the descriptions say it all. All numbers are in the byte order of the machine.
 *
 * What is computed: explicit diffusion, next = c + number * (((west + east) + (south + north)) - 4 * c), in that order
 * of operations, so that every program gets the same bits. The scene, in degrees Celsius, with whole-number divisions:
 *   everywhere           20 at the start
 *   squares              90 at the start in every second square of side max(1, m / 10), m = min(nx, ny), counted from
 * the corner of the area 45/100 nx <= x < 95/100 nx, 8/100 ny <= y < 48/100 ny hot disc             100 always; centre
 * (3 nx / 10, 4 ny / 10), radius 13 m / 100 cold disc            0 always; centre (7 nx / 10, 65 ny / 100), radius 12 m
 * / 100 edges                20 always, but the upper one 20 + (240 s) (1 - s) with s = x / (nx - 1) Where several
 * apply, the later line holds. */
#ifndef HEAT_FORMAT_H
#define HEAT_FORMAT_H

#include <stdint.h>

#define HEAT_MAGIC     INT64_C(0x314554414c505448) /* the bytes "HTPLATE1" on a little endian machine */
#define HEAT_ALIGNMENT 64

enum { HEAT_SMALLEST_SIDE = 8, HEAT_LARGEST_SIDE = 32768 };

struct heat_header {
  int64_t magic;
  int64_t header_bytes; /* this, the blocks behind it, and what fills up to HEAT_ALIGNMENT */
  int64_t nx;
  int64_t ny;
  int64_t steps; /* of the computation */
  int64_t every; /* steps from one frame to the next; frame f shows the field after f * every steps */
  int64_t frames;
  int64_t frames_written; /* grows in the same epoch as the frame itself is written */
  int64_t blocks;
  double number; /* diffusion number: diffusivity * time step / cell width squared; stable up to 1/4 */
};

struct heat_block {
  int64_t target; /* rank in whose region the values stand */
  int64_t offset; /* of frame 0, bytes */
  int64_t x0;
  int64_t y0;
  int64_t nx;
  int64_t ny;
};

_Static_assert(sizeof(struct heat_header) == 80, "10 words of 8 bytes");
_Static_assert(sizeof(struct heat_block) == 48, "6 words of 8 bytes");

#endif
