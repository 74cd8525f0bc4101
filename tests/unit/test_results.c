/* Result files: what is in them, and what happens where they cannot be written. */
#include "unit/results_sample.h"

#include <hdf5.h>
#include <math.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static size_t files_in_scratch(const char *part)
{
    const char *command = arena_text(memory, "ls -A '%s' | grep -c -F -- '%s'", scratch_folder(), part);
    FILE *p = popen(command, "r"); /* NOLINT(cert-env33-c): a fixed command on our own folder */
    size_t n = 0;
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%zu", &n), 1); /* NOLINT(cert-err34-c): grep -c prints a number */
    (void)pclose(p);
    return n;
}

/* ---- reading back without the code under test ---- */

static void read_back(hid_t file, const char *path, hid_t type, size_t rank, const size_t dims[], void *out)
{
    hsize_t found[4] = {0};
    const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT), space = H5Dget_space(dataset);
    if (dataset < 0 || H5Sget_simple_extent_ndims(space) != (int)rank) {
        fail_msg("%s: absent or of another rank", path);
    }
    (void)H5Sget_simple_extent_dims(space, found, NULL);
    for (size_t i = 0; i < rank; i++) {
        assert_int_equal(found[i], dims[i]);
    }
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    (void)H5Sclose(space);
    (void)H5Dclose(dataset);
}

static void assert_disk_type(hid_t file, const char *path, hid_t expected)
{
    const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT), type = H5Dget_type(dataset);
    if (H5Tequal(type, expected) <= 0) {
        fail_msg("%s: another type on disk", path);
    }
    (void)H5Tclose(type);
    (void)H5Dclose(dataset);
}

/* Axis `axis` of the variable has the scale of this name, and the scale knows of it (HDF5 Dimension Scale Specification). */
static void assert_scale(hid_t file, const char *variable, size_t axis, const char *expected)
{
    hvl_t list[4];
    char name[64] = "", class[32] = "";
    typedef struct use_entry {
        hobj_ref_t variable;
        int axis;
    } use_entry;
    use_entry uses[64] = {{0, 0}};
    const hid_t dataset = H5Dopen2(file, variable, H5P_DEFAULT), attr = H5Aopen(dataset, "DIMENSION_LIST", H5P_DEFAULT);
    const hid_t lists = H5Tvlen_create(H5T_STD_REF_OBJ);
    assert_true(H5Aread(attr, lists, list) >= 0 && list[axis].len == 1);
    const hid_t scale = H5Rdereference2(dataset, H5P_DEFAULT, H5R_OBJECT, list[axis].p);
    assert_true(H5Iget_name(scale, name, sizeof name) > 0);
    assert_string_equal(name, expected);
    const hid_t type_of_class = H5Tcopy(H5T_C_S1), class_attr = H5Aopen(scale, "CLASS", H5P_DEFAULT);
    assert_true(H5Tset_size(type_of_class, sizeof class) >= 0 && H5Aread(class_attr, type_of_class, class) >= 0);
    assert_string_equal(class, "DIMENSION_SCALE");
    const hid_t use = H5Tcreate(H5T_COMPOUND, sizeof uses[0]), use_attr = H5Aopen(scale, "REFERENCE_LIST", H5P_DEFAULT);
    const hid_t space = H5Aget_space(use_attr);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    (void)H5Tinsert(use, "dataset", HOFFSET(use_entry, variable), H5T_STD_REF_OBJ);
    (void)H5Tinsert(use, "dimension", HOFFSET(use_entry, axis), H5T_NATIVE_INT);
    assert_true(n <= COUNT(uses) && H5Aread(use_attr, use, uses) >= 0);
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        const hid_t user = H5Rdereference2(dataset, H5P_DEFAULT, H5R_OBJECT, &uses[i].variable);
        (void)H5Iget_name(user, name, sizeof name);
        known += strcmp(name, variable) == 0 && uses[i].axis == (int)axis;
        (void)H5Dclose(user);
    }
    assert_int_equal(known, 1);
    const hid_t axes = H5Aget_space(attr);
    for (hssize_t i = 0; i < H5Sget_simple_extent_npoints(axes); i++) {
        (void)H5free_memory(list[i].p);
    }
    (void)H5Sclose(axes);
    const hid_t attrs[] = {attr, class_attr, use_attr}, types[] = {lists, type_of_class, use};
    for (size_t i = 0; i < 3; i++) {
        (void)H5Aclose(attrs[i]);
        (void)H5Tclose(types[i]);
    }
    (void)H5Sclose(space);
    (void)H5Dclose(scale);
    (void)H5Dclose(dataset);
}

