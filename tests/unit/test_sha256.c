#include "support/support.h"

#include <string.h>

#include "io/sha256.h"

static void check(const void *data, size_t size, const char *expected)
{
    uint8_t digest[32];
    char text[65];
    memset(text, 'x', sizeof text);
    sha256(data, size, digest);
    sha256_text(digest, text);
    assert_string_equal(text, expected);
}

/* FIPS 180-4 examples (csrc.nist.gov, "SHA256.pdf" and the long message of the older appendix). */
static void published_examples(void **state)
{
    (void)state;
    static char many[1000000];
    memset(many, 'a', sizeof many);
    check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check(many, sizeof many, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    check(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* Around the places where the padding needs a second block. Expected values from Python's hashlib. */
static void every_padding(void **state)
{
    (void)state;
    const struct {
        size_t size;
        const char *expected;
    } cases[] = {
        {55, "16fa57a0a3423a715d594516339f36189d6b5f93754a9714fef202616a9fabfe"},
        {56, "c37b44e5f1b18554b36966f4f8e08bfbf3164c4b6c10374d12d89850892073c5"},
        {63, "bbba992d2c85af960fb2987a1fd05e0aa82a3db3c740dd8982a9e273b75e36a3"},
        {64, "66bd4633ed6f71c4ecfa4763bf7ba1c8ec7612de9aa6c0578a7b675207c71e0b"},
        {65, "9f7dc47107b750a1f3d35db5d9547f24ef40da5b731b9540d4f43710a154f6c9"},
        {119, "a3ed307b730fa77c07531300c6e4a282330011d4d4caf6bb7b63ae05950f4b66"},
        {120, "8e3b15d9fea7472655aa069620b7f8c2e55ee1499f763200a7515fe826e99d20"},
        {1000, "095ecb62e30793ab4b954cd6a0586d0cc91f7ea5b1332694d8da780e98676d78"},
    };
    unsigned char message[1000];
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (unsigned char)(7 * i + 1);
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        check(message, cases[i].size, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(every_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
