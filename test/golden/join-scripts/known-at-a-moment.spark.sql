set spark.sql.session.timeZone=UTC;
set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS;
set spark.sql.parquet.mergeSchema=true;
set spark.sql.ansi.enabled=true;
create or replace temporary view `spine` using parquet options (path '/lake/spine.parquet', recursiveFileLookup 'true');
create or replace temporary view `files_0` using parquet options (path '/lake/profile', recursiveFileLookup 'true');
create or replace temporary view rows_0 as
select cast(`shop` as string) as k0, unix_micros(`event_timestamp`) as e, unix_micros(`created_timestamp`) as c, cast(coalesce(cast(`row_id` as bigint), 0) as bigint) as r, coalesce(`closing`, false) as closing, cast(`seats` as bigint) as f0
from files_0
where `shop` is not null and `event_timestamp` is not null and (`created_timestamp` is null or unix_micros(`created_timestamp`) <= 1792989200000000);
create or replace temporary view asked_0 as
select place, t, key_0 as k0 from spine where t is not null and key_0 is not null;
create or replace temporary view found_0 as
select place, w.e as e, w.closing as closing, w.f0 as f0
from (
  select place, max(found) over (partition by k0 order by at, kind rows between unbounded preceding and current row) as w
  from (
    select k0, e as at, 0 as kind, cast(null as bigint) as place, named_struct('e', e, 'c', coalesce(c, -9223372036854775807), 'r', r, 'closing', closing, 'f0', f0) as found from rows_0
    union all
    select k0, t, 1, place, null from asked_0
  )
)
where place is not null and w is not null;
create or replace temporary view `files_1` using parquet options (path '/lake/sales', recursiveFileLookup 'true');
create or replace temporary view rows_1 as
select cast(`shop` as string) as k0, unix_micros(_counted_at) as counted, unix_micros(_stored_at) as stored, _topic, _partition, _offset
from files_1
where counts and `shop` is not null and _counted_at >= cast('2026-10-25T19:33:20.000000Z' as timestamp) and _counted_at < cast('2026-10-26T07:33:20.000000Z' as timestamp) and _stored_at <= cast('2026-10-26T04:33:20.000000Z' as timestamp);
create or replace temporary view asked_1 as
select place, t, key_0 as k0 from spine where t is not null and key_0 is not null;
create or replace temporary view found_1 as
with timed as (
  select place, k0, t, t - 7200000000 - pmod(t - 7200000000, 300000000) as start_0
  from asked_1
), spanned as (
  select *, start_0 as since, start_0 - pmod(start_0, 7500000000) as stretch from timed
  union all
  select *, start_0 as since, (t - 1) - pmod((t - 1), 7500000000) as stretch from timed where (t - 1) - pmod((t - 1), 7500000000) > start_0 - pmod(start_0, 7500000000)
), events as (
  select *, counted - pmod(counted, 7500000000) as stretch from rows_1
), pairs as (
  select s.place, s.start_0, x.*
  from spanned as s join events as x
    on s.k0 = x.k0 and s.stretch = x.stretch
    and x.counted >= s.since and x.counted < s.t
)
select place, max(counted) as e, false as closing, cast(count(*) filter (where counted >= start_0) as bigint) as f0
from pairs group by place;
insert overwrite directory '/lake/found' using parquet
select s.place, r0.e as e_0, r0.closing as closing_0, r0.f0 as f0_0, r1.e as e_1, r1.closing as closing_1, r1.f0 as f0_1
from spine as s
left join found_0 as r0 on r0.place = s.place
left join found_1 as r1 on r1.place = s.place;
