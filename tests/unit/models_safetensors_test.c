/* Weight files: there and back to the bit, and everything that hostile bytes may try. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/safetensors.h"

static struct network net;
static float *weights, *stats, *found, *found_stats;
static struct buffer file;

static void begin(void)
{
    network_init(&net, &(struct network_input){.steps = 8, .n_channels = 2, .clip = 3, .embedding = 2});
    network_add(&net, (struct layer){.type = LAYER_CONV1D, .width = 3, .kernel_size = 2});
    network_add(&net, (struct layer){.type = LAYER_BATCH_NORM});
    network_add(&net, (struct layer){.type = LAYER_GRU, .units = 2, .reset_after = true});
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = 2});
    weights = memory_new(net.n_weights * sizeof *weights);
    found = memory_new(net.n_weights * sizeof *found);
    stats = memory_new(net.n_stats * sizeof *stats);
    found_stats = memory_new(net.n_stats * sizeof *found_stats);
    network_start(&net, weights, stats, 5);
    file = (struct buffer){0};
    safetensors_write(&net, weights, stats, &file);
}

static void end(void)
{
    free(weights);
    free(found);
    free(stats);
    free(found_stats);
    buffer_fini(&file);
}

/* In a block of exactly n bytes, so that a sanitizer sees a read past the end. */
static enum status read_back(const void *bytes, size_t n)
{
    struct error e = {0};
    void *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    enum status s = safetensors_read(&net, copy, n, found, found_stats, &e);
    CU_ASSERT(s == STATUS_OK || (s == STATUS_DATA && e.message[0] && !strchr(e.message, '\n')));
    free(copy);
    return s;
}

static void test_round_trip(void)
{
    begin();
    uint64_t length;
    memcpy(&length, file.data, 8);
    CU_ASSERT_EQUAL(length % 8, 0);
    CU_ASSERT_EQUAL(file.size, 8 + length + 4 * (net.n_weights + net.n_stats));
    CU_ASSERT_EQUAL(read_back(file.data, file.size), STATUS_OK);
    CU_ASSERT_EQUAL(memcmp(found, weights, net.n_weights * sizeof *weights), 0);
    CU_ASSERT_EQUAL(memcmp(found_stats, stats, net.n_stats * sizeof *stats), 0);
    end();
}

static void test_every_truncation(void)
{
    begin();
    for (size_t n = 0; n < file.size; n++)
        CU_ASSERT_EQUAL(read_back(file.data, n), STATUS_DATA);
    buffer_put_u8(&file, 0); /* and one byte too many */
    CU_ASSERT_EQUAL(read_back(file.data, file.size), STATUS_DATA);
    end();
}

/* Every byte of length and header, with some values: an error or other weights, never worse. */
static void test_every_byte(void)
{
    const char values[] = {0, '0', '9', '-', '"', '}', '[', (char)0xff};
    begin();
    uint64_t length;
    memcpy(&length, file.data, 8);
    for (size_t i = 0; i < 8 + length; i++) {
        char kept = file.data[i];
        for (size_t v = 0; v < sizeof values; v++) {
            file.data[i] = values[v];
            read_back(file.data, file.size);
        }
        file.data[i] = kept;
    }
    end();
}

/* The header with `from` replaced by `to`. */
static enum status with(const char *from, const char *to)
{
    uint64_t length;
    memcpy(&length, file.data, 8);
    struct buffer out = {0}, header = {0};
    const char *at = strstr(file.data + 8, from); /* the header's text comes first */
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    buffer_put(&header, file.data + 8, (size_t)(at - file.data) - 8);
    buffer_puts(&header, to);
    buffer_put(&header, at + strlen(from), (size_t)(file.data + 8 + length - at) - strlen(from));
    buffer_put_u64(&out, header.size);
    buffer_put(&out, header.data, header.size);
    buffer_put(&out, file.data + 8 + length, file.size - 8 - length);
    enum status s = read_back(out.data, out.size);
    buffer_fini(&header);
    buffer_fini(&out);
    return s;
}

static void test_other_headers(void)
{
    begin();
    CU_ASSERT_EQUAL(with("made_by", "made_by"), STATUS_OK); /* the tool itself changes nothing */
    CU_ASSERT_EQUAL(with("0.embedding.embeddings", "0.embedding.other"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("\"F32\"", "\"F16\""), STATUS_DATA);
    CU_ASSERT_EQUAL(with("\"F32\"", "32"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[8,2]", "[2,8]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[8,2]", "[16]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "[-64,0]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "[0.5,64.5]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "[64,0]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "[1e999,1e999]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "[18446744073709551552,18446744073709551616]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "[]"), STATUS_DATA);
    CU_ASSERT_EQUAL(with("[0,64]", "null"), STATUS_DATA);
    CU_ASSERT_EQUAL(
        with("{\"__metadata__\"",
             "{\"more\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"__metadata__\""),
        STATUS_DATA);
    end();
}

/* Replaces one number of what is written, and expects the file to be refused. */
static void refuse_number(float *where, float x)
{
    float kept = *where;
    *where = x;
    buffer_clear(&file);
    safetensors_write(&net, weights, stats, &file);
    *where = kept;
    CU_ASSERT_EQUAL(read_back(file.data, file.size), STATUS_DATA);
}

static void test_numbers(void)
{
    begin();
    refuse_number(&weights[3], NAN);
    refuse_number(&weights[net.n_weights - 1], INFINITY);
    refuse_number(&stats[net.n_stats - 1], -0.5f); /* a variance */
    end();
}

static void test_length(void)
{
    const uint64_t lengths[] = {0, 1, file.size, 100000000, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    begin();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(file.data, &lengths[i], 8);
        CU_ASSERT_EQUAL(read_back(file.data, file.size), STATUS_DATA);
    }
    end();
}

UNIT_MAIN({"there and back", test_round_trip}, {"every truncation", test_every_truncation},
          {"every byte", test_every_byte}, {"other headers", test_other_headers},
          {"numbers that cannot be", test_numbers}, {"header lengths", test_length})
