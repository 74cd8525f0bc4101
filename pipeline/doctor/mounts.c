#include "pipeline/doctor/mounts.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 16384 };

/* Blanks and the like are written as \040. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        unsigned int code;
        if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1 && strspn(from + 1, "01234567") >= 3) {
            *to = (char)code;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Does `folder` lie at or below `mount`? */
static int covers(const char *mount, const char *folder)
{
    const size_t n = strcmp(mount, "/") == 0 ? 0 : strlen(mount);
    return strncmp(mount, folder, n) == 0 && (folder[n] == '/' || folder[n] == '\0');
}

/* Lines "27 1 254:0 / /mount/point rw,relatime shared:1 - ext4 /dev/vda rw"; of several that cover the folder the longest counts, and of
 * equal ones the last, which hides the others. */
void mounts_kind(const char *root, const char *folder, size_t size, char kind[])
{
    char path[PATH_BYTES], line[LINE_BYTES], mount[PATH_BYTES], type[64];
    size_t longest = 0;
    (void)snprintf(kind, size, "unknown");
    (void)snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *dash = strstr(line, " - ");
        if (dash == NULL || sscanf(line, "%*s %*s %*s %*s %4095s", mount) != 1 || sscanf(dash + 3, "%63s", type) != 1) {
            continue;
        }
        unescape(mount);
        if (covers(mount, folder) && strlen(mount) >= longest) {
            longest = strlen(mount);
            (void)snprintf(kind, size, "%s", type);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}
