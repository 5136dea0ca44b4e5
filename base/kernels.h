/* Inner loops that the compiler vectorizes: one version for every kind of processor, chosen when the program starts.
 *
 * No product is fused with a sum and no order is left to chance, so all versions give the same bits. They do not allocate. */
#ifndef BASE_KERNELS_H
#define BASE_KERNELS_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
/* Of loops that are not: shifts by a number that is known only at run time are an instruction less with BMI2. */
#define SHIFTING_KERNEL __attribute__((target_clones("bmi2", "default")))
#else
#define KERNEL
#define SHIFTING_KERNEL
#endif

#endif
