/* One CUnit suite a file: UNIT_MAIN lists its tests and is the program's main. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/Basic.h>

#define UNIT_MAIN(...)                                                                                       \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        (void)argc;                                                                                          \
        static CU_TestInfo tests[] = {__VA_ARGS__, CU_TEST_INFO_NULL};                                       \
        CU_SuiteInfo suites[] = {{argv[0], NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};              \
        if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)            \
            return 70;                                                                                       \
        CU_basic_set_mode(CU_BRM_VERBOSE);                                                                   \
        CU_basic_run_tests();                                                                                \
        unsigned failures = CU_get_number_of_failures();                                                     \
        CU_cleanup_registry();                                                                               \
        return failures ? 1 : 0;                                                                             \
    }

#endif
