PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE compared (
    task INTEGER PRIMARY KEY, project INTEGER NOT NULL, state TEXT NOT NULL, change INTEGER NOT NULL
);
INSERT INTO "compared" VALUES(4,1,'2026',2);
CREATE TABLE projects (project INTEGER PRIMARY KEY, created_at TEXT NOT NULL);
INSERT INTO "projects" VALUES(1,'2026-11-20');
CREATE TABLE sites (url TEXT PRIMARY KEY);
INSERT INTO "sites" VALUES('http://localhost:8080');
CREATE TABLE waiting (event TEXT PRIMARY KEY, reason TEXT NOT NULL);
INSERT INTO "waiting" VALUES('{"action": "ANNOTATION_CREATED", "id": 5}','no answer');
CREATE INDEX compared_by_project ON compared (project);
CREATE INDEX compared_by_change ON compared (change);
COMMIT;
