# Runs bench_engine small and checks what it prints: valid JSON, all keys, numbers that are possible, operations counted by hand. No times.
#   cmake -DBENCH=program -DMPIRUN="mpirun;-n" -DOBJDUMP=objdump -DPROCESSOR=x86_64 -P check_bench.cmake

# run(RANKS LINES ARGS...): the lines are left in the list `lines`, which has this many
function(run ranks n_lines)
    execute_process(COMMAND ${MPIRUN} ${ranks} ${BENCH} ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "bench_engine ${ARGN}: exit code ${code}\n${out}${err}")
    endif()
    string(STRIP "${out}" out)
    string(REPLACE "\n" ";" lines "${out}")
    list(LENGTH lines found)
    if(NOT found EQUAL n_lines)
        message(FATAL_ERROR "bench_engine ${ARGN}: expected ${n_lines} lines, found ${found}:\n${out}")
    endif()
    set(lines "${lines}" PARENT_SCOPE)
endfunction()

function(check_type line key types)
    string(JSON type ERROR_VARIABLE error TYPE "${line}" ${key})
    if(error OR NOT type MATCHES "^(${types})$")
        message(FATAL_ERROR "'${key}': expected ${types}, found ${type} (${error}) in:\n${line}")
    endif()
endfunction()

function(check_line line)
    foreach(key bench network what rule backend rows peak_isa)
        check_type("${line}" ${key} STRING)
    endforeach()
    foreach(key batch size shrink threads ranks images_per_s gflops peak_gflops share share_best share_processor seconds_median seconds_best seconds_processor
                repeats processor flop_per_image)
        check_type("${line}" ${key} NUMBER)
        string(JSON value GET "${line}" ${key})
        if(NOT value GREATER 0)
            message(FATAL_ERROR "'${key}': expected a positive number, found ${value} in:\n${line}")
        endif()
    endforeach()
    check_type("${line}" rank "NUMBER|STRING")
    check_type("${line}" cpu "NUMBER|NULL")
endfunction()

# check_value(LINE KEY VALUE)
function(check_value line key expected)
    string(JSON value GET "${line}" ${key})
    if(NOT value STREQUAL expected)
        message(FATAL_ERROR "'${key}': expected ${expected}, found ${value} in:\n${line}")
    endif()
endfunction()

# Every network, both tasks, two ranks: a line per rank and their mean.
run(2 24 --backend openblas --shrink 16 --size 32 --batch 3 --repeats 2)
set(at 0)
foreach(network vgg16_bn resnet18 resnet50 vit_b_16)
    foreach(what forward lrp)
        foreach(rank 0 1 mean)
            list(GET lines ${at} line)
            math(EXPR at "${at} + 1")
            check_line("${line}")
            check_value("${line}" network ${network})
            check_value("${line}" what ${what})
            check_value("${line}" rank ${rank})
            check_value("${line}" batch 3)
        endforeach()
    endforeach()
endforeach()

# ResNet-18 at 224 x 224: 1,814,073,344 multiply-adds forward; the walk makes the adjoint of all but the first convolution (112 x 112 x 64
# outputs of 147 inputs), below which there is nothing to explain: 2 x 1,814,073,344 - 118,013,952.
run(1 4 --backend openblas --network resnet18 --batch 1 --repeats 1)
list(GET lines 1 line)
check_value("${line}" flop_per_image 3628146688)
list(GET lines 3 line)
check_value("${line}" flop_per_image 7020265472)

# The rules' products, forward pass (F = 1,814,073,344) and first convolution as above; inputs are not negative. Convolutions that a ReLU follows
# directly, conv1 of every block, have 57,802,752 x 2 (layer1: x 2 blocks) + ... ; z+ and gamma behind a ReLU: 1 + 1 products, gamma elsewhere and
# alpha-beta 1 + 2.
run(1 3 --backend openblas --network resnet18 --batch 1 --repeats 1 --size 64 --what lrp --rule z-plus)
list(GET lines 1 line)
check_value("${line}" rule z-plus)

# A wrong command line is refused.
foreach(wrong "--network;resnet19" "--what;nothing" "--batch;0" "--shrink;3" "--backend;none" "--repeats" "--speed;1" "--rows;some" "--rule;pass" "--rule;epsilon,none")
    execute_process(COMMAND ${MPIRUN} 1 ${BENCH} ${wrong} OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
    if(NOT code EQUAL 2 OR NOT out STREQUAL "" OR NOT err MATCHES "error: ")
        message(FATAL_ERROR "bench_engine ${wrong}: expected exit code 2 and a message, found ${code}: ${out}${err}")
    endif()
endforeach()

# The peak is one of fused multiply-adds of whole vectors, all in registers.
if(OBJDUMP AND PROCESSOR MATCHES "x86_64|AMD64")
    foreach(loop avx2:ymm avx512:zmm)
        string(REPLACE ":" ";" loop ${loop})
        list(GET loop 0 name)
        list(GET loop 1 register)
        execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn --disassemble=multiply_add_${name} ${BENCH}
                        OUTPUT_VARIABLE code COMMAND_ERROR_IS_FATAL ANY)
        string(REGEX MATCHALL "vfn?madd[0-9]+ps +%${register}[0-9]+,%${register}[0-9]+,%${register}[0-9]+" fused "${code}")
        list(LENGTH fused found)
        if(found LESS 12)
            message(FATAL_ERROR "multiply_add_${name}: expected at least 12 fused multiply-adds of ${register} registers, found ${found}")
        endif()
    endforeach()
endif()
