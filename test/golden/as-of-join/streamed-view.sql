select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0.cell_0::text, v0.cell_1::double precision, v0.cell_2::bigint, v0.cell_3::text, v0.cell_4::double precision, v0.cell_5::double precision, v0.cell_6::bigint, v0.cell_7::bigint, v0.cell_8::double precision, v0.cell_9::double precision, v0.cell_10::bigint, (select case when isfinite(r.kept_since) then (extract(epoch from r.kept_since) * 1000000)::bigint end from featuregraph.event_retention as r where r.project = $8::text and r.source = $9::text and r.kept_since > least(e.start_0, e.start_1, e.start_2))
from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]) with ordinality as e(key_0, key_1, as_of, known_at, start_0, start_1, start_2, place)
left join lateral (
  select max(e.event_timestamp) as event_timestamp,
    max(e.ingested_at) as created_timestamp,
    (array_agg(e."card" order by e.event_timestamp, e.topic, e.partition, e."offset") filter (where e.after_start_0 and e."card" is not null))[1] as cell_0,
    (array_agg(e."fare" order by e.event_timestamp desc, e.topic desc, e.partition desc, e."offset" desc) filter (where e."card" = $10::text and e.after_start_1 and e."fare" is not null))[1] as cell_1,
    count(distinct e."card") filter (where e.after_start_1) as cell_2,
    sum(e."passengers") filter (where e.after_start_2)::text as cell_3,
    sum(case when abs(e."fare"::float8) > 1e-280::float8 then e."fare"::float8 * 5.421010862427522e-20::float8 else 0 * e."fare"::float8 end) filter (where e.after_start_1) as cell_4,
    sum(abs(case when abs(e."fare"::float8) > 1e-280::float8 then e."fare"::float8 * 5.421010862427522e-20::float8 else 0 * e."fare"::float8 end)) filter (where e.after_start_1) as cell_5,
    count(e."fare") filter (where e.after_start_1) as cell_6,
    case when min(e."fare"::float8) filter (where e.after_start_1) = max(e."fare"::float8) filter (where e.after_start_1) and abs(max(e."fare"::float8) filter (where e.after_start_1)) < 'Infinity'::float8 then count(e."fare") filter (where e.after_start_1) else count(e."fare") filter (where e.after_start_1 and abs(e."fare"::float8) <= 1e+150::float8) end as cell_7,
    case when min(e."fare"::float8) filter (where e.after_start_1) = max(e."fare"::float8) filter (where e.after_start_1) and abs(max(e."fare"::float8) filter (where e.after_start_1)) < 'Infinity'::float8 then min(e."fare"::float8) filter (where e.after_start_1) else avg(e."fare"::float8) filter (where e.after_start_1 and abs(e."fare"::float8) <= 1e+150::float8) end as cell_8,
    case when min(e."fare"::float8) filter (where e.after_start_1) = max(e."fare"::float8) filter (where e.after_start_1) and abs(max(e."fare"::float8) filter (where e.after_start_1)) < 'Infinity'::float8 then 0 else var_pop(e."fare"::float8) filter (where e.after_start_1 and abs(e."fare"::float8) <= 1e+150::float8) end as cell_9,
    case when min(e."fare"::float8) filter (where e.after_start_1) = max(e."fare"::float8) filter (where e.after_start_1) and abs(max(e."fare"::float8) filter (where e.after_start_1)) < 'Infinity'::float8 then 0 else count(e."fare") filter (where e.after_start_1 and not abs(e."fare"::float8) <= 1e+150::float8) end as cell_10
  from (
    select least(x.event_timestamp, x.ingested_at) as event_timestamp, x.ingested_at, least(x.event_timestamp, x.ingested_at) >= e.start_0 as after_start_0, least(x.event_timestamp, x.ingested_at) >= e.start_1 as after_start_1, least(x.event_timestamp, x.ingested_at) >= e.start_2 as after_start_2, t.topic, x.partition, x."offset", x."card", x."fare", x."passengers"
    from "events"."boardings" as x join featuregraph.event_topics as t on t.id = x.topic_id
    where x."line" = e.key_0
      and x."number" = e.key_1
      and x.event_timestamp >= least(e.start_0, e.start_1, e.start_2) and x.event_timestamp < e.as_of + interval '10 minutes'
      and least(x.event_timestamp, x.ingested_at) >= least(e.start_0, e.start_1, e.start_2) and least(x.event_timestamp, x.ingested_at) < e.as_of
      and (e.known_at is null or x.ingested_at <= e.known_at)
      and x.counts
  ) as e
) as v0 on true
order by e.place