static void dimensions_have_scales(void **state)
{
    (void)state;
    const char *path = scratch_path("scales.h5");
    assert_ok(results_write(path, sample(9)));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_scale(file, "/curves/class_correct", 0, "/curves/cell");
    assert_scale(file, "/curves/class_correct", 1, "/curves/rate");
    assert_scale(file, "/curves/class_correct", 2, "/curves/class_slot");
    assert_scale(file, "/curves/seed", 0, "/curves/cell");
    assert_scale(file, "/tracks/vit/heads/random/ranking", 1, "/tracks/vit/heads/random/position");
    assert_scale(file, "/provenance/host", 0, "/provenance/rank");
    (void)H5Fclose(file);
}

static void winograd_is_marked(void **state)
{
    (void)state;
    const char *path = scratch_path("winograd.h5");
    for (int winograd = 0; winograd < 2; winograd++) {
        results r = *sample(9);
        char text[9] = "";
        r.winograd = winograd != 0;
        assert_ok(results_write(path, &r));
        const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
        const hid_t attr = H5Aopen_by_name(file, "/curves", "convolutions", H5P_DEFAULT, H5P_DEFAULT);
        char *read = NULL;
        assert_true(H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0);
        assert_true(attr >= 0 && H5Aread(attr, type, &read) >= 0);
        (void)snprintf(text, sizeof text, "%s", read);
        (void)H5free_memory(read);
        (void)H5Tclose(type);
        (void)H5Aclose(attr);
        (void)H5Fclose(file);
        assert_string_equal(text, winograd ? "winograd" : "direct");
    }
}

static void file_names_need_not_be_utf8(void **state)
{
    (void)state;
    const char *path = scratch_path("utf8.h5");
    const size_t two = 2;
    char *names[2];
    assert_ok(results_write(path, sample(9)));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(type, H5T_VARIABLE);
    (void)H5Tset_cset(type, H5T_CSET_UTF8);
    read_back(file, "/provenance/path", type, 1, &two, names);
    assert_string_equal(names[0], "model.safetensors");
    assert_string_equal(names[1], "images/?\xc3\xa9.png");
    (void)H5free_memory(names[0]);
    (void)H5free_memory(names[1]);
    (void)H5Tclose(type);
    (void)H5Fclose(file);
}

/* Of both predictions, and the accuracy of the one that the study asks for. */
static void both_predictions_are_kept(void **state)
{
    (void)state;
    const char *path = scratch_path("prediction.h5");
    for (int p = 0; p < CURVE_PREDICTIONS; p++) {
        static const char *const names[] = {"/curves/correct", "/curves/correct_masked", "/curves/top5",
                                            "/curves/top5_masked"};
        results r = *sample(9);
        const size_t curve[] = {N_CELLS, N_RATES}, cube[] = {N_CELLS, N_RATES, 10};
        uint64_t counts[COUNT(names)][N_CELLS * N_RATES], right[N_CELLS * N_RATES * 10];
        double accuracy[N_CELLS * N_RATES];
        r.prediction = (curve_prediction)p;
        assert_ok(results_write(path, &r));
        const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        for (size_t i = 0; i < COUNT(names); i++) {
            read_back(file, names[i], H5T_NATIVE_UINT64, 2, curve, counts[i]);
        }
        read_back(file, "/curves/class_correct_masked", H5T_NATIVE_UINT64, 3, cube, right);
        read_back(file, "/curves/accuracy", H5T_NATIVE_DOUBLE, 2, curve, accuracy);
        for (size_t i = 0; i < N_CELLS * N_RATES; i++) {
            const result_cell *c = &r.cells[i / N_RATES];
            const size_t k = i % N_RATES;
            const uint64_t expected[] = {c->correct[k], c->correct_masked[k], c->top5[k], c->top5_masked[k]};
            for (size_t v = 0; v < COUNT(names); v++) {
                assert_int_equal(counts[v][i], expected[v]);
            }
            assert_true(accuracy[i] == (double)expected[p] / (double)c->total);
            for (size_t slot = 0; slot < 10; slot++) {
                assert_int_equal(right[i * 10 + slot],
                                 slot < c->n_classes ? c->class_correct_masked[k * c->n_classes + slot] : 0);
            }
        }
        (void)H5Fclose(file);
    }
}

