/* SHA-256 (by OpenSSL's libcrypto): identities, checksums and digests. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_HEX = 65 }; /* 64 hexadecimal digits and a NUL */

struct hash; /* one running SHA-256 */

struct hash *hash_new(void);
void hash_add(struct hash *h, const void *bytes, size_t n);
/* The text and its NUL, so that "ab","c" and "a","bc" differ. */
void hash_add_text(struct hash *h, const char *text);
/* Writes the digest and frees h. */
void hash_end(struct hash *h, char hex[HASH_HEX]);
void hash_bytes(const void *bytes, size_t n, char hex[HASH_HEX]);
/* The first 8 bytes of a digest as a number: a random key. */
uint64_t hash_to_key(const char hex[HASH_HEX]);

#endif
