#include "io/h5_trial.h"
#include "pipeline/doctor/check.h"

static status run(const doctor *d, check *out)
{
    h5_versions v;
    file_bytes trial = {NULL, 0};
    h5_trial_versions(&v);
    if (v.built[0] != v.found[0] || v.built[1] != v.found[1] || v.built[2] != v.found[2]) {
        check_say(out, CHECK_FAILED,
                  "load the modules of the build, or set LD_LIBRARY_PATH to that version, or build Pollard again",
                  "built with the headers of %u.%u.%u, but the library that was loaded is %u.%u.%u", v.built[0],
                  v.built[1], v.built[2], v.found[0], v.found[1], v.found[2]);
    } else if (!status_ok(h5_trial_make(d->arena, &trial))) {
        check_say(out, CHECK_FAILED, "install the library again, or another version", "a file cannot be made: %.200s",
                  status_message());
        status_clear();
    } else {
        check_say(out, CHECK_OK, "", "%u.%u.%u, header and library alike; makes files", v.found[0], v.found[1],
                  v.found[2]);
    }
    return STATUS_OK;
}

const check_def check_hdf5 = {"hdf5", "HDF5 library, header against library, and that it makes files", ST_ENVIRONMENT,
                              run};
