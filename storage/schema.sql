-- The results database of a study. Times are seconds since 1970; blobs of numbers are little-endian.
-- Schema version 4. A change here is a migration in storage/db_upgrade.c, which adds columns at the end, as they stand here.
-- The views trials and configs are made by storage/db_views.c, since their columns follow from the parameters in use.

-- One study a file. hash is that of text, what changes results; text names it, so that differences can be told.
CREATE TABLE study (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    text TEXT NOT NULL,
    data_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    metric TEXT NOT NULL,
    leaks INTEGER NOT NULL,          -- 1: scaling was fitted on all rows
    form TEXT NOT NULL,              -- JSON: layout, blocks, steps of the flows, for bundles
    arithmetic TEXT NOT NULL,        -- kernel that BLAS used
    version TEXT NOT NULL,
    created REAL NOT NULL
);

-- Who may write. token is checked inside every write transaction.
CREATE TABLE holder (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    host TEXT NOT NULL, pid INTEGER NOT NULL, boot_id TEXT NOT NULL, slurm_job TEXT,
    token TEXT NOT NULL, since REAL NOT NULL
);

-- One row a launch.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    slurm_job TEXT, host TEXT NOT NULL, ranks INTEGER NOT NULL, processor TEXT NOT NULL,
    config TEXT NOT NULL,            -- the file as it was
    started REAL NOT NULL, ended REAL, why TEXT,
    arithmetic TEXT,                 -- kernel that BLAS used; NULL: from before version 2
    placement TEXT,                  -- data.placement of this launch
    dead_rank INTEGER                -- the rank that died first; NULL: none, or nobody knows
);

CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    top_n INTEGER, min_flows INTEGER, steps INTEGER NOT NULL,
    data_hash TEXT NOT NULL, split TEXT NOT NULL,
    n_classes INTEGER NOT NULL,
    labels TEXT NOT NULL,            -- JSON list: class 0, 1, ..
    counts TEXT NOT NULL,            -- JSON list: rows of each
    train_rows INTEGER NOT NULL, stop_rows INTEGER NOT NULL, validation_rows INTEGER NOT NULL, test_rows INTEGER NOT NULL,
    note TEXT
);
CREATE UNIQUE INDEX task_spec ON task (ifnull(top_n, -1), ifnull(min_flows, -1), steps);

CREATE TABLE configuration (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    params TEXT NOT NULL             -- canonical JSON
);
CREATE TABLE configuration_param (
    configuration INTEGER NOT NULL REFERENCES configuration,
    name TEXT NOT NULL,
    value,                           -- INTEGER, REAL, TEXT or NULL ("none"); lists as JSON text
    PRIMARY KEY (configuration, name)
) WITHOUT ROWID;

CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,   -- sha256 of active parameters, labels kept, steps, fold, repeat
    configuration INTEGER NOT NULL REFERENCES configuration,
    task INTEGER NOT NULL REFERENCES task,
    fold INTEGER NOT NULL, repeat INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'done', 'pruned', 'failed', 'cancelled')),
    error TEXT,
    epochs INTEGER NOT NULL DEFAULT 0,
    wall_s REAL NOT NULL DEFAULT 0,  -- computed, over all attempts
    features TEXT,                   -- JSON: channels and fitted scaling
    model_sha256 TEXT, proba_sha256 TEXT
);
CREATE INDEX trial_configuration ON trial (configuration, task);
CREATE INDEX trial_state ON trial (state);

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL REFERENCES trial, job INTEGER NOT NULL REFERENCES job,
    gang INTEGER NOT NULL,           -- ranks
    epoch_from INTEGER NOT NULL, epoch_to INTEGER,
    outcome TEXT,                    -- done, failed, stopped, died; NULL while it runs
    computed_s REAL, waited_s REAL,  -- of its time: waited for each other, an average rank of the gang (before version 3: for the gang to begin); the rest
    started REAL NOT NULL, ended REAL,
    ranks TEXT,                      -- JSON list: the MPI ranks of the gang; NULL: from before version 2
    blamed INTEGER NOT NULL DEFAULT 0,  -- 1: a rank of this gang died first, and that ended the job
    why TEXT,                        -- how it ended, in words; NULL where done
    arithmetic TEXT,                 -- kernel that BLAS used
    moved_bytes INTEGER,             -- that its ranks handed to each other; NULL: from before version 3, or it failed
    planned_bytes INTEGER,           -- memory that plan gave each rank; NULL: from before version 3
    peak_bytes INTEGER,              -- that the rank with most had for itself at its most; NULL: not known, as moved_bytes
    from_trial INTEGER               -- the smaller trial whose model it went on from (forests: same trees); NULL: none
);
CREATE INDEX attempt_trial ON attempt (trial);

