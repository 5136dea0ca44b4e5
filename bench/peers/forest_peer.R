# ranger's side of bench/forests, as forest_peer.py: Rscript forest_peer.R FOLDER THREADS TREES MODEL
# Unpruned trees as scikit-learn's, votes of classes; extremely randomized trees of all rows, one threshold a column; without the out-of-bag error, which the others do not compute either.
library(ranger)
given <- commandArgs(TRUE)
folder <- given[1]; threads <- as.integer(given[2]); trees <- as.integer(given[3]); columns <- 100L
way <- if (given[4] == "extra_trees") list(splitrule = "extratrees", replace = FALSE, sample.fraction = 1) else list()

rows <- function(stem) {
  path <- file.path(folder, paste0(stem, ".f32"))
  x <- matrix(readBin(path, "numeric", file.size(path) / 4, size = 4), ncol = columns, byrow = TRUE)
  colnames(x) <- paste0("p", seq_len(columns))
  x
}
classes <- function(stem) {
  path <- file.path(folder, paste0(stem, ".i32"))
  readBin(path, "integer", file.size(path) / 4)
}
x <- rows("fit"); y <- factor(classes("fit")); held <- rows("held"); truth <- classes("held"); many <- rows("many")
grow <- function(x, y, n) do.call(ranger, c(list(x = x, y = y, num.trees = n, mtry = 10, min.node.size = 1, num.threads = threads, probability = TRUE,
                                                 oob.error = FALSE, seed = 1, verbose = FALSE), way))
probabilities <- function(x) predict(model, x, num.threads = threads, verbose = FALSE)$predictions
seconds <- function(work) {
  start <- proc.time()[["elapsed"]]
  force(work)
  proc.time()[["elapsed"]] - start
}
answers <- list(
  fit = function() { model <<- NULL; gc(); seconds(model <<- grow(x, y, trees)) },
  accuracy = function() { p <- probabilities(held); mean(as.integer(colnames(p))[max.col(p, "first")] == truth) },
  size = function() length(serialize(model, NULL)),
  latency = function() median(vapply(1:50, function(i) { one <- many[i, , drop = FALSE]; at <- Sys.time(); probabilities(one)
                                     as.numeric(Sys.time() - at, units = "secs") }, 0)),
  throughput = function() seconds(probabilities(many)))
first <- unique(c(match(levels(y), y), seq_len(min(500, nrow(x)))))
model <- grow(x[first, ], y[first], 2)
invisible(probabilities(x[1, , drop = FALSE]))
cat("ready\n")
input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  cat(format(answers[[line]](), digits = 9), "\n", sep = "")
  flush(stdout())
}
