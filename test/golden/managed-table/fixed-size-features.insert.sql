insert into "features"."driver_hourly" ("driver_id", "event_timestamp", "created_timestamp", "trips_today", "conv_rate")
select i.c0, i.c1, i.c2, i.c3, i.c4
from unnest($1::bigint[], $2::timestamp with time zone[], $3::timestamp with time zone[], $4::integer[], $5::double precision[]) with ordinality as i(c0, c1, c2, c3, c4, place)
order by i.place
returning row_id