-- epoch NULL: of the finished trial. Nothing of part test stands here. Names beside the metrics': oob_accuracy (train); permutation:COLUMN and permutation_sd:COLUMN
-- (validation), what accuracy loses when a forest's column, block or packet is dealt out anew.
CREATE TABLE metric (
    trial INTEGER NOT NULL REFERENCES trial, epoch INTEGER,
    part TEXT NOT NULL CHECK (part IN ('train', 'stop', 'validation')), name TEXT NOT NULL, value REAL
);
CREATE INDEX metric_trial ON metric (trial, part, name, epoch);

CREATE TABLE class_metric (
    trial INTEGER NOT NULL REFERENCES trial, part TEXT NOT NULL CHECK (part IN ('stop', 'validation')), class INTEGER NOT NULL,
    support INTEGER NOT NULL, predicted INTEGER NOT NULL, precision REAL, recall REAL, f1 REAL,
    PRIMARY KEY (trial, part, class)
) WITHOUT ROWID;
-- Cells that are not zero.
CREATE TABLE confusion (
    trial INTEGER NOT NULL REFERENCES trial, part TEXT NOT NULL CHECK (part IN ('stop', 'validation')),
    class INTEGER NOT NULL, predicted INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (trial, part, class, predicted)
) WITHOUT ROWID;
-- Over the repeats of a configuration on a task; interval: Student's t, 95 %.
CREATE TABLE configuration_metric (
    configuration INTEGER NOT NULL REFERENCES configuration, task INTEGER NOT NULL REFERENCES task,
    part TEXT NOT NULL, name TEXT NOT NULL,
    n INTEGER NOT NULL, mean REAL, sd REAL, low REAL, high REAL,
    PRIMARY KEY (configuration, task, part, name)
) WITHOUT ROWID;

CREATE TABLE artifact (
    id INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL REFERENCES trial, role TEXT NOT NULL CHECK (role IN ('model', 'checkpoint')),
    epoch INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, made REAL NOT NULL,
    UNIQUE (trial, role)
);
CREATE TABLE artifact_chunk (
    artifact INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE, number INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (artifact, number)
);

-- n rows: rows int32 (0-based in the file), labels int32 (predicted class of the task), truth int32, probabilities float32 (n, n_classes)
-- row-major or NULL (see keep.probabilities), seen uint8 (1: the sequence occurs in training; part test alone).
-- Part test is sealed: read it by the verb reveal, which records the reading.
CREATE TABLE prediction (
    trial INTEGER NOT NULL REFERENCES trial, part TEXT NOT NULL CHECK (part IN ('stop', 'validation', 'test')),
    n INTEGER NOT NULL, rows BLOB NOT NULL, labels BLOB NOT NULL, truth BLOB NOT NULL, seen BLOB, probabilities BLOB,
    PRIMARY KEY (trial, part)
);

CREATE TABLE ensemble (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task, made REAL NOT NULL, metric TEXT NOT NULL,
    best_configuration INTEGER NOT NULL REFERENCES configuration,
    gain REAL, gain_low REAL, gain_high REAL  -- accuracy over the best single model, chosen and scored on different rows
);
CREATE TABLE ensemble_member (
    ensemble INTEGER NOT NULL REFERENCES ensemble, place INTEGER NOT NULL,
    configuration INTEGER NOT NULL REFERENCES configuration, trial INTEGER NOT NULL REFERENCES trial,
    weight REAL NOT NULL,            -- of the trial; those of an ensemble sum to 1
    PRIMARY KEY (ensemble, place)
);
CREATE TABLE ensemble_metric (
    ensemble INTEGER NOT NULL REFERENCES ensemble,
    kind TEXT NOT NULL,              -- in_sample, nested, best_single, plain_average
    name TEXT NOT NULL, value REAL,
    PRIMARY KEY (ensemble, kind, name)
) WITHOUT ROWID;

-- Who read the sealed test part, of what, when.
CREATE TABLE test_reading (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL, who TEXT NOT NULL, host TEXT NOT NULL, what TEXT NOT NULL,
    task INTEGER REFERENCES task, trial INTEGER REFERENCES trial, ensemble INTEGER REFERENCES ensemble
);

CREATE TABLE event (
    id INTEGER PRIMARY KEY, job INTEGER REFERENCES job, at REAL NOT NULL, what TEXT NOT NULL, text TEXT
);

CREATE VIEW per_class AS
SELECT m.trial, c.model, t.task, m.part, m.class, json_extract(k.labels, '$[' || m.class || ']') AS label,
       m.support, m.predicted, m.precision, m.recall, m.f1
FROM class_metric m JOIN trial t ON t.id = m.trial JOIN configuration c ON c.id = t.configuration JOIN task k ON k.id = t.task;

CREATE VIEW confusions AS
SELECT m.trial, m.part, json_extract(k.labels, '$[' || m.class || ']') AS label,
       json_extract(k.labels, '$[' || m.predicted || ']') AS predicted, m.n
FROM confusion m JOIN trial t ON t.id = m.trial JOIN task k ON k.id = t.task;

CREATE VIEW curves AS
SELECT trial, epoch, part || '_' || name AS name, value FROM metric WHERE epoch IS NOT NULL;