static void rankings_of_criteria_are_kept(void **state)
{
    (void)state;
    const char *path = scratch_path("criteria.h5");
    const size_t n = N_CRITERIA;
    char *order[N_CRITERIA], *scope[N_CRITERIA];
    double floor[N_CRITERIA];
    assert_ok(results_write(path, sample(9)));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(type, H5T_VARIABLE);
    (void)H5Tset_cset(type, H5T_CSET_UTF8);
    read_back(file, "/criteria/order", type, 1, &n, order);
    read_back(file, "/criteria/scope", type, 1, &n, scope);
    read_back(file, "/criteria/floor", H5T_NATIVE_DOUBLE, 1, &n, floor);
    assert_string_equal(order[0], "least-first");
    assert_string_equal(order[1], "most-first");
    assert_string_equal(scope[0], "global");
    assert_string_equal(scope[1], "layer");
    assert_true(floor[0] == 0.25 && floor[1] == 0.0);
    for (size_t i = 0; i < n; i++) {
        (void)H5free_memory(order[i]);
        (void)H5free_memory(scope[i]);
    }
    (void)H5Tclose(type);
    (void)H5Fclose(file);
}

static void file_holds_the_results(void **state)
{
    (void)state;
    const char *path = scratch_path("sample.h5");
    const results *r = sample(90);
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    const size_t curve[] = {N_CELLS, N_RATES}, slots[] = {N_CELLS, 10}, track[] = {TRACK_CELLS, 90},
                 all[] = {TRACK_CELLS, N_RATES, 90};
    uint64_t correct[N_CELLS * N_RATES], seed[N_CELLS];
    int64_t classes[N_CELLS * 10];
    uint64_t right[N_CELLS * N_RATES * 10];
    const size_t cube[] = {N_CELLS, N_RATES, 10};
    read_back(file, "/curves/class_correct", H5T_NATIVE_UINT64, 3, cube, right);
    read_back(file, "/curves/correct", H5T_NATIVE_UINT64, 2, curve, correct);
    read_back(file, "/curves/seed", H5T_NATIVE_UINT64, 1, curve, seed);
    read_back(file, "/curves/classes", H5T_NATIVE_INT64, 2, slots, classes);
    for (size_t c = 0; c < N_CELLS; c++) {
        assert_memory_equal(&correct[c * N_RATES], r->cells[c].correct, N_RATES * 8);
        assert_true(seed[c] == r->cells[c].seed);
        for (size_t i = 0; i < N_RATES * 10; i++) {
            const size_t k = r->cells[c].n_classes, slot = i % 10;
            assert_int_equal(right[c * N_RATES * 10 + i], slot < k ? r->cells[c].class_correct[i / 10 * k + slot] : 0);
        }
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(classes[c * 10 + i], i < r->cells[c].n_classes ? (int64_t)r->cells[c].classes[i] : -1);
        }
    }
    uint32_t ranking[TRACK_CELLS * 90];
    uint8_t mask[TRACK_CELLS * N_RATES * 90];
    uint64_t component[6] = {0};
    const size_t six = 6;
    read_back(file, "/tracks/cnn_1.x/filters/random/ranking", H5T_NATIVE_UINT32, 2, track, ranking);
    read_back(file, "/tracks/cnn_1.x/filters/random/mask", H5T_NATIVE_UINT8, 3, all, mask);
    read_back(file, "/tracks/vit/heads/lrp-epsilon/component", H5T_NATIVE_UINT64, 1, &six, component);
    assert_memory_equal(ranking, r->tracks[1].ranking, sizeof ranking);
    assert_int_equal(component[5], 29);
    for (size_t c = 0; c < TRACK_CELLS; c++) {
        for (size_t k = 0; k < N_RATES; k++) {
            for (size_t p = 0; p < 90; p++) {
                assert_int_equal(mask[(c * N_RATES + k) * 90 + ranking[c * 90 + p]], p >= removed_count(90, k));
            }
        }
    }
    assert_disk_type(file, "/curves/correct", H5T_STD_I64LE);
    assert_disk_type(file, "/curves/seed", H5T_STD_U64LE);
    assert_disk_type(file, "/curves/loss_sum", H5T_IEEE_F64LE);
    assert_disk_type(file, "/tracks/vit/neurons/random/removed_at", H5T_STD_U16LE);
    (void)H5Fclose(file);
}

