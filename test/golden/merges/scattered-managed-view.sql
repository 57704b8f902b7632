with k as materialized (
  select * from unnest($1::bigint[], $2::text[]) with ordinality as k(key_0, key_1, place)
)
select k.place, x."event_timestamp"::timestamptz, x."created_timestamp"::timestamptz, x."row_id"::bigint, x."n"::bigint
from "features_other"."drivers" as x
join k on x."a" = k.key_0 and x."b" = k.key_1
where x."event_timestamp" <= $3::timestamptz and pg_visible_in_snapshot(x.ingested_xid, $4::pg_snapshot) is not false
