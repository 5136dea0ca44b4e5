#include "sweep/space.h"

#include <stdlib.h>
#include <string.h>

#include "sweep/samplers.h"

static void dimension_fini(struct dimension *d)
{
    free(d->name);
    for (int i = 0; i < d->n; i++)
        value_fini(&d->choices[i]);
    free(d->choices);
}

void space_fini(struct space *s)
{
    for (int i = 0; i < s->n; i++)
        dimension_fini(&s->dimensions[i]);
    free(s->dimensions);
    *s = (struct space){0};
}

const struct dimension *space_find(const struct space *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->dimensions[i].name, name) == 0)
            return &s->dimensions[i];
    return NULL;
}

static bool in_group(const char *name, const char *group)
{
    size_t n = strlen(group);
    return strncmp(name, group, n) == 0 && name[n] == '.';
}

bool space_active(const struct model_kind *kind, const char *name)
{
    if (strcmp(name, "model") == 0)
        return true;
    if (strcmp(name, "channels") == 0)
        return !kind->blind; /* and where a point's features are no statistics: model_reads */
    return in_group(name, kind->name) || (kind->by_epochs && in_group(name, "train"));
}

static void complete_channels(struct params *point)
{
    if (params_get(point, "channels"))
        return;
    struct value name = value_text("signed_size"), list = value_list(1, &name);
    params_set(point, "channels", &list);
    value_fini(&list);
    value_fini(&name);
}

void space_activate(struct params *point)
{
    const char *model = params_text(point, "model");
    const struct model_kind *kind = model ? model_find(model) : NULL;
    if (!kind)
        return; /* no such model: samplers and configuration say so */
    for (int i = point->n - 1; i >= 0; i--)
        if (!space_active(kind, point->entries[i].name))
            params_remove(point, point->entries[i].name);
    params_complete(point, kind->name, kind->params);
    if (model_reads(point).channels)
        complete_channels(point);
    else
        params_remove(point, "channels");
    if (kind->by_epochs)
        params_complete(point, "train", train_params);
}
