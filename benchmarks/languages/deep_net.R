# A deep belief net in plain GNU R: matrices, and a loop over minibatches.
#
#     Rscript deep_net.R FOLDER
#
# inputs.py says what is in FOLDER. One line is printed for each pass: phase, pass, loss, seconds,
# seconds of the processor.

folder <- commandArgs(trailingOnly = TRUE)[1]
path_of <- function(name) file.path(folder, name)

settings <- read.table(path_of("settings.txt"), row.names = 1)
setting <- function(name) settings[name, 1]
n_rows <- setting("n_rows")
n_watched <- setting("n_watched")
batch_size <- setting("batch_size")
sizes <- scan(path_of("sizes.txt"), quiet = TRUE)
n_classes <- sizes[length(sizes)]

read_pixels <- function(name, n) {
  bytes <- readBin(path_of(name), "integer", n * sizes[1], size = 1, signed = FALSE)
  matrix(bytes / 255, n, byrow = TRUE)
}
read_labels <- function(name, n) readBin(path_of(name), "integer", n, size = 1, signed = FALSE)

X <- read_pixels("X_train.bin", n_rows)
X_test <- read_pixels("X_test.bin", setting("n_test"))
y <- read_labels("y_train.bin", n_rows)
y_test <- read_labels("y_test.bin", setting("n_test"))

starts <- file(path_of("starts.bin"), "rb")
read_start <- function(n_in, n_out) {
  matrix(readBin(starts, "double", n_in * n_out), n_in, byrow = TRUE)
}
orders <- file(path_of("orders.bin"), "rb")
read_order <- function() readBin(orders, "integer", n_rows) + 1

random <- function(n, m) matrix(runif(n * m), n)
if (file.exists(path_of("uniforms.bin"))) {
  uniforms <- file(path_of("uniforms.bin"), "rb")
  random <- function(n, m) matrix(readBin(uniforms, "double", n * m), n, byrow = TRUE)
}

report <- function(phase, pass, loss, started) {
  taken <- proc.time() - started
  cat(sprintf("%s,%d,%.17g,%.6f,%.6f\n", phase, pass, loss, taken[3], taken[1] + taken[2]))
}

logistic <- function(x) 1 / (1 + exp(-x))

add_to_rows <- function(x, intercept) x + rep(intercept, each = nrow(x))

softmax <- function(x) {
  x <- exp(x - apply(x, 1, max))
  x / rowSums(x)
}

train_machine <- function(X, weights, phase) {
  visible <- numeric(nrow(weights))
  hidden <- numeric(ncol(weights))
  velocity <- 0 * weights
  velocity_visible <- 0 * visible
  velocity_hidden <- 0 * hidden
  rate <- setting("rate")
  decay <- setting("weight_decay")
  for (pass in 1:setting("n_pretrain")) {
    started <- proc.time()
    momentum <- if (pass <= 5) 0.5 else 0.9
    order <- read_order()
    for (first in seq(1, n_rows, batch_size)) {
      v <- X[order[first:(first + batch_size - 1)], ]
      h <- logistic(add_to_rows(v %*% weights, hidden))
      states <- 1 * (random(nrow(h), ncol(h)) < h)
      v_model <- logistic(add_to_rows(tcrossprod(states, weights), visible))
      h_model <- logistic(add_to_rows(v_model %*% weights, hidden))
      gradient <- (crossprod(v, h) - crossprod(v_model, h_model)) / batch_size
      velocity <- momentum * velocity + rate * (gradient - decay * weights)
      velocity_visible <- momentum * velocity_visible + rate * colMeans(v - v_model)
      velocity_hidden <- momentum * velocity_hidden + rate * colMeans(h - h_model)
      weights <- weights + velocity
      visible <- visible + velocity_visible
      hidden <- hidden + velocity_hidden
    }
    v <- X[1:n_watched, ]
    h <- logistic(add_to_rows(v %*% weights, hidden))
    loss <- mean((v - logistic(add_to_rows(tcrossprod(h, weights), visible)))^2)
    report(phase, pass, loss, started)
  }
  list(weights = weights, intercept = hidden)
}

# The layers of a network are lists with the matrix of weights and the vector of intercepts.

forward <- function(layers, x) {
  activations <- list(x)
  for (i in seq_along(layers)) {
    x <- add_to_rows(x %*% layers[[i]]$weights, layers[[i]]$intercept)
    x <- if (i < length(layers)) logistic(x) else softmax(x)
    activations[[i + 1]] <- x
  }
  activations
}

adam <- function(parameter, gradient, state, step) {
  mean <- 0.9 * state$mean + 0.1 * gradient
  square <- 0.999 * state$square + 0.001 * gradient^2
  change <- (mean / (1 - 0.9^step)) / (sqrt(square / (1 - 0.999^step)) + 1e-8)
  list(
    parameter = parameter - setting("adam_rate") * change,
    state = list(mean = mean, square = square)
  )
}

train_network <- function(layers, X, phase, n_passes) {
  n <- length(layers)
  states <- lapply(layers, function(layer) {
    lapply(layer, function(parameter) list(mean = 0 * parameter, square = 0 * parameter))
  })
  step <- 0
  for (pass in 1:n_passes) {
    started <- proc.time()
    order <- read_order()
    loss <- 0
    for (first in seq(1, n_rows, batch_size)) {
      rows <- order[first:(first + batch_size - 1)]
      target <- diag(n_classes)[y[rows] + 1, ]
      activations <- forward(layers, X[rows, ])
      output <- activations[[n + 1]]
      loss <- loss - sum(log(output[target == 1])) / n_rows
      delta <- (output - target) / batch_size
      gradients <- list()
      for (i in n:1) {
        h <- activations[[i]]
        gradients[[i]] <- list(weights = crossprod(h, delta), intercept = colSums(delta))
        if (i > 1) delta <- tcrossprod(delta, layers[[i]]$weights) * h * (1 - h)
      }
      step <- step + 1
      for (i in 1:n) {
        for (name in c("weights", "intercept")) {
          moved <- adam(layers[[i]][[name]], gradients[[i]][[name]], states[[i]][[name]], step)
          layers[[i]][[name]] <- moved$parameter
          states[[i]][[name]] <- moved$state
        }
      }
    }
    report(phase, pass, loss, started)
  }
  layers
}

layers <- list()
features <- X
n_hidden_layers <- length(sizes) - 2
for (i in 1:n_hidden_layers) {
  phase <- paste("pretrain layer", i)
  layers[[i]] <- train_machine(features, read_start(sizes[i], sizes[i + 1]), phase)
  features <- logistic(add_to_rows(features %*% layers[[i]]$weights, layers[[i]]$intercept))
}
top <- list(weights = read_start(ncol(features), n_classes), intercept = numeric(n_classes))
top <- train_network(list(top), features, "softmax", setting("n_softmax"))
layers <- train_network(c(layers, top), X, "finetune", setting("n_finetune"))

output <- forward(layers, X_test)[[length(layers) + 1]]
writeBin(as.vector(t(output)), path_of("probabilities.bin"))
cat("error", mean(max.col(output, "first") - 1 != y_test), "\n")
cat("blas", extSoftVersion()["BLAS"], "\n")
cat("version", R.version.string, "\n")
