/* Memory.
 *
 * Small things (names, tables, messages) come from memory_new and memory_resize, which end the program with a
 * line on stderr where the system has no more: there is nothing sensible left to do. Large things, whose size
 * follows from a user's data or parameters, come from slab_new, which says no instead: one slab, sized in one
 * place, cut into aligned pieces. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

#include "base/status.h"

/* n zeroed bytes; never NULL. */
void *memory_new(size_t n);
void *memory_resize(void *p, size_t n);
char *memory_text(const char *text);
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* n bytes of any content, for free; NULL where there are none. In large pages where the system has them: filling gigabytes page by page takes longer than
 * computing what goes there. */
void *memory_large(size_t n);

/* Pieces of a slab start at multiples of this many bytes. */
enum { SLAB_ALIGNMENT = 64 };

/* A slab is measured first (base NULL: slab_take only counts), then taken, then cut by the same calls:
 *   struct slab s = {0};  layout(&s);  TRY(slab_new(&s, "what", e));  layout(&s); */
struct slab {
    char *base; /* owned */
    size_t used, size;
};

/* Allocates what was counted, zeroed, and starts cutting anew. STATUS_MEMORY names `what` and the bytes. */
enum status slab_new(struct slab *s, const char *what, struct error *e);
/* The next n bytes; NULL while only counting. */
void *slab_take(struct slab *s, size_t n);
void slab_fini(struct slab *s);

#endif
