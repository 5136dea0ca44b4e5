#include "sweep/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernels.h"
#include "base/memory.h"

void mix_init(struct mix *m, const struct ensemble_request *r, const uint8_t *fold, int left_out)
{
    size_t n = (size_t)r->n;
    *m = (struct mix){.r = r};
    m->rows = memory_new(n * sizeof *m->rows);
    m->y = memory_new(n * sizeof *m->y);
    m->asked = memory_new(n * sizeof *m->asked);
    m->first = memory_new((n + 1) * sizeof *m->first);
    m->proba = memory_new((size_t)r->n_candidates * sizeof *m->proba);
    m->labels = memory_new(n * sizeof *m->labels);
    m->open = memory_new(n * sizeof *m->open);
    m->proba_room = memory_new(n * (size_t)r->k * sizeof *m->proba_room);
    for (int i = 0; i < r->n; i++)
        if (left_out < 0 || fold[i] != left_out) {
            m->y[m->n] = r->y[i];
            m->rows[m->n++] = i;
        }
}

void mix_fini(struct mix *m)
{
    for (int c = 0; c < m->r->n_candidates; c++)
        free(m->proba[c]);
    free(m->rows);
    free(m->y);
    free(m->asked);
    free(m->first);
    free(m->classes);
    free(m->proba);
    free(m->least);
    free(m->most);
    free(m->sum);
    free(m->labels);
    free(m->open);
    free(m->proba_room);
}

static const float *proba_of(const struct mix *m, int candidate, int row)
{
    return m->r->candidates[candidate].proba + (size_t)m->rows[row] * (size_t)m->r->k;
}

/* Of proba_room. */
static double score_of_room(const struct mix *m)
{
    double all[METRIC_COUNT];
    metrics_of(m->proba_room, m->y, m->n, m->r->k, all, NULL, NULL);
    return all[m->r->metric] * metric_sign(m->r->metric);
}

double mix_score_alone(const struct mix *m, int candidate)
{
    size_t k = (size_t)m->r->k;
    for (int i = 0; i < m->n; i++)
        memcpy(m->proba_room + (size_t)i * k, proba_of(m, candidate, i), k * sizeof *m->proba_room);
    return score_of_room(m);
}

/* --- cells --- */

/* Classes of a row that some mix may give the most: those that no other is ahead of in every candidate. Sums, in doubles, of floats keep that: they are
 * rounded far more finely than floats differ. Returns how many; room (2 k): the least and the most of each class. */
static int contenders(const struct mix *m, const int *library, int n, int row, float *room, int32_t *out)
{
    int k = m->r->k, found = 0;
    float *restrict least = room, *restrict most = room + k, ahead = -INFINITY;
    memcpy(least, proba_of(m, library[0], row), (size_t)k * sizeof *least);
    memcpy(most, least, (size_t)k * sizeof *most);
    for (int i = 1; i < n; i++) {
        const float *p = proba_of(m, library[i], row);
        for (int c = 0; c < k; c++) {
            least[c] = p[c] < least[c] ? p[c] : least[c];
            most[c] = p[c] > most[c] ? p[c] : most[c];
        }
    }
    for (int c = 0; c < k; c++)
        ahead = least[c] > ahead ? least[c] : ahead;
    for (int c = 0; c < k; c++)
        if (most[c] >= ahead)
            out[found++] = c;
    return found;
}

/* Classes of a row that the metric asks; a row with one contender has its label for good. */
static int ask(struct mix *m, const int *library, int n, int row, float *room, int32_t *out)
{
    if (m->r->metric < METRIC_LOG_LOSS) {
        int found = contenders(m, library, n, row, room, out);
        m->labels[row] = found > 0 ? out[0] : 0; /* none: its probabilities are no numbers */
        return found > 1 ? found : 0;
    }
    if (m->r->metric == METRIC_LOG_LOSS) {
        out[0] = m->y[row];
        return 1;
    }
    for (int c = 0; c < m->r->k; c++)
        out[c] = c;
    return m->r->k;
}

static void make_room(struct mix *m, size_t capacity)
{
    m->classes = memory_resize(m->classes, capacity * sizeof *m->classes);
    if (m->r->metric >= METRIC_LOG_LOSS)
        return;
    m->least = memory_resize(m->least, capacity * sizeof *m->least);
    m->most = memory_resize(m->most, capacity * sizeof *m->most);
}

