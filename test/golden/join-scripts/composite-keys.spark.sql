set spark.sql.session.timeZone=UTC;
set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS;
set spark.sql.parquet.mergeSchema=true;
set spark.sql.ansi.enabled=true;
create or replace temporary view `spine` using parquet options (path '/lake/spine.parquet', recursiveFileLookup 'true');
create or replace temporary view `files_0` using parquet options (path '/lake/profile', recursiveFileLookup 'true');
create or replace temporary view rows_0 as
select cast(`shop` as string) as k0, cast(`shelf` as int) as k1, unix_micros(`event_timestamp`) as e, unix_micros(`created_timestamp`) as c, cast(coalesce(cast(`row_id` as bigint), 0) as bigint) as r, coalesce(`closing`, false) as closing, case when not isnan(cast(`flour` as double)) and abs(cast(`flour` as double)) < double('infinity') then cast(`flour` as double) end as f0, cast(`tags` as array<string>) as f1, cast(`opened` as timestamp) as f2, cast(`cost` as decimal(18, 2)) as f3, cast(`photo` as binary) as f4
from files_0
where `shop` is not null and `shelf` is not null and `event_timestamp` is not null;
create or replace temporary view asked_0 as
select place, t, key_0 as k0, key_1 as k1 from spine where t is not null and key_0 is not null and key_1 is not null;
create or replace temporary view found_0 as
select place, w.e as e, w.closing as closing, w.f0 as f0, w.f1 as f1, w.f2 as f2, w.f3 as f3, w.f4 as f4
from (
  select place, max(found) over (partition by k0, k1 order by at, kind rows between unbounded preceding and current row) as w
  from (
    select k0, k1, e as at, 0 as kind, cast(null as bigint) as place, named_struct('e', e, 'c', coalesce(c, -9223372036854775807), 'r', r, 'closing', closing, 'f0', f0, 'f1', f1, 'f2', f2, 'f3', f3, 'f4', f4) as found from rows_0
    union all
    select k0, k1, t, 1, place, null from asked_0
  )
)
where place is not null and w is not null;
insert overwrite directory '/lake/found' using parquet
select s.place, r0.e as e_0, r0.closing as closing_0, r0.f0 as f0_0, r0.f1 as f1_0, r0.f2 as f2_0, r0.f3 as f3_0, r0.f4 as f4_0
from spine as s
left join found_0 as r0 on r0.place = s.place;
