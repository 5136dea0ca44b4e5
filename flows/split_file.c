/* Dealing by a file: one word a line, one line a row of the flows. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "flows/source.h"
#include "flows/split.h"

enum { NOT_NAMED = 255, LINE_MAX_BYTES = 64 };

static int find_part(const char *word)
{
    for (int part = 0; part < PART_COUNT; part++)
        if (strcmp(word, part_names[part]) == 0)
            return part;
    return -1;
}

/* Without the spaces and line ends around it, in place. */
static char *trim(char *line)
{
    line += strspn(line, " \t");
    size_t n = strlen(line);
    while (n && strchr(" \t\r\n", line[n - 1]))
        line[--n] = '\0';
    return line;
}

static enum status parse_line(char *line, const char *path, int64_t number, int *part, struct error *e)
{
    char *word = trim(line);
    *part = find_part(word);
    if (*part >= 0)
        return STATUS_OK;
    const char *near = word_nearest(word, part_names, PART_COUNT);
    return error_set(e, STATUS_DATA, "%s:%lld: \"%s\" is none of train, stop, validation, test%s%s%s", path,
                     (long long)number, word, near ? " (did you mean \"" : "", near ? near : "",
                     near ? "\"?)" : "");
}

/* words (n_words): part of each line; *n_lines counts up to the last line that is not blank. */
static enum status read_words(gzFile file, const char *path, uint8_t *words, int64_t n_words,
                              int64_t *n_lines, struct error *e)
{
    char line[LINE_MAX_BYTES + 2];
    int64_t blank = 0;
    *n_lines = 0;
    for (int64_t number = 1; gzgets(file, line, sizeof line); number++) {
        int part;
        size_t n = strlen(line);
        if (n < sizeof line - 1 && line[n - (n > 0)] != '\n' && !gzeof(file))
            return error_set(e, STATUS_DATA, "%s:%lld: a zero byte: this is no text", path, (long long)number);
        if (*trim(line) == '\0') {
            blank = blank ? blank : number;
            continue;
        }
        if (blank)
            return error_set(e, STATUS_DATA, "%s:%lld: the line is empty", path, (long long)blank);
        TRY(parse_line(line, path, number, &part, e));
        if (number <= n_words)
            words[number - 1] = (uint8_t)part;
        *n_lines = number;
    }
    int code;
    const char *text = gzerror(file, &code);
    if (code != Z_OK && code != Z_STREAM_END)
        return error_set(e, STATUS_DATA, "%s: %s", path, text);
    return STATUS_OK;
}

static enum status assign(struct split *s, const char *path, const uint8_t *words, int64_t n_lines,
                          struct error *e)
{
    const struct flows *f = s->flows;
    for (int i = 0; i < s->n; i++) {
        uint8_t part = words[f->row[i]];
        if (part == NOT_NAMED)
            return error_set(e, STATUS_DATA, "%s: %lld lines, but the flows have a row %d (counted from 0)",
                             path, (long long)n_lines, f->row[i]);
        if (part == PART_TEST && s->n < f->n)
            return error_set(e, STATUS_DATA, "%s:%d: names a test row, but data.test_path is the test part",
                             path, f->row[i] + 1);
        s->part[i] = part;
    }
    return STATUS_OK;
}

enum status split_file(struct split *s, struct error *e)
{
    const struct value *name = params_get(s->data, "split.path");
    if (!name || name->kind != VALUE_TEXT)
        return error_set(e, STATUS_CONFIG,
                         "split.path: method \"file\" needs the path of a file with one line a row");
    TRY(source_check(name->text, e));
    gzFile file = gzopen(name->text, "rb");
    if (!file)
        return error_set(e, STATUS_NO_INPUT, "%s: cannot be read (split.path)", name->text);
    int64_t n_words = s->n ? (int64_t)s->flows->row[s->n - 1] + 1 : 0, n_lines = 0;
    uint8_t *words = memory_new((size_t)n_words);
    memset(words, NOT_NAMED, (size_t)n_words);
    enum status status = read_words(file, name->text, words, n_words, &n_lines, e);
    if (status == STATUS_OK)
        status = assign(s, name->text, words, n_lines, e);
    if (status == STATUS_OK && n_lines > n_words)
        buffer_printf(&s->note, "the last %lld lines of split.path belong to no row; ",
                      (long long)(n_lines - n_words));
    gzclose(file);
    free(words);
    return status;
}
