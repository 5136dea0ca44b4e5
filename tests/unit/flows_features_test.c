/* Scaling beside what flows/features.h says of it, worked out plainly: all scalings, packets at either end, rows that are all shorter than the steps. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "flows/build.h"
#include "flows/features.h"
#include "flows/flows_read.h"

enum { ROWS = 60, STEPS = 9, LONGEST = 7, CHANNELS = 3, WIDTH = STEPS * CHANNELS };

static struct flows flows;
static struct params data;
static struct rows rows = {.n = ROWS / 2}; /* every second one */

static void set(const char *name, const char *text)
{
    struct value v = value_text(text);
    params_set(&data, name, &v);
    value_fini(&v);
}

static void begin(void)
{
    struct flows_builder b;
    struct error e;
    struct random r = random_of(15, 1);
    flows_builder_init(&b, STEPS, 1u << CHANNEL_SIGNED_SIZE | 1u << CHANNEL_IAT | 1u << CHANNEL_DIRECTION);
    rows.row = memory_new(ROWS * sizeof *rows.row);
    rows.y = memory_new(ROWS * sizeof *rows.y);
    for (int i = 0; i < ROWS; i++) {
        CU_ASSERT_EQUAL_FATAL(flows_builder_room(&b, &e), STATUS_OK);
        b.length[i] = 1 + (int)random_below(&r, LONGEST);
        b.row[i] = i;
        for (int t = 0; t < b.length[i]; t++) {
            size_t at = (size_t)i * STEPS + (size_t)t;
            b.direction[at] = random_below(&r, 3) ? 1 : -1;
            b.size[at] = (float)(b.direction[at] * (1 + (int)random_below(&r, 2000)));
            b.iat[at] = (float)random_double(&r);
        }
        label_set_add(&b.labels, i % 3 ? "a" : "b", 1, &b.label[i], &e);
        b.n++;
        if (i % 2 == 0)
            rows.row[i / 2] = i;
    }
    CU_ASSERT_EQUAL_FATAL(flows_builder_finish(&b, NULL, &flows, &e), STATUS_OK);
    params_complete(&data, NULL, data_params);
}

static void end(void)
{
    flows_fini(&flows);
    params_fini(&data);
    free(rows.row);
    free(rows.y);
}

/* The numbers that go into the scaling of a column: of its channel, or, for "minmax", its own; in the order of rows. Returns how many. */
static int numbers_of(const struct features *x, int column, bool own, bool padding, double *out)
{
    float raw[ROWS * WIDTH];
    int found = 0;
    features_gather_raw(x, rows.row, rows.n, raw);
    for (int i = 0; i < rows.n; i++) {
        int length = flows.length[rows.row[i]], first = x->align_end ? STEPS - length : 0;
        for (int j = 0; j < WIDTH; j++) {
            bool there = padding || (j / CHANNELS >= first && j / CHANNELS < first + length);
            if (there && (own ? j == column : j % CHANNELS == column % CHANNELS))
                out[found++] = (double)raw[i * WIDTH + j];
        }
    }
    return found;
}

static void expect(const char *scaling, const double *x, int n, double *offset, double *spread)
{
    double least = INFINITY, most = -INFINITY, sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
        sum += x[i];
    }
    for (int i = 0; i < n; i++)
        squares += (x[i] - sum / n) * (x[i] - sum / n);
    bool standard = strcmp(scaling, "standard") == 0, minmax = strcmp(scaling, "minmax") == 0, none = n == 0 || strcmp(scaling, "none") == 0;
    *offset = none ? 0 : standard ? sum / n : minmax ? least : 0;
    *spread = none ? 1 : standard ? sqrt(squares / n) : minmax ? most - least : fmax(fabs(least), fabs(most));
}

static void check_scaling(const char *scaling, const char *align)
{
    struct features x;
    struct value list;
    struct error e;
    double numbers[ROWS * WIDTH], offset, spread;
    bool minmax = strcmp(scaling, "minmax") == 0, padding = minmax && strcmp(align, "end") == 0;
    set("scaling", scaling);
    set("align", align);
    CU_ASSERT_EQUAL_FATAL(value_from_json("[\"iat\",\"signed_size\",\"direction\"]", &list, &e), STATUS_OK);
    CU_ASSERT_EQUAL_FATAL(features_fit(&x, &flows, &data, &list, STEPS, &rows, &e), STATUS_OK);
    for (int j = 0; j < WIDTH; j++) {
        expect(scaling, numbers, numbers_of(&x, j, minmax, padding, numbers), &offset, &spread);
        CU_ASSERT_EQUAL(x.offset[j], (float)offset);
        CU_ASSERT_EQUAL(x.factor[j], spread > 0 ? (float)(1 / spread) : 1);
    }
    value_fini(&list);
    features_fini(&x);
}

static void test_scaling(void)
{
    static const char *const scalings[] = {"symmetric", "standard", "minmax", "none"}, *const aligns[] = {"start", "end"};
    begin();
    for (int s = 0; s < 4; s++)
        for (int a = 0; a < 2; a++)
            check_scaling(scalings[s], aligns[a]);
    end();
}

UNIT_MAIN({"scaling", test_scaling})