static void audits_are_written(void **state)
{
    (void)state;
    const char *path = scratch_path("audit.h5");
    const results *r = sample(9);
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const size_t both[] = {2, 3};
    double out[6], in[6], absolute_out[6], absolute_in[6], residual[6], growth[6];
    uint8_t complete[3];
    uint64_t seed[2];
    read_back(file, "/audit/vit/lrp-epsilon/relevance_out", H5T_NATIVE_DOUBLE, 2, both, out);
    read_back(file, "/audit/vit/lrp-epsilon/absolute_out", H5T_NATIVE_DOUBLE, 2, both, absolute_out);
    read_back(file, "/audit/vit/lrp-epsilon/relevance_in", H5T_NATIVE_DOUBLE, 2, both, in);
    read_back(file, "/audit/vit/lrp-epsilon/absolute_in", H5T_NATIVE_DOUBLE, 2, both, absolute_in);
    read_back(file, "/audit/vit/lrp-epsilon/residual", H5T_NATIVE_DOUBLE, 2, both, residual);
    read_back(file, "/audit/vit/lrp-epsilon/growth", H5T_NATIVE_DOUBLE, 2, both, growth);
    read_back(file, "/audit/vit/lrp-epsilon/complete", H5T_NATIVE_UINT8, 1, both + 1, complete);
    read_back(file, "/audit/vit/lrp-epsilon/seed", H5T_NATIVE_UINT64, 1, both, seed);
    assert_true(out[4] == 27.0 && absolute_out[4] == 45.0 && in[3] == 27.0 && absolute_in[5] == 99.0 && isinf(out[2]));
    assert_true(residual[3] == -0.1 && residual[1] == 0.0 && isnan(residual[2]) && isnan(residual[5])); /* partial: not known */
    assert_true(growth[1] == 124.0 / 30.0 && growth[5] == 3.3 && seed[1] == UINT64_MAX - 1);
    assert_true(complete[0] == 1 && complete[2] == 0);
    assert_scale(file, "/audit/vit/lrp-epsilon/growth", 0, "/audit/vit/lrp-epsilon/set");
    assert_scale(file, "/audit/vit/lrp-epsilon/rule", 0, "/audit/vit/lrp-epsilon/step");
    (void)H5Fclose(file);
}

static void spectra_are_written(void **state)
{
    (void)state;
    const char *path = scratch_path("spectra.h5");
    const results *r = sample(9);
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const size_t all[] = {2, 5, 5}, cases[] = {2, 5}, shares[] = {2, 5, 3};
    double value[2 * 5 * 5], participation[10], adjusted[10], rank[10], variance[10], modes[2 * 5 * 3], share[3];
    uint8_t solver[10];
    read_back(file, "/spectrum/vit/lrp-epsilon/eigenvalue", H5T_NATIVE_DOUBLE, 3, all, value);
    read_back(file, "/spectrum/vit/lrp-epsilon/participation", H5T_NATIVE_DOUBLE, 2, cases, participation);
    read_back(file, "/spectrum/vit/lrp-epsilon/adjusted", H5T_NATIVE_DOUBLE, 2, cases, adjusted);
    read_back(file, "/spectrum/vit/lrp-epsilon/effective_rank", H5T_NATIVE_DOUBLE, 2, cases, rank);
    read_back(file, "/spectrum/vit/lrp-epsilon/variance", H5T_NATIVE_DOUBLE, 2, cases, variance);
    read_back(file, "/spectrum/vit/lrp-epsilon/modes", H5T_NATIVE_DOUBLE, 3, shares, modes);
    read_back(file, "/spectrum/vit/lrp-epsilon/share", H5T_NATIVE_DOUBLE, 1, shares + 2, share);
    read_back(file, "/spectrum/vit/lrp-epsilon/solver", H5T_NATIVE_UINT8, 2, cases, solver);
    for (size_t i = 0; i < 10; i++) {
        const spectrum *of = &r->spectra[0].measures[i];
        for (size_t k = 0; k < 5; k++) {
            const bool there = i < 5 && k < r->spectra[0].order[i];
            assert_true(there ? value[i * 5 + k] == 8.0 / (double)(1 << k) : isnan(value[i * 5 + k]) != 0);
        }
        assert_memory_equal(&variance[i], &of->trace, sizeof(double));
        assert_memory_equal(&participation[i], &of->participation, sizeof(double));
        assert_memory_equal(&adjusted[i], &of->adjusted, sizeof(double));
        assert_memory_equal(&rank[i], &of->effective_rank, sizeof(double));
        assert_memory_equal(&modes[i * 3], of->modes, sizeof of->modes);
        assert_int_equal(solver[i], i % 5 == 4);
    }
    assert_true(share[0] == 0.90 && share[1] == 0.95 && share[2] == 0.99 && participation[1] == 144.0 / 80.0 && isnan(participation[6]));
    assert_scale(file, "/spectrum/vit/lrp-epsilon/modes", 2, "/spectrum/vit/lrp-epsilon/share");
    assert_scale(file, "/spectrum/vit/lrp-epsilon/name", 0, "/spectrum/vit/lrp-epsilon/part");
    (void)H5Fclose(file);
}

