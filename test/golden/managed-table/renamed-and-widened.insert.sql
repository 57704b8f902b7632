insert into "features"."trips" ("driver_id", "event_timestamp", "created_timestamp", "n__int64")
select i.c0, i.c1, i.c2, i.c3
from unnest($1::bigint[], $2::timestamp with time zone[], $3::timestamp with time zone[], $4::bigint[]) with ordinality as i(c0, c1, c2, c3, place)
order by i.place
returning row_id
