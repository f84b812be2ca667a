PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE frames (
    job INTEGER NOT NULL, frame INTEGER NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL,
    change INTEGER NOT NULL, PRIMARY KEY (job, frame)
);
INSERT INTO "frames" VALUES(7,0,'s','abababababababababababababababababababababababababababababababab',5);
CREATE TABLE jobs (
    job INTEGER PRIMARY KEY, state TEXT NOT NULL, change INTEGER NOT NULL
);
INSERT INTO "jobs" VALUES(7,'completed 3',5);
CREATE TABLE sites (url TEXT PRIMARY KEY);
INSERT INTO "sites" VALUES('http://localhost:8080');
CREATE TABLE tasks (
    task INTEGER PRIMARY KEY, project INTEGER NOT NULL, created_at TEXT NOT NULL
);
INSERT INTO "tasks" VALUES(4,1,'2026-11-20');
CREATE TABLE waiting (
    kind TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (kind, number)
);
INSERT INTO "waiting" VALUES('job',7,'no answer');
COMMIT;
