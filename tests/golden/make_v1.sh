#!/bin/bash
# Makes v1.db.gz, v1.cfg and v1.digest with a flowsweep of schema 1, that is of commit 0e13b4b, the last before version 2:
#   tests/golden/make_v1.sh PATH/TO/OLD/flowsweep
# Seven trials, stopped in the fourth: three are done, one left a checkpoint, the others wait.
set -eu
program=$(realpath "$1")
folder=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >v1.cfg <<'CFG'
study = { name = "v1"; database = "v1.db"; seed = 11; };
data = { source = "synthetic"; clip = 60; synth = { rows = 400; sites = 4; steps = 8; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 3; };
space = {
  model = ["dnn", "random_forest"];
  train = { batch_size = 10; epochs = 150; patience = 0; };
  dnn = { embedding = 2; hidden_layer_sizes = ( [16] ); dropout = [0.0, 0.1, 0.2]; };
  random_forest = { n_estimators = [3, 4]; max_depth = 4; };
};
search = { order = "listed"; };
CFG
"$program" run v1.cfg -q -n 0 &
until [ "$(sqlite3 'file:v1.db?mode=ro' 'SELECT count(*) FROM attempt' 2>/dev/null || echo 0)" -ge 4 ]; do sleep 0.01; done
kill -USR1 $!
wait $! && exit 1 # it must have been stopped
[ "$(sqlite3 v1.db "SELECT count(*) FROM artifact WHERE role = 'checkpoint'")" = 1 ]
"$program" db digest v1.db >"$folder/v1.digest"
gzip -9n <v1.db >"$folder/v1.db.gz"
cp v1.cfg "$folder/"