static void heatmaps_are_written_with_gaps_where_a_cell_has_fewer_images(void **state)
{
    (void)state;
    enum { RATES = 3, SLOTS = 4, MAPS = 8 };
    const char *path = scratch_path("heatmaps.h5");
    const results *r = sample(90);
    const result_heatmap_cell *c = r->heatmaps->cells;
    double mean[2 * RATES], cosine[2 * RATES * SLOTS], rate[RATES];
    int64_t member[2 * SLOTS], prediction[2 * RATES * SLOTS], map[2 * RATES * SLOTS], changed[2 * RATES], cell[2], image[MAPS];
    float pixels[MAPS * 6];
    const size_t curves[] = {2, RATES}, slots[] = {2, RATES, SLOTS}, members[] = {2, SLOTS}, maps[] = {MAPS, 2, 3};
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    read_back(file, "/heatmaps/cell", H5T_NATIVE_INT64, 1, curves, cell);
    read_back(file, "/heatmaps/rate", H5T_NATIVE_DOUBLE, 1, curves + 1, rate);
    assert_true(cell[0] == 1 && cell[1] == (int64_t)r->n_cells - 1 && rate[1] == 0.25);
    read_back(file, "/heatmaps/confidence_loss_mean", H5T_NATIVE_DOUBLE, 2, curves, mean);
    assert_memory_equal(mean, c[0].confidence_loss_mean, RATES * sizeof *mean);
    assert_memory_equal(mean + RATES, c[1].confidence_loss_mean, RATES * sizeof *mean);
    read_back(file, "/heatmaps/changed", H5T_NATIVE_INT64, 2, curves, changed);
    assert_memory_equal(changed + RATES, c[1].changed, RATES * sizeof *changed);
    read_back(file, "/heatmaps/member", H5T_NATIVE_INT64, 2, members, member);
    read_back(file, "/heatmaps/cosine", H5T_NATIVE_DOUBLE, 3, slots, cosine);
    read_back(file, "/heatmaps/prediction", H5T_NATIVE_INT64, 3, slots, prediction);
    read_back(file, "/heatmaps/heatmap", H5T_NATIVE_INT64, 3, slots, map);
    for (size_t i = 0; i < 2 * RATES * SLOTS; i++) {
        const size_t of = i / SLOTS / RATES, slot = i % SLOTS, k = i / SLOTS % RATES * c[of].n_images + slot;
        if (slot < c[of].n_images) {
            assert_true(cosine[i] == c[of].cosine[k] && prediction[i] == c[of].prediction[k] && member[of * SLOTS + slot] == (int64_t)c[of].image[slot]);
        } else {
            assert_true(isnan(cosine[i]) && prediction[i] == -1 && member[of * SLOTS + slot] == -1);
        }
        assert_true(map[i] == (of == 0 ? -1 : (int64_t)c[1].map[k]));
    }
    read_back(file, "/heatmaps/maps/vit/relevance", H5T_NATIVE_FLOAT, 3, maps, pixels);
    read_back(file, "/heatmaps/maps/vit/image", H5T_NATIVE_INT64, 1, maps, image);
    for (size_t i = 0; i < MAPS; i++) {
        assert_memory_equal(pixels + i * 6, r->heatmaps->maps[0].map[i], 6 * sizeof *pixels);
        assert_int_equal(image[i], r->heatmaps->maps[0].image[i]);
    }
    assert_disk_type(file, "/heatmaps/maps/vit/relevance", H5T_IEEE_F32LE);
    assert_true(H5Lexists(file, "/heatmaps/maps/cnn_1.x", H5P_DEFAULT) <= 0);
    assert_true(H5Fclose(file) >= 0);
}

