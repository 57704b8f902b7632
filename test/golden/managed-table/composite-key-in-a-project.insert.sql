insert into "features_fraud"."pair_counts" ("merchant_id", "device_id", "event_timestamp", "created_timestamp", "n")
select i.c0, i.c1, i.c2, i.c3, i.c4
from unnest($1::text[], $2::integer[], $3::timestamp with time zone[], $4::timestamp with time zone[], $5::bigint[]) with ordinality as i(c0, c1, c2, c3, c4, place)
order by i.place
returning row_id