/* Returns how many. */
static size_t list_cells(struct mix *m, const int *library, int n)
{
    size_t k = (size_t)m->r->k, cells = 0, capacity = 0;
    float *room = memory_new(2 * k * sizeof *room);
    for (int i = 0; i < m->n; i++) {
        if (cells + k > capacity) {
            capacity = 2 * capacity + k;
            make_room(m, capacity);
        }
        int found = ask(m, library, n, i, room, m->classes + cells);
        for (size_t j = cells; m->least && j < cells + (size_t)found; j++) {
            m->least[j] = room[m->classes[j]];
            m->most[j] = room[k + (size_t)m->classes[j]];
        }
        m->asked[m->n_asked] = i;
        m->n_asked += found > 0;
        cells += (size_t)found;
        m->first[m->n_asked] = cells;
    }
    free(room);
    return cells;
}

void mix_take_library(struct mix *m, const int *library, int n)
{
    size_t cells = list_cells(m, library, n);
    m->sum = memory_new(cells * sizeof *m->sum);
    for (int l = 0; l < n; l++) {
        float *to = m->proba[library[l]] = memory_new(cells * sizeof *to);
        for (int a = 0; a < m->n_asked; a++) {
            const float *p = proba_of(m, library[l], m->asked[a]);
            for (size_t i = m->first[a]; i < m->first[a + 1]; i++)
                to[i] = p[m->classes[i]];
        }
    }
}

/* --- members --- */

void mix_clear(struct mix *m)
{
    memset(m->sum, 0, m->first[m->n_asked] * sizeof *m->sum);
    m->size = 0;
    m->n_open = m->n_asked;
    for (int a = 0; a < m->n_asked; a++)
        m->open[a] = a;
}

/* Where the largest of n sums stands, with p added where it is given; of equal ones the first. */
static inline __attribute__((always_inline)) int largest(const double *sum, const float *p, int n)
{
    double most = p ? sum[0] + (double)p[0] : sum[0];
    int at = 0;
    for (int i = 1; i < n; i++) {
        double x = p ? sum[i] + (double)p[i] : sum[i];
        at = x > most ? i : at;
        most = x > most ? x : most;
    }
    return at;
}

/* A row's n sums, the largest of which stands at `own`: may another be the largest with one member more? */
KERNEL static bool may_change(const double *restrict sum, const float *restrict least, const float *restrict most, int n, int own)
{
    const double tiny = 1e-9; /* more than sums are rounded by */
    double floor = sum[own] + (double)least[own] - tiny;
    int reach = 0; /* its own too */
    for (int i = 0; i < n; i++)
        reach += sum[i] + (double)most[i] >= floor;
    return reach > 1;
}

static void find_open(struct mix *m)
{
    m->n_open = 0;
    for (int a = 0; a < m->n_asked; a++) {
        size_t first = m->first[a];
        int n = (int)(m->first[a + 1] - first), own = largest(m->sum + first, NULL, n);
        m->labels[m->asked[a]] = m->classes[first + (size_t)own];
        m->open[m->n_open] = a;
        m->n_open += may_change(m->sum + first, m->least + first, m->most + first, n, own);
    }
}

KERNEL static void add_up(double *restrict sum, const float *restrict p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += (double)p[i];
}

void mix_add(struct mix *m, int candidate)
{
    add_up(m->sum, m->proba[candidate], m->first[m->n_asked]);
    m->size++;
    if (m->r->metric < METRIC_LOG_LOSS)
        find_open(m);
}

static double score_labels(struct mix *m, const float *p)
{
    double all[METRIC_COUNT];
    for (int o = 0; o < m->n_open; o++) {
        int a = m->open[o];
        size_t first = m->first[a];
        int at = largest(m->sum + first, p + first, (int)(m->first[a + 1] - first));
        m->labels[m->asked[a]] = m->classes[first + (size_t)at];
    }
    metrics_of_labels(m->labels, m->y, m->n, m->r->k, all, NULL, NULL);
    return all[m->r->metric];
}

double mix_score_with(struct mix *m, int candidate)
{
    const float *p = m->proba[candidate];
    double loss = 0;
    if (m->r->metric < METRIC_LOG_LOSS)
        return score_labels(m, p);
    for (size_t i = 0; i < m->first[m->n_asked]; i++)
        m->proba_room[i] = (float)((m->sum[i] + (double)p[i]) / (m->size + 1));
    if (m->r->metric > METRIC_LOG_LOSS)
        return score_of_room(m);
    for (int i = 0; i < m->n; i++)
        loss += metrics_nats(m->proba_room[i]);
    return -loss / m->n;
}
