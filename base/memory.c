#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

static void *checked(void *p)
{
    if (!p) {
        fputs("flowsweep: out of memory\n", stderr);
        exit(71);
    }
    return p;
}

void *memory_new(size_t n)
{
    return checked(calloc(n ? n : 1, 1));
}

void *memory_resize(void *p, size_t n)
{
    return checked(realloc(p, n ? n : 1));
}

void *memory_large(size_t n)
{
    enum { PAGE = 1 << 21 };
    void *p = n < 2 * PAGE ? malloc(n ? n : 1) : aligned_alloc(PAGE, (n + PAGE - 1) / PAGE * PAGE);
#if defined(MADV_HUGEPAGE)
    if (p && n >= 2 * PAGE)
        madvise(p, n, MADV_HUGEPAGE);
#endif
    return p;
}

char *memory_text(const char *text)
{
    return checked(strdup(text));
}

char *memory_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(n < 0 ? NULL : text);
}

enum status slab_new(struct slab *s, const char *what, struct error *e)
{
    size_t size = s->used;
    *s = (struct slab){0};
    bool refused = fault_at(FAULT_ALLOCATE) == FAULT_ACTION_FAIL;
    void *base = refused ? NULL : aligned_alloc(SLAB_ALIGNMENT, size ? size : SLAB_ALIGNMENT);
    if (!base)
        return error_set(e, STATUS_MEMORY, "%s: %zu MB of memory are not to be had", what, size >> 20);
    memset(base, 0, size);
    *s = (struct slab){base, 0, size};
    return STATUS_OK;
}

void *slab_take(struct slab *s, size_t n)
{
    size_t at = s->used;
    s->used += (n + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT;
    assert(!s->base || s->used <= s->size);
    return s->base ? s->base + at : NULL;
}

void slab_fini(struct slab *s)
{
    free(s->base);
    *s = (struct slab){0};
}
