% A deep belief net in plain GNU Octave: matrices, and a loop over minibatches.
%
%     octave-cli deep_net.m FOLDER [single]
%
% inputs.py says what is in FOLDER. One line is printed for each pass: phase, pass, loss, seconds,
% seconds of the processor.

1;  % a script that begins with a function would be taken for that function

function x = read_pixels(folder, name, n, n_pixels)
  f = fopen(fullfile(folder, name));
  x = fread(f, [n_pixels, n], "uint8")' / 255;
  fclose(f);
end

function y = read_labels(folder, name)
  f = fopen(fullfile(folder, name));
  y = fread(f, Inf, "uint8");
  fclose(f);
end

function order = read_order(s)
  order = fread(s.orders, s.n_rows, "int32") + 1;
end

function u = random(s, n, m)
  if s.uniforms < 0
    u = rand(n, m);
  else
    u = fread(s.uniforms, [m, n], "double")';
  end
end

function report(phase, pass, loss, started, cpu_started)
  printf("%s,%d,%.17g,%.6f,%.6f\n", phase, pass, loss, toc(started), cputime() - cpu_started);
  fflush(stdout);
end

function x = logistic(x)
  x = 1 ./ (1 + exp(-x));
end

function x = softmax(x)
  x = exp(x - max(x, [], 2));
  x = x ./ sum(x, 2);
end

function [weights, hidden] = train_machine(s, X, weights, phase)
  visible = zeros(1, rows(weights));
  hidden = zeros(1, columns(weights));
  velocity = 0 * weights;
  velocity_visible = 0 * visible;
  velocity_hidden = 0 * hidden;
  for pass = 1:s.n_pretrain
    started = tic();
    cpu_started = cputime();
    if pass <= 5
      momentum = 0.5;
    else
      momentum = 0.9;
    end
    order = read_order(s);
    for first = 1:s.batch_size:s.n_rows
      v = X(order(first:first + s.batch_size - 1), :);
      h = logistic(v * weights + hidden);
      states = random(s, rows(h), columns(h)) < h;
      v_model = logistic(states * weights' + visible);
      h_model = logistic(v_model * weights + hidden);
      gradient = (v' * h - v_model' * h_model) / s.batch_size;
      velocity = momentum * velocity + s.rate * (gradient - s.weight_decay * weights);
      velocity_visible = momentum * velocity_visible + s.rate * mean(v - v_model);
      velocity_hidden = momentum * velocity_hidden + s.rate * mean(h - h_model);
      weights = weights + velocity;
      visible = visible + velocity_visible;
      hidden = hidden + velocity_hidden;
    end
    v = X(1:s.n_watched, :);
    h = logistic(v * weights + hidden);
    loss = mean(((v - logistic(h * weights' + visible)) .^ 2)(:));
    report(phase, pass, loss, started, cpu_started);
  end
end

function activations = forward(weights, intercepts, x)
  activations = {x};
  for i = 1:numel(weights)
    x = x * weights{i} + intercepts{i};
    if i < numel(weights)
      x = logistic(x);
    else
      x = softmax(x);
    end
    activations{i + 1} = x;
  end
end

function [parameter, state] = adam(parameter, gradient, state, step, rate)
  state.mean = 0.9 * state.mean + 0.1 * gradient;
  state.square = 0.999 * state.square + 0.001 * gradient .^ 2;
  change = (state.mean / (1 - 0.9 ^ step)) ./ (sqrt(state.square / (1 - 0.999 ^ step)) + 1e-8);
  parameter = parameter - rate * change;
end

function states = no_steps_yet(parameters)
  states = cellfun(@(p) struct("mean", 0 * p, "square", 0 * p), parameters, "UniformOutput", false);
end

function [weights, intercepts] = train_network(s, weights, intercepts, X, y, phase, n_passes)
  n = numel(weights);
  states_weights = no_steps_yet(weights);
  states_intercepts = no_steps_yet(intercepts);
  step = 0;
  for pass = 1:n_passes
    started = tic();
    cpu_started = cputime();
    order = read_order(s);
    loss = 0;
    for first = 1:s.batch_size:s.n_rows
      numbers = order(first:first + s.batch_size - 1);
      target = eye(s.n_classes)(y(numbers) + 1, :);
      activations = forward(weights, intercepts, X(numbers, :));
      output = activations{n + 1};
      loss = loss - sum(log(output(target == 1))) / s.n_rows;
      delta = (output - target) / s.batch_size;
      for i = n:-1:1
        h = activations{i};
        gradients_weights{i} = h' * delta;
        gradients_intercepts{i} = sum(delta);
        if i > 1
          delta = (delta * weights{i}') .* h .* (1 - h);
        end
      end
      step = step + 1;
      for i = 1:n
        [weights{i}, states_weights{i}] = ...
          adam(weights{i}, gradients_weights{i}, states_weights{i}, step, s.adam_rate);
        [intercepts{i}, states_intercepts{i}] = ...
          adam(intercepts{i}, gradients_intercepts{i}, states_intercepts{i}, step, s.adam_rate);
      end
    end
    report(phase, pass, loss, started, cpu_started);
  end
end

folder = argv(){1};
settings = textscan(fileread(fullfile(folder, "settings.txt")), "%s %f");
s = cell2struct(num2cell(settings{2}), settings{1});
sizes = load("-ascii", fullfile(folder, "sizes.txt"))(:)';
s.n_classes = sizes(end);
s.orders = fopen(fullfile(folder, "orders.bin"));
s.uniforms = fopen(fullfile(folder, "uniforms.bin"));  % -1 where there is no such file
starts = fopen(fullfile(folder, "starts.bin"));
precision = "double";
if numel(argv()) > 1
  precision = argv(){2};
end
read_start = @(n_in, n_out) cast(fread(starts, [n_out, n_in], "double")', precision);

X = cast(read_pixels(folder, "X_train.bin", s.n_rows, sizes(1)), precision);
X_test = cast(read_pixels(folder, "X_test.bin", s.n_test, sizes(1)), precision);
y = read_labels(folder, "y_train.bin");
y_test = read_labels(folder, "y_test.bin");

features = X;
for i = 1:numel(sizes) - 2
  phase = sprintf("pretrain layer %d", i);
  [weights{i}, intercepts{i}] = train_machine(s, features, read_start(sizes(i), sizes(i + 1)), phase);
  features = logistic(features * weights{i} + intercepts{i});
end
top = {read_start(columns(features), s.n_classes)};
[top, top_intercept] = ...
  train_network(s, top, {zeros(1, s.n_classes)}, features, y, "softmax", s.n_softmax);
weights = [weights, top];
intercepts = [intercepts, top_intercept];
[weights, intercepts] = train_network(s, weights, intercepts, X, y, "finetune", s.n_finetune);

output = forward(weights, intercepts, X_test){end};
f = fopen(fullfile(folder, "probabilities.bin"), "w");
fwrite(f, output', "double");
fclose(f);
[~, predicted] = max(output, [], 2);
printf("error %.17g\n", mean(predicted - 1 != y_test));
printf("blas %s\n", version("-blas"));
printf("version GNU Octave %s\n", version());
