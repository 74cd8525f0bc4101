#include "io/h5.h"

#include <stdlib.h>
#include <string.h>

#include "io/guard.h"

static herr_t keep_innermost(unsigned int n, const H5E_error2_t *e, void *out)
{
    if (n == 0 && e->desc != NULL) {
        (void)snprintf(out, 512, "%s", e->desc);
    }
    return 0;
}

/* "file write failed: time = ..., error message = 'No space left on device', buf = 0x..." -> the system's words alone. */
static const char *system_reason(char *text)
{
    static const char before[] = "error message = '";
    char *start = strstr(text, before);
    char *end = start == NULL ? NULL : strchr(start + sizeof before - 1, '\'');
    if (end == NULL) {
        return text;
    }
    *end = '\0';
    return start + sizeof before - 1;
}

status h5_fail(const h5_file *f, const char *object, const char *file, int line, const char *function)
{
    char reason[512] = "no reason given by HDF5";
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, reason);
    (void)H5Eclear2(H5E_DEFAULT);
    return status_fail(f->failure, file, line, function, "%s: %s: %s%s", f->path, object, system_reason(reason),
                       f->failure == ST_DATA ? "; " FILE_DAMAGED : "");
}

static herr_t close_any(hid_t id)
{
    switch (H5Iget_type(id)) {
    case H5I_FILE:
        return H5Fclose(id);
    case H5I_GROUP:
        return H5Gclose(id);
    case H5I_DATASET:
        return H5Dclose(id);
    case H5I_DATASPACE:
        return H5Sclose(id);
    case H5I_DATATYPE:
        return H5Tclose(id);
    case H5I_ATTR:
        return H5Aclose(id);
    case H5I_GENPROP_LST:
        return H5Pclose(id);
    default:
        return H5Oclose(id);
    }
}

status h5_close(status st, const h5_file *f, hid_t *id)
{
    if (*id >= 0 && close_any(*id) < 0) {
        st = status_first(st, h5_fail(f, "closing", __FILE__, __LINE__, __func__));
    }
    *id = H5I_INVALID_HID;
    return st;
}

hid_t h5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        (void)H5Tclose(type);
        type = H5I_INVALID_HID;
    }
    return type;
}
