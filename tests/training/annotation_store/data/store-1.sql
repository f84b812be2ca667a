PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE annotations (
    source TEXT NOT NULL,
    annotation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    task INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    annotator INTEGER,
    ground_truth INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    images TEXT NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (source, annotation)
);
INSERT INTO "annotations" VALUES('label_studio',1,1,1,'2026-01-01T00:00:00.000000+00:00',NULL,0,0,0,'[{"digest": "abababababababababababababababababababababababababababababababab", "height": 40, "regions": [{"area": 200, "clicks": null, "counts": "]6:n00000000000000000000000000000000000000c[1", "label": "cat", "model_version": null, "origin": "drawn", "region_id": "r1"}], "width": 60}]',1);
INSERT INTO "annotations" VALUES('label_studio',2,1,2,'2026-01-01T00:00:00.000000+00:00',NULL,0,0,0,'[{"digest": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd", "height": 40, "regions": [{"area": 200, "clicks": null, "counts": "]6:n00000000000000000000000000000000000000c[1", "label": "cat", "model_version": null, "origin": "drawn", "region_id": "r1"}], "width": 60}]',2);
INSERT INTO "annotations" VALUES('label_studio',3,1,3,'9999',NULL,0,0,1,'[]',4);
CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 0), change INTEGER NOT NULL);
INSERT INTO "counter" VALUES(0,4);
CREATE TABLE gone (
    kind TEXT NOT NULL, source TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (kind, source, id)
);
CREATE TABLE rejected (
    source TEXT NOT NULL,
    annotation INTEGER NOT NULL,
    region TEXT,
    project INTEGER NOT NULL,
    task INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL
);
INSERT INTO "rejected" VALUES('label_studio',2,'r9',1,2,'2026-01-01T00:00:00.000000+00:00','bad_mask','it is cut off');
CREATE TABLE trained (line TEXT PRIMARY KEY, change INTEGER NOT NULL);
INSERT INTO "trained" VALUES('shared',1);
CREATE INDEX by_task ON annotations (source, project, task);
CREATE INDEX by_change ON annotations (change);
CREATE INDEX rejected_by_annotation ON rejected (source, annotation);
COMMIT;
