/* The book over places for sets of codes. */
#include "unit.h"

#include "mpi/sets.h"

static void test_places(void)
{
    struct sets s;
    sets_init(&s, 2);
    int a = sets_take(&s, "a"), b = sets_take(&s, "b");
    CU_ASSERT(a >= 0 && b >= 0 && a != b);
    CU_ASSERT_EQUAL(sets_take(&s, "a"), a); /* looked at by a second trial */
    CU_ASSERT_EQUAL(sets_take(&s, "c"), -1);
    uint64_t version = s.places[a].version;
    CU_ASSERT(version > 0 && version != s.places[b].version);
    sets_leave(&s, a);
    CU_ASSERT_EQUAL(sets_take(&s, "c"), -1); /* one of two still looks */
    sets_leave(&s, b);
    sets_leave(&s, a);
    CU_ASSERT_EQUAL(sets_take(&s, "a"), a); /* still there */
    CU_ASSERT_EQUAL(s.places[a].version, version);
    sets_leave(&s, a);
    CU_ASSERT_EQUAL(sets_take(&s, "c"), b); /* left before a was */
    CU_ASSERT_EQUAL(sets_take(&s, "b"), a);
    CU_ASSERT(s.places[a].version > version);
    sets_leave(&s, -1);
    sets_fini(&s);
}

static void test_none(void)
{
    struct sets s;
    sets_init(&s, 0);
    CU_ASSERT_EQUAL(sets_take(&s, "a"), -1);
    sets_fini(&s);
}

UNIT_MAIN({"places", test_places}, {"no places", test_none})
