"""Keras on TensorFlow for bench/networks: a process that trains one model and is asked for seconds per epoch.

    keras_peer.py SPEC_JSON FOLDER THREADS [jit|graph]

The same conversation as torch_peer.py. The data are a tf.data set in memory; one call runs a whole epoch's batches (steps_per_execution)."""
import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy
import tensorflow as tf
import keras
from keras import layers


def network(spec, unroll):
    sizes = keras.Input((spec["steps"],))
    x = sizes
    hidden = spec.get("hidden") or [spec["dense"]]
    if "hidden" not in spec:
        x = layers.Embedding(2 * spec["clip"] + 1, spec["embedding"])(x) if spec["embedding"] else layers.Reshape((spec["steps"], 1))(x)
        for filters in spec["filters"]:
            x = layers.Conv1D(filters, 3, activation="relu")(x)
            x = layers.BatchNormalization()(x) if spec["batch_norm"] else x
            x = layers.MaxPooling1D(spec["pool"])(x) if spec["pool"] > 1 else x
        x = layers.Dropout(spec["dropout"])(x) if spec["dropout"] else x
        x = (layers.LSTM if spec["cell"] == "lstm" else layers.GRU)(spec["units"], unroll=unroll)(x)
        x = layers.Dropout(spec["dropout"])(x) if spec["dropout"] else x
    for units in hidden:
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(spec["dropout"])(x) if "hidden" in spec and spec["dropout"] else x
    return keras.Model(sizes, layers.Dense(spec["classes"])(x))


def data(spec, folder):
    x, y = numpy.load(folder + "/x.npy"), numpy.load(folder + "/y.npy")
    x = x.astype("int32") + spec["clip"] if spec.get("embedding", 0) else x.astype("float32") / spec["clip"]
    whole = tf.data.Dataset.from_tensor_slices((x, y.astype("int32"))).cache()
    return whole.shuffle(len(x)).batch(spec["batch"]), -(-len(x) // spec["batch"])


def main():
    spec, folder, threads, how = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = network(spec, "unroll" in how)
    batches, n = data(spec, folder)
    model.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-7), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  jit_compile="jit" in how, steps_per_execution=n)

    def seconds(epochs):
        start = time.perf_counter()
        model.fit(batches, epochs=epochs, verbose=0)
        return (time.perf_counter() - start) / epochs

    seconds(2)
    print("ready", flush=True)
    for line in sys.stdin:
        print(seconds(int(line)), flush=True)


if __name__ == "__main__":
    main()
