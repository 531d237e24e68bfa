/* The picture: some time-steps of the field as panels, with isotherms and a colour scale, written as a PNG file. */
#ifndef HEAT_PNG_H
#define HEAT_PNG_H

enum { HEAT_PANELS_MOST = 6 };

struct heat_panel {
  const double* field; /* nx * ny values, x fastest, lower edge first */
  const char* label;
  int isotherms; /* whether to draw them: not for a field that jumps, where they would be ragged */
};

struct heat_picture {
  int nx, ny;
  int panels; /* 1 to HEAT_PANELS_MOST */
  struct heat_panel panel[HEAT_PANELS_MOST];
  double lowest, highest; /* of the colour scale, degrees Celsius */
  const char* title;
  const char* subtitle;
  const char* footer;
};

/* Writes the picture and tells its size in pixels. 0 where that fails; the reason stands on stderr. */
int heat_png_write(const char* path, const struct heat_picture* picture, int* width, int* height);

#endif
