-- The online store of set-ups without Redis: the same packed rows under the same keys, with the numbers of their order
-- beside them. Logged, so that a crash loses no more than asynchronous commits.

create table featuregraph.online_rows (
  key text collate "C" primary key,
  event_micros double precision not null,
  created_micros double precision not null,
  row_id double precision not null,
  expires_at timestamptz,
  packed_row bytea not null
) with (fillfactor = 80);

create index online_rows_expiry on featuregraph.online_rows (expires_at) where expires_at is not null;
