#!/usr/bin/env bash
# compare_torch.sh VENV BUILD [OPTION]...: Pollard beside a current PyTorch with zennit and LXT, on the same networks, images and cores; JSON
# lines (docs/performance.md). Networks have random weights; nothing is downloaded but the packages. Not one of the tests.
#
#   VENV    a folder for the virtual environment; where it has none yet, it is made and the packages are installed (5 GB)
#   BUILD   of Pollard with the tests, for example build/release
#   --networks "A B"   of vgg16_bn resnet18 resnet50 vit_b_16 (all)       --cores N          ranks, and threads of PyTorch (2)
#   --what "A B"       of forward lrp curve grid (all)                    --batch N          images in a micro-batch (16)
#   --rounds N         of forward and lrp, both sides in turn (2)         --repeats N        in each round (1)
#   --curve-images N   for each rate (160, as a study of three classes of ImageNet has; with few, cutting networks out is most of it)
#   --rates N          of PyTorch, of 20 (5); Pollard runs all            --composites N     of PyTorch, of 16 (0: 4, of VGG-16-BN and ViT-B/16 2)
#   --backend NAME     of Pollard (onednn)
#   --compile          forward also by torch.compile with frozen weights (a minute a network; needs a C++ compiler)
# environment: MPIEXEC (mpirun); PIP_ARGUMENTS for pip install, for example an index that has PyTorch without CUDA
set -u
usage() { sed -n '2,/^set -u/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }
[ $# -ge 2 ] || usage
venv=$1 build=$2
shift 2
networks="vgg16_bn resnet18 resnet50 vit_b_16" what="forward lrp curve grid" cores=2 batch=16 rounds=2 repeats=1 curve_images=160 rates=5 composites=0 backend=onednn compile=
while [ $# -gt 0 ]; do
    case $1 in
        --compile) compile=1; shift; continue ;;
        --networks) networks=${2:?} ;; --what) what=${2:?} ;; --cores) cores=${2:?} ;; --batch) batch=${2:?} ;; --rounds) rounds=${2:?} ;;
        --repeats) repeats=${2:?} ;; --curve-images) curve_images=${2:?} ;; --rates) rates=${2:?} ;; --composites) composites=${2:?} ;; --backend) backend=${2:?} ;;
        *) usage ;;
    esac
    shift 2 || usage
done
here=$(cd "$(dirname "$0")" && pwd)
bench=$build/tests/bench/bench_compare
[ -x "$bench" ] || { echo "compare_torch: no $bench: configure with -DPOLLARD_TESTS=ON and build" >&2; exit 2; }
export MPIEXEC=${MPIEXEC:-mpirun}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # both sides take the kernels that are best here

if ! "$venv/bin/python" -c 'import torch, torchvision, zennit, lxt' 2>/dev/null; then
    echo "compare_torch: installing into $venv" >&2
    read -ra more <<<"${PIP_ARGUMENTS:-}"
    # LXT 2.1 wants parts of transformers that version 5 has not. A system without ensurepip has a pip of its own, which can install into another environment.
    { python3 -m venv "$venv" || python3 -m venv --without-pip "$venv"; } >&2 &&
        python3 -m pip --python "$venv/bin/python" install "${more[@]}" torch torchvision zennit lxt "transformers<5" >&2 || exit 1
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/compare-torch-XXXXXX")
trap 'rm -rf "$folder"' EXIT
torch() { # torch COMMAND NETWORK ...: as many threads as cores; Intel's and GNU's OpenMP go by the variable
    OMP_NUM_THREADS=$cores MKL_NUM_THREADS=$cores "$venv/bin/python" "$here/compare_torch.py" "$@" || { echo "compare_torch: $*: failed" >&2; exit 1; }
}
pollard() { # pollard WHAT ...: ranks on cores of their own; the name of the network is put into the line
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$here/../support/launch.sh" "$cores" "$bench" "$folder" "$@" >"$folder/line" ||
        { echo "compare_torch: bench_compare $*: failed" >&2; exit 1; }
    sed "s/\"side\": \"pollard\"/&, \"network\": \"$network\"/" "$folder/line"
}
wanted() { case " $what " in *" $1 "*) ;; *) false ;; esac }
least() { echo $(($1 > $2 ? $1 : $2)); }

disagree=0
for network in $networks; do
    winograd=winograd images=$curve_images some=4
    case $network in vit_b_16) winograd='' some=2 ;; vgg16_bn) some=2 ;; esac
    [ "$composites" = 0 ] || some=$composites
    batches=$((images / batch > 0 ? images / batch : 1))
    images=$((batches * batch)) both=$((cores * batch))
    rm -f "$folder"/*
    torch prepare "$network" "$folder" "$(least "$images" "$both")" && pollard describe || exit 1
    for ((round = 0; round < rounds; round++)); do
        if wanted forward; then
            torch measure "$network" "$folder" forward "$cores" "$batch" "$both" "$repeats"
            pollard forward "$backend" "$batch" "$repeats"
            [ -z "$winograd" ] || pollard winograd "$backend" "$batch" "$repeats"
        fi
        if wanted lrp; then
            torch measure "$network" "$folder" lrp "$cores" "$batch" "$both" "$repeats"
            pollard lrp "$backend" "$batch" "$repeats"
        fi
    done
    if wanted forward && [ -n "$compile" ]; then
        torch measure "$network" "$folder" compiled "$cores" "$batch" "$both" "$repeats"
    fi
    if wanted curve; then
        torch measure "$network" "$folder" curve "$cores" "$batch" "$images" 1 "$rates"
        pollard curve "$backend" "$batch" 1 "$batches"
        [ -z "$winograd" ] || pollard curve-winograd "$backend" "$batch" 1 "$batches"
    fi
    if wanted grid; then
        torch measure "$network" "$folder" grid "$cores" "$batch" "$batch" 1 "$some"
        pollard grid "$backend" "$batch" 1
    fi
    OMP_NUM_THREADS=$cores "$venv/bin/python" "$here/compare_torch.py" agree "$network" "$folder" || disagree=1
done
exit "$disagree"
