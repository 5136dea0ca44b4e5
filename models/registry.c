#include <stdio.h>
#include <string.h>

#include "models/model.h"

extern const struct model_kind model_majority, model_knn, model_dnn, model_cnn_lstm, model_random_forest, model_extra_trees;

/* The order is that of help, documents and plans. */
const struct model_kind *const model_kinds[] = {
    &model_majority, &model_knn, &model_dnn, &model_cnn_lstm, &model_random_forest, &model_extra_trees, NULL,
};

const struct model_kind *model_find(const char *name)
{
    for (int i = 0; model_kinds[i]; i++)
        if (strcmp(model_kinds[i]->name, name) == 0)
            return model_kinds[i];
    return NULL;
}

struct model_reads model_reads(const struct params *point)
{
    char name[64];
    const char *model = params_text(point, "model");
    snprintf(name, sizeof name, "%s.features", model);
    const struct value *list = params_get(point, name);
    const struct model_kind *kind = model_find(model);
    struct model_reads r = {.channels = !list && !(kind && kind->blind)};
    for (int i = 0; list && i < list->n; i++) {
        r.channels |= strcmp(list->items[i].text, "sequence") == 0;
        r.statistics |= strcmp(list->items[i].text, "statistics") == 0;
    }
    return r;
}
