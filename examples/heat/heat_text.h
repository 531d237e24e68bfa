/* Text for the picture: a small bitmap font, drawn at any size with smooth edges. */
#ifndef HEAT_TEXT_H
#define HEAT_TEXT_H

/* How much of the text covers a point: for coordinates in font units (a capital is 7 high, y downward from its top), 0
 * to 1. `sharpness` is the number of pixels of a font unit. Text is ASCII and \xB0 (degree); anything else is a box. */
double heat_text_cover(const char* text, double x, double y, double sharpness);

/* Width in font units. */
int heat_text_width(const char* text);

#endif