/* The group is there for readers, and empty. */
static void a_study_without_heatmaps_has_none(void **state)
{
    (void)state;
    const char *path = scratch_path("without.h5");
    results r = *sample(90);
    H5G_info_t info;
    r.heatmaps = NULL;
    assert_ok(results_write(path, &r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(H5Gget_info_by_name(file, "/heatmaps", &info, H5P_DEFAULT) >= 0);
    assert_int_equal(info.nlinks, 0);
    assert_true(H5Fclose(file) >= 0);
}

static void rows_are_written_with_what_they_say_of_a_class(void **state)
{
    (void)state;
    const char *path = scratch_path("rows.h5");
    const results *r = sample(9);
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const size_t all[] = {5, 30}, classes[] = {2, 30};
    float score[5 * 30];
    double mean[2 * 30], variance[2 * 30];
    int64_t class[2], n[2];
    read_back(file, "/rows/vit/lrp-epsilon/score", H5T_NATIVE_FLOAT, 2, all, score);
    read_back(file, "/rows/vit/lrp-epsilon/mean", H5T_NATIVE_DOUBLE, 2, classes, mean);
    read_back(file, "/rows/vit/lrp-epsilon/variance", H5T_NATIVE_DOUBLE, 2, classes, variance);
    read_back(file, "/rows/vit/lrp-epsilon/class", H5T_NATIVE_INT64, 1, classes, class);
    read_back(file, "/rows/vit/lrp-epsilon/samples", H5T_NATIVE_INT64, 1, classes, n);
    uint8_t member[2 * 5];
    const size_t sets[] = {2, 5};
    read_back(file, "/rows/vit/lrp-epsilon/member", H5T_NATIVE_UINT8, 2, sets, member);
    assert_memory_equal(member, r->rows[0].member, sizeof member);
    assert_memory_equal(score, r->rows[0].score, sizeof score);
    assert_disk_type(file, "/rows/vit/lrp-epsilon/score", H5T_IEEE_F32LE);
    assert_true(class[0] == 0 && class[1] == 2 && n[0] == 3 && n[1] == 2);
    for (size_t k = 0; k < 30; k++) {
        const double a = (double)score[k], b = (double)score[30 + k], c = (double)score[60 + k], d = (double)score[90 + k],
                     e = (double)score[120 + k], first = (a + b + c) / 3.0, second = (d + e) / 2.0;
        assert_true(fabs(mean[k] - first) < 1e-12 && fabs(mean[30 + k] - second) < 1e-12);
        assert_true(fabs(variance[k] - ((a - first) * (a - first) + (b - first) * (b - first) + (c - first) * (c - first)) / 2.0) < 1e-9);
        assert_true(fabs(variance[30 + k] - ((d - second) * (d - second) + (e - second) * (e - second))) < 1e-9);
    }
    (void)H5Fclose(file);
}

/* Large tracks are chunked, compressed and written in several pieces. */
static void large_masks_are_whole(void **state)
{
    (void)state;
    const size_t n = 70001;
    const char *path = scratch_path("large.h5");
    const results *r = sample(n);
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const size_t all[] = {TRACK_CELLS, N_RATES, n}, two[] = {TRACK_CELLS, n};
    uint8_t *mask = get(TRACK_CELLS * N_RATES * n, 1);
    double *relevance = get(TRACK_CELLS * n, sizeof *relevance);
    read_back(file, "/tracks/cnn_1.x/filters/lrp-epsilon/mask", H5T_NATIVE_UINT8, 3, all, mask);
    read_back(file, "/tracks/cnn_1.x/filters/lrp-epsilon/relevance", H5T_NATIVE_DOUBLE, 2, two, relevance);
    assert_memory_equal(relevance, r->tracks[0].relevance, TRACK_CELLS * n * sizeof *relevance);
    for (size_t i = 0; i < TRACK_CELLS * N_RATES * n; i++) {
        const size_t cell = i / n / N_RATES, rate = i / n % N_RATES;
        if (mask[i] != (r->tracks[0].removed_at[cell * n + i % n] > rate)) {
            fail_msg("mask differs at cell %zu, rate %zu, component %zu", cell, rate, i % n);
        }
    }
    const hid_t dataset = H5Dopen2(file, "/tracks/cnn_1.x/filters/lrp-epsilon/mask", H5P_DEFAULT);
    assert_true(H5Dget_storage_size(dataset) < TRACK_CELLS * N_RATES * n / 4);
    (void)H5Dclose(dataset);
    (void)H5Fclose(file);
    (void)unlink(path);
}

static void same_results_give_the_same_bytes(void **state)
{
    (void)state;
    const char *a = scratch_path("a.h5"), *b = scratch_path("b.h5");
    const results *r = sample(900);
    const struct timespec a_second = {1, 100000000}; /* stored times, if there were any, count seconds */
    assert_ok(results_write(a, r));
    assert_int_equal(nanosleep(&a_second, NULL), 0);
    assert_ok(results_write(b, r));
    const file_bytes x = bytes_of(a), y = bytes_of(b);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* ---- where it cannot be written ---- */

static void folders_are_made_and_folders_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("new/folder/result.h5");
    const results *r = sample(9);
    assert_ok(results_write(path, r));
    assert_int_equal(access(path, R_OK), 0);
    assert_fails(results_write(scratch_path("new/folder"), r), ST_CANT_WRITE, "new/folder", "found a folder", NULL);
    assert_fails(results_write(scratch_path("new/folder/result.h5/x.h5"), r), ST_CANT_WRITE, "result.h5",
                 "ot a directory", NULL);
    assert_int_equal(files_in_scratch(".tmp."), 0);
}

/* A study file or a checkpoint in the place of the result stays; a result and an empty file may be replaced. */
static void other_files_are_not_replaced(void **state)
{
    (void)state;
    const char *path = scratch_path("other");
    for (int empty = 0; empty < 2; empty++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(empty ? "" : "study: x", f) >= 0);
        assert_int_equal(fclose(f), 0);
        if (empty) {
            assert_ok(results_check_output(path));
        } else {
            assert_fails(results_check_output(path), ST_CANT_WRITE, path, "a file of another kind", NULL);
        }
    }
    assert_int_equal(unlink(path), 0);
    const hid_t others = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(others >= 0 && H5Fclose(others) >= 0);
    assert_fails(results_check_output(path), ST_CANT_WRITE, path, "a file of another kind", NULL);
    assert_false(results_there(path));
    assert_ok(results_write(path, sample(9)));
    assert_true(results_there(path));
    assert_ok(results_check_output(path));
    assert_int_equal(truncate(path, 3000), 0); /* damaged: it may be made again */
    assert_ok(results_check_output(path));
    assert_false(results_there(scratch_path("nothing")));
    assert_ok(results_check_output(scratch_path("nothing")));
    assert_int_equal(files_in_scratch("nothing"), 0);
}

/* Files cannot grow beyond `most` bytes, as on a full disk. */
static void limit_files(rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_leaves_the_old_result(void **state)
{
    (void)state;
    const char *path = scratch_path("full.h5");
    assert_ok(results_write(path, sample(9)));
    const file_bytes before = bytes_of(path);
    const results *r = sample(20000);
    for (rlim_t most = 0; most < 1000000; most = 3 * most + 100) {
        limit_files(most);
        const status st = results_write(path, r);
        limit_files(RLIM_INFINITY);
        assert_fails(st, ST_CANT_WRITE, "full.h5", "File too large", NULL);
        assert_int_equal(files_in_scratch(".tmp."), 0);
        assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    }
    const file_bytes after = bytes_of(path);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    assert_ok(results_write(path, r));
    assert_true(bytes_of(path).size > before.size);
}

static void names_that_are_paths_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a/b", "a b", "ä"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        results r = *sample(9);
        result_model models[2] = {r.models[0], r.models[1]};
        models[1].name = bad[i];
        r.models = models;
        assert_fails(results_write(scratch_path("named.h5"), &r), ST_BUG, "cannot name a group", NULL);
        assert_int_equal(files_in_scratch("named"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_holds_the_results, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(both_predictions_are_kept, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(rankings_of_criteria_are_kept, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(dimensions_have_scales, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(file_names_need_not_be_utf8, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(audits_are_written, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(spectra_are_written, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(rows_are_written_with_what_they_say_of_a_class, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(heatmaps_are_written_with_gaps_where_a_cell_has_fewer_images, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_study_without_heatmaps_has_none, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(winograd_is_marked, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(large_masks_are_whole, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(same_results_give_the_same_bytes, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(folders_are_made_and_folders_are_refused, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(other_files_are_not_replaced, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(full_disk_leaves_the_old_result, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(names_that_are_paths_are_refused, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
