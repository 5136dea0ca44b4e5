#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct hash {
    EVP_MD_CTX *context;
};

struct hash *hash_new(void)
{
    struct hash *h = memory_new(sizeof *h);
    h->context = EVP_MD_CTX_new();
    if (!h->context || !EVP_DigestInit_ex(h->context, EVP_sha256(), NULL))
        abort();
    return h;
}

void hash_add(struct hash *h, const void *bytes, size_t n)
{
    if (n)
        EVP_DigestUpdate(h->context, bytes, n);
}

void hash_add_text(struct hash *h, const char *text)
{
    hash_add(h, text, strlen(text) + 1);
}

void hash_end(struct hash *h, char hex[HASH_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(h->context, digest, NULL);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(h->context);
    free(h);
}

void hash_bytes(const void *bytes, size_t n, char hex[HASH_HEX])
{
    struct hash *h = hash_new();
    hash_add(h, bytes, n);
    hash_end(h, hex);
}

uint64_t hash_to_key(const char hex[HASH_HEX])
{
    char first[17] = {0};
    memcpy(first, hex, 16);
    return strtoull(first, NULL, 16);
}
