/* Flows by formula, the same in tests/golden/make_torch.py: 100 rows of 12 packets, sizes from -1500 to 1500, 5 classes. */
#ifndef TESTS_TOY_FLOWS_H
#define TESTS_TOY_FLOWS_H

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/build.h"
#include "flows/features.h"
#include "flows/flows_read.h"

enum { TOY_ROWS = 100, TOY_STEPS = 12, TOY_CLASSES = 5 };

static int toy_size(int i, int t)
{
    return i == 0 && t == 0 ? 1500 : (int)((unsigned)(i * 7919 + t * 104729 + (i % TOY_CLASSES) * 31337 * (t % 3)) % 3001u) - 1500;
}

struct toy {
    struct flows flows;
    struct rows rows; /* all of them */
    struct params data;
    struct features x;
};

static void toy_init(struct toy *toy, const char *channels)
{
    struct flows_builder b;
    struct error e;
    struct value list;
    memset(toy, 0, sizeof *toy);
    flows_builder_init(&b, TOY_STEPS, 1u << CHANNEL_SIGNED_SIZE | 1u << CHANNEL_SIZE | 1u << CHANNEL_DIRECTION);
    toy->rows = (struct rows){TOY_ROWS, memory_new(TOY_ROWS * 4), memory_new(TOY_ROWS * 4)};
    for (int i = 0; i < TOY_ROWS; i++) {
        char name[2] = {(char)('a' + i % TOY_CLASSES), 0};
        flows_builder_room(&b, &e);
        b.length[i] = TOY_STEPS;
        b.row[i] = i;
        for (int t = 0; t < TOY_STEPS; t++) {
            b.size[i * TOY_STEPS + t] = (float)toy_size(i, t);
            b.direction[i * TOY_STEPS + t] = toy_size(i, t) < 0 ? -1 : 1;
        }
        label_set_add(&b.labels, name, 1, &b.label[i], &e);
        toy->rows.row[i] = i;
        toy->rows.y[i] = i % TOY_CLASSES;
        b.n++;
    }
    flows_builder_finish(&b, NULL, &toy->flows, &e);
    params_complete(&toy->data, NULL, data_params);
    value_from_json(channels, &list, &e);
    features_fit(&toy->x, &toy->flows, &toy->data, &list, TOY_STEPS, &toy->rows, &e);
    value_fini(&list);
}

static void toy_fini(struct toy *toy)
{
    features_fini(&toy->x);
    flows_fini(&toy->flows);
    params_fini(&toy->data);
    free(toy->rows.row);
    free(toy->rows.y);
}

/* Weights by formula. */
static inline float toy_weight(size_t i, float scale)
{
    return ((float)((i * 7919u + 13u) % 2000u) / 1000.0f - 1.0f) * scale;
}

#endif
