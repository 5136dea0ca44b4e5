/* Parameters of a trial on the toy flows, set one by one in the words of a configuration. */
#ifndef TOY_PARAMS_H
#define TOY_PARAMS_H

#include "unit.h"

#include "base/param.h"

static struct params params;

static void set(const char *name, const char *json)
{
    struct value v;
    struct error e;
    CU_ASSERT_EQUAL_FATAL(value_from_json(json, &v, &e), STATUS_OK);
    params_set(&params, name, &v);
    value_fini(&v);
}

#endif
