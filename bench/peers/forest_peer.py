"""scikit-learn's, XGBoost's and LightGBM's side of bench/forests: forest_peer.py WHO FOLDER THREADS TREES MODEL SETTINGS

MODEL is random_forest or, of scikit-learn, extra_trees; SETTINGS its parameters as JSON.

Holds the data in memory, warms up on 500 rows, prints "ready", then answers a line with a number:
    fit          seconds to fit a new forest         accuracy     share of held rows that the last one gets right
    size         bytes of its file                   latency      seconds of probabilities for one row (median of 100 calls)
    throughput   seconds of probabilities for all rows of many.f32"""
import json
import pickle
import statistics
import sys
import time

import numpy

COLUMNS = 100


class ScikitLearn:
    def __init__(self, trees, threads, classes, model, settings):
        from sklearn import ensemble
        kind = {"random_forest": ensemble.RandomForestClassifier, "extra_trees": ensemble.ExtraTreesClassifier}[model]
        self.model = kind(trees, random_state=1, n_jobs=threads, **settings)

    def fit(self, x, y):
        self.model.fit(x, y)

    def predict(self, x):
        return self.model.predict_proba(x)

    def size(self):
        return len(pickle.dumps(self.model))


class XGBoost:
    """Its forest mode: a tree a class and round, one round. Deep trees as a forest has them, on histograms, the only way without a limit of depth."""

    def __init__(self, trees, threads, classes, model, settings):
        import xgboost
        self.model = xgboost.XGBRFClassifier(n_estimators=trees, n_jobs=threads, max_depth=0, tree_method="hist", colsample_bynode=0.1, subsample=0.632,
                                             min_child_weight=0, reg_lambda=1e-5, random_state=1)

    def fit(self, x, y):
        self.model.fit(x, y)

    def predict(self, x):
        return self.model.get_booster().inplace_predict(x)

    def size(self):
        return len(self.model.get_booster().save_raw("ubj"))


class LightGBM:
    """Its forest mode, a tree a class and round, with as many leaves as scikit-learn's trees have about."""

    def __init__(self, trees, threads, classes, model, settings):
        self.trees, self.given = trees, dict(objective="multiclass", num_class=classes, boosting="rf", bagging_freq=1, bagging_fraction=0.632,
                                             feature_fraction_bynode=0.1, num_leaves=1024, min_data_in_leaf=1, min_sum_hessian_in_leaf=0,
                                             num_threads=threads, seed=1, verbose=-1)

    def fit(self, x, y):
        import lightgbm
        self.model = lightgbm.train(self.given, lightgbm.Dataset(x, y), self.trees)

    def predict(self, x):
        return self.model.predict(x)

    def size(self):
        return len(self.model.model_to_string())


WHO = {"scikit-learn": ScikitLearn, "xgboost": XGBoost, "lightgbm": LightGBM}


def seconds(work, *given):
    start = time.perf_counter()
    work(*given)
    return time.perf_counter() - start


class Side:
    def __init__(self, who, folder, threads, trees, model, settings):
        self.data = {stem: (self.rows(folder, stem), numpy.fromfile(f"{folder}/{stem}.i32", "int32")) for stem in ("fit", "held", "many")}
        self.new = lambda n: WHO[who](n, threads, int(self.data["fit"][1].max()) + 1, model, settings)
        self.trees, self.model = trees, None

    @staticmethod
    def rows(folder, stem):
        return numpy.fromfile(f"{folder}/{stem}.f32", "float32").reshape(-1, COLUMNS)

    def warm_up(self):
        x, y = self.data["fit"]
        first = numpy.unique(numpy.concatenate([numpy.unique(y, return_index=True)[1], numpy.arange(min(500, len(y)))]))
        model = self.new(2)
        model.fit(x[first], y[first])
        model.predict(x[:1])

    def fit(self):
        self.model = None
        model = self.new(self.trees)
        took = seconds(model.fit, *self.data["fit"])
        self.model = model
        return took

    def accuracy(self):
        x, y = self.data["held"]
        return float((numpy.argmax(self.model.predict(x), axis=1) == y).mean())

    def size(self):
        return self.model.size()

    def latency(self):
        x = self.data["many"][0]
        return statistics.median(seconds(self.model.predict, x[i:i + 1]) for i in range(100))

    def throughput(self):
        return seconds(self.model.predict, self.data["many"][0])


def main():
    side = Side(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], json.loads(sys.argv[6]))
    side.warm_up()
    print("ready", flush=True)
    for line in sys.stdin:
        print(getattr(side, line.strip())(), flush=True)


if __name__ == "__main__":
    main()
