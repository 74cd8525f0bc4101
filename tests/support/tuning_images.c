/* tuning_images STUDY: the images on which a study's search judges, of the classes of its tasks, as a list that a study takes. For tests. */
#include <stdio.h>

#include "pipeline/launcher.h"
#include "pipeline/search_study.h"

static status print(comm *world, arena *a, arena *scratch, const char *path)
{
    plan p;
    search_study t;
    TRY(plan_build(world, a, path, 0, NULL, &p));
    TRY(search_study_open(a, scratch, &p.study, 0, ALL_KINDS, &t));
    const dataset *d = p.study.evaluation_data;
    for (size_t i = 0; i < t.study.n_evaluations; i++) {
        const sample_list *l = &t.study.evaluations[i].samples;
        for (size_t k = 0; k < l->n; k++) {
            (void)printf("%s,%s\n", d->path[l->sample[k]], d->class_name[d->label[l->sample[k]]]);
        }
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    comm world;
    arena *a = NULL, *scratch = NULL;
    launcher_prepare();
    status st = argc == 2 ? comm_start(&argc, &argv, &world) : FAIL(ST_USAGE, "usage: tuning_images STUDY");
    if (status_ok(st)) {
        st = arena_open("study", &a);
    }
    if (status_ok(st)) {
        st = arena_open("scratch", &scratch);
    }
    if (status_ok(st)) {
        st = print(&world, a, scratch, argv[1]);
    }
    if (!status_ok(st)) {
        (void)fprintf(stderr, "%s\n", status_message());
    }
    arena_close(&scratch);
    arena_close(&a);
    if (argc == 2) {
        comm_finish(&world);
    }
    return status_ok(st) ? 0 : 1;
}
