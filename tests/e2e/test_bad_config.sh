#!/usr/bin/env bash
# Bad input: the command line and the study file. How to read the lines: bad_input.sh.
. "$(dirname "$0")/bad_input.sh"

# ---- command line ----
call 2  "did you mean 'run'"                            '' rum study.yaml
call 2  "expected the name of a file"                   '' run
call 2  "did you mean '--output'"                       '' run study.yaml --outptu x
call 2  "expected the name of a file, found nothing"    '' run study.yaml -o ''
call 2  "expected KEY=VALUE"                            '' run study.yaml --set tasks
call 2  "nothing more was expected"                     '' run study.yaml study.yaml
refused 78 "expected key=value"                         '' --set .x=1
refused 78 "elements cannot be added"                   '' --set 'models[7].name=x'
refused 78 "is a list"                                  '' --set models.name=x

# ---- the file ----
call 66 "none.yaml: cannot be opened: No such file"     '' run none.yaml
call 66 "net: expected a file, found a folder"          '' run net
call 66 "pipe: expected a file, found something else"   'mkfifo pipe' run pipe
call 66 "/dev/zero: expected a file"                    '' run /dev/zero
call 66 "Too many levels of symbolic links"             'ln -s loop loop' run loop
refused 78 "found an empty file"                        ': >study.yaml'
refused 65 "files of more than 1048576 bytes"           'head -c 2000000 /dev/zero | tr "\0" a >study.yaml'
call 78 "found the control character"                   '' run net/model.safetensors
refused 78 "study.yaml:1:8: expected UTF-8, found the byte 0xff" 'sed -i "s/small/\xff/" study.yaml'
refused 78 "found the control character 0x00"           'sed -i "s/small/\x00/" study.yaml'

# ---- YAML ----
refused 78 "study.yaml:12:3: not YAML"                  'sed -i "s/^tasks:/tasks: [/" study.yaml'
refused 78 "not YAML"                                   'sed -i "s/^study/\tstudy/" study.yaml'
refused 78 "found a list"                               'echo "[1, 2]" >study.yaml'
refused 78 "expected one document"                      'sed -i "1i ---\n---" study.yaml'
refused 78 "anchors (&name) and aliases (*name)"        'sed -i "s/study: small/study: \&a small/" study.yaml'
refused 78 "anchors (&name) and aliases (*name)"        'printf "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n" >study.yaml'
refused 78 "merge keys (<<)"                            'sed -i "s/^study/<<: {}\nstudy/" study.yaml'
refused 78 "tags (!name)"                               'sed -i "s/study: small/study: !x small/" study.yaml'
refused 78 "at most 16 levels of nesting"               'sed -i "s/small/[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]/" study.yaml'
refused 78 "at most 100000 values"                      '{ printf "study: ["; head -c 300000 /dev/zero | sed "s/\x00/1,/g"; echo "]"; } >study.yaml'

# ---- keys ----
refused 78 "study.yaml:2:1: study: the key is given a second time" 'sed -i "1i study: x" study.yaml'
refused 78 "modle: unknown key; did you mean 'models'"  'sed -i "s/^models/modle/" study.yaml'
refused 78 "did you mean 'seeds'"                       '' --set tasks.sedes=2
refused 78 "models[0]: the key 'checkpoint' is missing" 'sed -i "/checkpoint/d" study.yaml'
refused 78 "the key 'method' is missing"                'sed -i "/    method: lrp/d" study.yaml'
refused 78 "did you mean 'lrp'"                         '' --set 'criteria[0].method=lpr'
refused 78 "did you mean 'epsilon'"                     '' --set 'criteria[0].epsilom=1'

# ---- values ----
refused 78 "expected a name"                            '' --set study=a/b
refused 78 "expected a name"                            '' --set 'models[0].name=..'
refused 78 "models: expected a list of"                 '' --set 'models=[]'
refused 78 "criteria: expected a list of"               '' --set 'criteria={}'
refused 78 "which criteria[0] has already"              '' --set 'criteria[1].name=lrp'
refused 78 "criteria[0].epsilon: expected a number in [0, 1]" '' --set 'criteria[0].epsilon=-1'
refused 78 "tasks.classes: expected a list"             '' --set tasks.classes=2
refused 78 "expected a list of 1 to 100 elements"       '' --set 'tasks.classes=[]'
refused 78 "(the list ascends), found 2"                '' --set 'tasks.classes=[2, 2]'
refused 78 "tasks.classes: expected at most 10, the number of classes in data/train, found 11" '' --set 'tasks.classes=[11]'
refused 78 "a list of seeds or a count in [1, 10000]"   '' --set tasks.seeds=0
refused 78 "expected distinct seeds, found 7 again"     '' --set 'tasks.seeds=[7, 7]'
refused 78 "tasks.references[0]: expected an integer in [1, 1000000], found 0" '' --set 'tasks.references=[0]'
refused 78 "tasks.references: expected at most 3, the number of images of class" '' --set 'tasks.references=[4]'
refused 78 "rates[1]: expected a number in [0, 1), found 1.2" '' --set 'rates=[0, 1.2]'
refused 78 "expected a rate above the one before it"    '' --set 'rates=[0, 0.5, 0.3]'
refused 78 "rates[0]: expected 0"                       '' --set 'rates=[0.1]'
refused 78 "rates[1]: expected a number"                '' --set 'rates=[0, .nan]'
refused 78 "at most 9 decimal places"                   '' --set 'rates=[0, 1e-99999999999]'
refused 78 "expected an integer in [1, 1024], found 9999999999999999999999" '' --set micro_batch=9999999999999999999999
refused 78 "convolutions: expected one of direct, winograd, found 'winogard'; did you mean 'winograd'?" '' --set convolutions=winogard
refused 78 "convolutions: expected direct, since \`backend: openblas\` has no other, found winograd" '' --set backend=openblas --set convolutions=winograd
refused 78 "spectrum: expected true or false, found 'yes'" '' --set spectrum=yes
refused 78 "spectrum: expected a criterion whose score adds up those of single images" '' --set spectrum=true --set 'criteria=[{name: m, method: magnitude}]'
refused 78 "leave out the quotes"                       '' --set 'micro_batch="2"'
refused 78 "micro_batch: expected an integer in [1, 1024], found nothing" '' --set micro_batch=
finish
