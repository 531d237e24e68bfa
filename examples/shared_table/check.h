/* Whether the table is what the tickets make of it. */
#ifndef CHECK_H
#define CHECK_H

#include "table.h"

/* Collective over MPI_COMM_WORLD, in an epoch of MPI_Win_lock_all, when nobody works any more. Looks at every ticket,
 * every key and every slot and says on stdout and stderr what it finds. Up to `lost` tickets may have been drawn
 * without being done, by processes that were killed: of these it cannot be known beforehand how far they came, only
 * that nothing else may be in the table. Whether everything is right. */
int check_table(const struct table* t, long lost);

#endif
