CREATE TABLE ledger (
  -- What holds for the whole batch: when it was made, for which service and account.
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE states (
  -- What the states of orders mean.
  state   TEXT PRIMARY KEY,
  meaning TEXT NOT NULL
) STRICT;

INSERT INTO states (state, meaning) VALUES
  ('planned',     'not sent, or proven not to have been accepted: nothing is paid'),
  ('submitting',  'about to be sent, or on its way: may be paid'),
  ('submitted',   'accepted and paid: the service is making the video'),
  ('completed',   'the video can be fetched'),
  ('downloading', 'the video is being fetched'),
  ('done',        'the video is in the file'),
  ('rejected',    'the service refused it, or a person dismissed it'),
  ('failed',      'paid, but the service ended it without a video'),
  ('unknown',     'sent, and nobody knows whether it was accepted: look before paying again');

CREATE TABLE orders (
  -- One row for each video that was ordered, or is to be. Times are UTC.
  number        INTEGER PRIMARY KEY,           -- place in the batch, from 1
  order_id      TEXT NOT NULL UNIQUE,          -- name in the batch
  state         TEXT NOT NULL REFERENCES states,
  user_prompt   TEXT NOT NULL,
  aspect_ratio  TEXT NOT NULL,
  expand_prompt INTEGER NOT NULL CHECK (expand_prompt IN (0, 1)),
  image_url     TEXT,
  image_end_url TEXT,
  extends       TEXT,                          -- the generation that it continues
  source        TEXT,                          -- file and line that it comes from
  attempts      INTEGER NOT NULL CHECK (attempts >= 0),  -- how often it was sent, or may have been
  run           INTEGER REFERENCES runs,       -- in which run it was last sent
  tokens        INTEGER NOT NULL CHECK (tokens >= 0),    -- paid, or maybe paid; 2,000,000 = 1 USD
  generation_id TEXT UNIQUE,                   -- the service's name for it
  adopted       INTEGER NOT NULL CHECK (adopted IN (0, 1)),  -- 1: the id was found in the list
  reason        TEXT,                          -- why there is no video, or none yet
  sent_at       TEXT,
  unknown_at    TEXT,
  submitted_at  TEXT,
  completed_at  TEXT,
  done_at       TEXT,
  file          TEXT,                          -- relative to the folder of the batch
  size          INTEGER,                       -- of the file, in bytes
  sha256        TEXT,                          -- of the file
  checksum      INTEGER NOT NULL               -- of this row: disks forget a bit now and then
) STRICT;

CREATE INDEX orders_by_state ON orders (state);

CREATE TABLE runs (
  -- Each time that the batch was run.
  number       INTEGER PRIMARY KEY,
  began_at     TEXT NOT NULL,
  has_baseline INTEGER NOT NULL CHECK (has_baseline IN (0, 1))  -- 1: the account was listed before
) STRICT;

CREATE TABLE foreign_generations (
  -- What was in the account when a run began, and is no result of what that run or a later one sent.
  generation_id TEXT PRIMARY KEY,
  run           INTEGER NOT NULL REFERENCES runs  -- the run that first saw it
) STRICT;

CREATE TABLE events (
  -- Every change of an order, in order of time.
  number        INTEGER PRIMARY KEY,
  at            TEXT NOT NULL,
  order_number  INTEGER NOT NULL REFERENCES orders,
  state         TEXT NOT NULL,
  generation_id TEXT,
  reason        TEXT
) STRICT;

CREATE VIEW summary AS
  SELECT state, count(*) AS orders, sum(tokens) AS tokens, sum(tokens) / 2000000.0 AS usd, meaning
  FROM orders JOIN states USING (state) GROUP BY state ORDER BY min(states.rowid);

CREATE VIEW look_before_paying_again AS
  SELECT number, order_id, user_prompt, sent_at, reason FROM orders WHERE state = 'unknown';
