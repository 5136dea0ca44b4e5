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
