set preserve_insertion_order = false;
create temp table fg_tiles as
select k0, first_index, last_0, last_1, last_2, last_index,
  min(moment) as moment,
  count(*) as c0_n,
  count(*) filter (where f7 = cast(true as boolean)) as c1_n,
  count(*) filter (where f7 is null and f0 = 'o''cl\ock;
"${x}`ä😀') as c2_n,
  count(*) filter (where f6 = cast('0.10' as decimal(19, 2))) as c3_n,
  count(*) filter (where f3 = cast('0.5' as float) and f5 = cast(3 as bigint)) as c4_n,
  sum(cast(f2 as double) * 5.421010862427522e-20::double) as c5_s,
  sum(abs(cast(f2 as double) * 5.421010862427522e-20::double)) as c5_a,
  sum(cast(f2 as double) * 5.421010862427522e-20::double) as c6_s,
  sum(abs(cast(f2 as double) * 5.421010862427522e-20::double)) as c6_a,
  count(f2) as c6_n,
  sum(cast(f2 as double) * 5.421010862427522e-20::double) as c7_s,
  count(f2) as c7_n,
  min(f2) as c7_lo,
  max(f2) as c7_hi,
  count(*) filter (where abs(cast(f2 as double)) > 1e+150::double) as c7_x,
  sum(cast(f2 as double) * 5.421010862427522e-20::double) as c8_s,
  count(f2) as c8_n,
  min(f2) as c8_lo,
  max(f2) as c8_hi,
  count(*) filter (where abs(cast(f2 as double)) > 1e+150::double) as c8_x,
  min(f2) as c9_m,
  max(f2) as c10_m,
  arg_min(f2, row(moment, topic_name, partition_number, offset_number)) filter (where f2 is not null) as c12_e,
  arg_max(f2, row(moment, topic_name, partition_number, offset_number)) filter (where f7 = cast(true as boolean) and f2 is not null) as c13_e,
  sum(cast(f3 as double) * 5.421010862427522e-20::double) as c14_s,
  sum(abs(cast(f3 as double) * 5.421010862427522e-20::double)) as c14_a,
  sum(cast(f3 as double) * 5.421010862427522e-20::double) as c15_s,
  sum(abs(cast(f3 as double) * 5.421010862427522e-20::double)) as c15_a,
  count(f3) as c15_n,
  min(f3) as c16_m,
  sum(cast(f3 as double) * 5.421010862427522e-20::double) as c17_s,
  count(f3) as c17_n,
  min(f3) as c17_lo,
  max(f3) as c17_hi,
  count(*) filter (where abs(cast(f3 as double)) > 1e+150::double) as c17_x,
  arg_max(f3, row(moment, topic_name, partition_number, offset_number)) filter (where f3 is not null) as c18_e,
  sum(f4) as c19_s,
  max(f4) as c20_m,
  sum(cast(f4 as double) * 5.421010862427522e-20::double) as c21_s,
  sum(abs(cast(f4 as double) * 5.421010862427522e-20::double)) as c21_a,
  count(f4) as c21_n,
  arg_min(f4, row(moment, topic_name, partition_number, offset_number)) filter (where f4 is not null) as c22_e,
  sum(f5) as c23_s,
  min(f5) as c24_m,
  arg_max(f5, row(moment, topic_name, partition_number, offset_number)) filter (where f5 is not null) as c25_e,
  sum(f6) as c26_s,
  sum(f6) as c27_s,
  count(f6) as c27_n,
  sum(cast(f6 as double) * 5.421010862427522e-20::double) as c28_s,
  count(f6) as c28_n,
  min(f6) as c28_lo,
  max(f6) as c28_hi,
  count(*) filter (where abs(cast(f6 as double)) > 1e+150::double) as c28_x,
  max(f6) as c29_m,
  arg_min(f6, row(moment, topic_name, partition_number, offset_number)) filter (where f6 is not null) as c30_e,
  arg_max(f0, row(moment, topic_name, partition_number, offset_number)) filter (where f0 is not null) as c34_e,
  max(f8) as c36_m,
  arg_min(f9, row(moment, topic_name, partition_number, offset_number)) filter (where f9 is not null) as c37_e,
  arg_max(f7, row(moment, topic_name, partition_number, offset_number)) filter (where f7 is not null) as c39_e
from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
) where first_index <= last_index
group by k0, first_index, last_0, last_1, last_2, last_index;
create temp table fg_differences as
with present as (
  select k0, 0 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f2 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f2, first_index, last_1 from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
      ) where f2 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
  union all
  select k0, 1 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f6 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f6, first_index, last_1 from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
      ) where f6 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
  union all
  select k0, 2 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f0 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f0, first_index, last_1 from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
      ) where f0 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
  union all
  select k0, 3 as feature, from_index, last_0 + 1 as to_index
  from (
    select k0, last_0, greatest(first_index, coalesce(lag(last_0) over (
      partition by k0, f0 order by first_index, last_0) + 1, 0)) as from_index
    from (
      select distinct k0, f0, first_index, last_0 from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
      ) where f0 is not null and f7 = cast(false as boolean) and first_index <= last_0
    )
  ) where from_index <= last_0
  union all
  select k0, 4 as feature, from_index, last_2 + 1 as to_index
  from (
    select k0, last_2, greatest(first_index, coalesce(lag(last_2) over (
      partition by k0, f1 order by first_index, last_2) + 1, 0)) as from_index
    from (
      select distinct k0, f1, first_index, last_2 from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
      ) where f1 is not null and first_index <= last_2
    )
  ) where from_index <= last_2
  union all
  select k0, 5 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f9 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f9, first_index, last_1 from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
      ) where f9 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
)
select k0, index, sum(difference) filter (where feature = 0) as c11_p11_d, sum(difference) filter (where feature = 1) as c31_p32_d, sum(difference) filter (where feature = 2) as c32_p33_d, sum(difference) filter (where feature = 3) as c33_p34_d, sum(difference) filter (where feature = 4) as c35_p36_d, sum(difference) filter (where feature = 5) as c38_p39_d
from (
  select k0, feature, from_index as index, 1 as difference from present
  union all
  select k0, feature, to_index, -1 from present where to_index < 31
)
group by k0, index;
copy (
with runs as (
  -- Snapshots that have the key's row because of a tile, but for those that the next tile gives it; and where it closes.
  select k0, first_index, least(last_index, coalesce(next_index - 1, last_index)) as until_index,
    last_index < 30 and (next_index is null or next_index > last_index + 1) as closes
  from (
    select k0, first_index, last_index,
      lead(first_index) over (partition by k0 order by moment) as next_index
    from fg_tiles
  )
), snapshots as (
  select k0, unnest(range(greatest(first_index, 1), until_index + 1)) as index from runs
), timeline as (
  select k0, moment, moment as start_0, moment as start_1, moment as start_2, false as is_snapshot, c0_n, c1_n, c2_n, c3_n, c4_n, c5_s, c5_a, c6_s, c6_a, c6_n, c7_s, c7_n, c7_lo, c7_hi, c7_x, c8_s, c8_n, c8_lo, c8_hi, c8_x, c9_m, c10_m, c12_e, c13_e, c14_s, c14_a, c15_s, c15_a, c15_n, c16_m, c17_s, c17_n, c17_lo, c17_hi, c17_x, c18_e, c19_s, c20_m, c21_s, c21_a, c21_n, c22_e, c23_s, c24_m, c25_e, c26_s, c27_s, c27_n, c28_s, c28_n, c28_lo, c28_hi, c28_x, c29_m, c30_e, c34_e, c36_m, c37_e, c39_e, null as c7_e, null as c8_e, null as c17_e, null as c28_e, null as c11_p11_d, null as c31_p32_d, null as c32_p33_d, null as c33_p34_d, null as c35_p36_d, null as c38_p39_d
  from fg_tiles
  union all
  select k0, moment, moment as start_0, moment as start_1, moment as start_2, false as is_snapshot, null as c0_n, null as c1_n, null as c2_n, null as c3_n, null as c4_n, null as c5_s, null as c5_a, null as c6_s, null as c6_a, null as c6_n, null as c7_s, null as c7_n, null as c7_lo, null as c7_hi, null as c7_x, null as c8_s, null as c8_n, null as c8_lo, null as c8_hi, null as c8_x, null as c9_m, null as c10_m, null as c12_e, null as c13_e, null as c14_s, null as c14_a, null as c15_s, null as c15_a, null as c15_n, null as c16_m, null as c17_s, null as c17_n, null as c17_lo, null as c17_hi, null as c17_x, null as c18_e, null as c19_s, null as c20_m, null as c21_s, null as c21_a, null as c21_n, null as c22_e, null as c23_s, null as c24_m, null as c25_e, null as c26_s, null as c27_s, null as c27_n, null as c28_s, null as c28_n, null as c28_lo, null as c28_hi, null as c28_x, null as c29_m, null as c30_e, null as c34_e, null as c36_m, null as c37_e, null as c39_e, case when abs(cast(f2 as double)) <= 1e+150::double then cast(f2 as double) end as c7_e, case when abs(cast(f2 as double)) <= 1e+150::double then cast(f2 as double) end as c8_e, case when abs(cast(f3 as double)) <= 1e+150::double then cast(f3 as double) end as c17_e, case when abs(cast(f6 as double)) <= 1e+150::double then cast(f6 as double) end as c28_e, null as c11_p11_d, null as c31_p32_d, null as c32_p33_d, null as c33_p34_d, null as c35_p36_d, null as c38_p39_d
  from (
  select *, greatest(last_0, last_1, last_2) as last_index
  from (
    select *,
      greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
      greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
    from (
      select cast("customer_id" as bigint) as k0, cast("shop" as varchar) as f0, cast("till" as varchar) as f1, case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2, case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3, cast("items" as integer) as f4, cast("points" as bigint) as f5, cast("price" as decimal(19, 2)) as f6, cast("paid" as boolean) as f7, cast("seen" as timestamptz) as f8, cast("code" as blob) as f9, epoch_us("_counted_at") as moment, "_topic" as topic_name, "_partition" as partition_number, "_offset" as offset_number
      from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
      where "counts" and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z' and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z' and "customer_id" is not null
    )
  )
) where first_index <= last_index
  union all
  select k0, 1780419600000000::bigint + index * 25200000000::bigint as moment, moment as start_0, moment as start_1, moment as start_2, false as is_snapshot, null as c0_n, null as c1_n, null as c2_n, null as c3_n, null as c4_n, null as c5_s, null as c5_a, null as c6_s, null as c6_a, null as c6_n, null as c7_s, null as c7_n, null as c7_lo, null as c7_hi, null as c7_x, null as c8_s, null as c8_n, null as c8_lo, null as c8_hi, null as c8_x, null as c9_m, null as c10_m, null as c12_e, null as c13_e, null as c14_s, null as c14_a, null as c15_s, null as c15_a, null as c15_n, null as c16_m, null as c17_s, null as c17_n, null as c17_lo, null as c17_hi, null as c17_x, null as c18_e, null as c19_s, null as c20_m, null as c21_s, null as c21_a, null as c21_n, null as c22_e, null as c23_s, null as c24_m, null as c25_e, null as c26_s, null as c27_s, null as c27_n, null as c28_s, null as c28_n, null as c28_lo, null as c28_hi, null as c28_x, null as c29_m, null as c30_e, null as c34_e, null as c36_m, null as c37_e, null as c39_e, null as c7_e, null as c8_e, null as c17_e, null as c28_e, c11_p11_d, c31_p32_d, c32_p33_d, c33_p34_d, c35_p36_d, c38_p39_d
  from fg_differences
  union all
  select k0, moment, (moment - 10800000000) - ((moment - 10800000000) % 300000000 + 300000000) % 300000000 as start_0, (moment - 604800000000) - ((moment - 604800000000) % 3600000000 + 3600000000) % 3600000000 as start_1, (moment - 129600000000) - ((moment - 129600000000) % 18000000000 + 18000000000) % 18000000000 as start_2, true as is_snapshot, null as c0_n, null as c1_n, null as c2_n, null as c3_n, null as c4_n, null as c5_s, null as c5_a, null as c6_s, null as c6_a, null as c6_n, null as c7_s, null as c7_n, null as c7_lo, null as c7_hi, null as c7_x, null as c8_s, null as c8_n, null as c8_lo, null as c8_hi, null as c8_x, null as c9_m, null as c10_m, null as c12_e, null as c13_e, null as c14_s, null as c14_a, null as c15_s, null as c15_a, null as c15_n, null as c16_m, null as c17_s, null as c17_n, null as c17_lo, null as c17_hi, null as c17_x, null as c18_e, null as c19_s, null as c20_m, null as c21_s, null as c21_a, null as c21_n, null as c22_e, null as c23_s, null as c24_m, null as c25_e, null as c26_s, null as c27_s, null as c27_n, null as c28_s, null as c28_n, null as c28_lo, null as c28_hi, null as c28_x, null as c29_m, null as c30_e, null as c34_e, null as c36_m, null as c37_e, null as c39_e, null as c7_e, null as c8_e, null as c17_e, null as c28_e, null as c11_p11_d, null as c31_p32_d, null as c32_p33_d, null as c33_p34_d, null as c35_p36_d, null as c38_p39_d
  from (select k0, 1780419600000000::bigint + index * 25200000000::bigint as moment from snapshots)
), parts as (
  select k0, moment, is_snapshot,
    sum(c0_n) over w0 as p0_n,
    sum(c1_n) over w1 as p1_n,
    sum(c2_n) over w2 as p2_n,
    sum(c3_n) over w1 as p3_n,
    sum(c4_n) over w1 as p4_n,
    sum(c5_s) over w1 as p5_s,
    sum(c5_a) over w1 as p5_a,
    sum(c6_s) over w2 as p6_s,
    sum(c6_a) over w2 as p6_a,
    sum(c6_n) over w2 as p6_n,
    sum(c7_s) over w1 as p7_s,
    sum(c7_n) over w1 as p7_n,
    sum(c7_x) over w1 as p7_x,
    min(c7_lo) over w1 as p7_lo,
    max(c7_hi) over w1 as p7_hi,
    var_samp(c7_e) over w1 as p7_w,
    sum(c8_s) over w0 as p8_s,
    sum(c8_n) over w0 as p8_n,
    sum(c8_x) over w0 as p8_x,
    min(c8_lo) over w0 as p8_lo,
    max(c8_hi) over w0 as p8_hi,
    var_samp(c8_e) over w0 as p8_w,
    min(c9_m) over w1 as p9_m,
    max(c10_m) over w0 as p10_m,
    sum(c11_p11_d) over until_now as p11_d,
    first_value(c12_e ignore nulls) over w1 as p12_e,
    last_value(c13_e ignore nulls) over w2 as p13_e,
    sum(c14_s) over w1 as p14_s,
    sum(c14_a) over w1 as p14_a,
    sum(c15_s) over w1 as p15_s,
    sum(c15_a) over w1 as p15_a,
    sum(c15_n) over w1 as p15_n,
    min(c16_m) over w1 as p16_m,
    sum(c17_s) over w1 as p17_s,
    sum(c17_n) over w1 as p17_n,
    sum(c17_x) over w1 as p17_x,
    min(c17_lo) over w1 as p17_lo,
    max(c17_hi) over w1 as p17_hi,
    var_samp(c17_e) over w1 as p17_w,
    last_value(c18_e ignore nulls) over w1 as p18_e,
    sum(c19_s) over w1 as p19_s,
    max(c20_m) over w1 as p20_m,
    sum(c21_s) over w0 as p21_s,
    sum(c21_a) over w0 as p21_a,
    sum(c21_n) over w0 as p21_n,
    first_value(c22_e ignore nulls) over w1 as p22_e,
    sum(c23_s) over w1 as p23_s,
    sum(c23_s) over w0 as p24_s,
    min(c24_m) over w1 as p25_m,
    last_value(c25_e ignore nulls) over w1 as p26_e,
    sum(c26_s) over w1 as p27_s,
    sum(c27_s) over w1 as p28_s,
    sum(c27_n) over w1 as p28_n,
    sum(c28_s) over w1 as p29_s,
    sum(c28_n) over w1 as p29_n,
    sum(c28_x) over w1 as p29_x,
    min(c28_lo) over w1 as p29_lo,
    max(c28_hi) over w1 as p29_hi,
    var_samp(c28_e) over w1 as p29_w,
    max(c29_m) over w0 as p30_m,
    first_value(c30_e ignore nulls) over w1 as p31_e,
    sum(c31_p32_d) over until_now as p32_d,
    sum(c32_p33_d) over until_now as p33_d,
    sum(c33_p34_d) over until_now as p34_d,
    last_value(c34_e ignore nulls) over w1 as p35_e,
    sum(c35_p36_d) over until_now as p36_d,
    max(c36_m) over w1 as p37_m,
    first_value(c37_e ignore nulls) over w1 as p38_e,
    sum(c38_p39_d) over until_now as p39_d,
    last_value(c39_e ignore nulls) over w1 as p40_e
  from timeline
  window w0 as (partition by k0 order by moment range between (moment - start_0) preceding and 1 preceding),
    w1 as (partition by k0 order by moment range between (moment - start_1) preceding and 1 preceding),
    w2 as (partition by k0 order by moment range between (moment - start_2) preceding and 1 preceding),
    until_now as (partition by k0 order by moment range unbounded preceding)
), finished as (
  select *,
    case when p7_n < 2 then null when p7_lo = p7_hi then 0::double when p7_x > 0 then null else p7_w end as p7_v,
    case when p8_n < 2 then null when p8_lo = p8_hi then 0::double when p8_x > 0 then null else p8_w end as p8_v,
    case when p17_n < 2 then null when p17_lo = p17_hi then 0::double when p17_x > 0 then null else p17_w end as p17_v,
    case when p29_n < 2 then null when p29_lo = p29_hi then 0::double when p29_x > 0 then null else p29_w end as p29_v
  from parts where is_snapshot
)
select k0 as "customer_id", make_timestamptz(moment) as event_timestamp, false as closing,
  cast(cast(coalesce(p0_n, 0) as bigint) as bigint) as "n",
  cast(cast(coalesce(p1_n, 0) as bigint) as bigint) as "n_paid",
  cast(cast(coalesce(p2_n, 0) as bigint) as bigint) as "n_unknown",
  cast(cast(coalesce(p3_n, 0) as bigint) as bigint) as "of_one_price",
  cast(cast(coalesce(p4_n, 0) as bigint) as bigint) as "of_one_weight",
  cast(case when isfinite(coalesce(p5_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p5_s, 0::double) / 5.421010862427522e-20::double end as double) as "amount_sum",
  cast(coalesce(p5_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "amount_sum__tolerance",
  cast(case when isfinite(p6_s / nullif(p6_n, 0) / 5.421010862427522e-20::double) then p6_s / nullif(p6_n, 0) / 5.421010862427522e-20::double end as double) as "amount_mean",
  cast(p6_a * 1e-9::double / nullif(p6_n, 0) / 5.421010862427522e-20::double as double) as "amount_mean__tolerance",
  cast(p7_v as double) as "amount_variance",
  cast(1e-9::double * p7_v + 1e-14::double * abs(p7_s / p7_n / 5.421010862427522e-20::double) * sqrt(p7_v) as double) as "amount_variance__tolerance",
  cast(sqrt(p8_v) as double) as "amount_deviation",
  cast(case when p8_v > 0 then (1e-9::double * p8_v + 1e-14::double * abs(p8_s / p8_n / 5.421010862427522e-20::double) * sqrt(p8_v)) / sqrt(p8_v) else 0::double end as double) as "amount_deviation__tolerance",
  cast(p9_m as double) as "amount_least",
  cast(p10_m as double) as "amount_most",
  cast(coalesce(p11_d, 0) as bigint) as "amounts",
  cast(p12_e as double) as "first_amount",
  cast(p13_e as double) as "last_amount",
  cast(case when isfinite(coalesce(p14_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p14_s, 0::double) / 5.421010862427522e-20::double end as double) as "weight_sum",
  cast(coalesce(p14_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "weight_sum__tolerance",
  cast(case when isfinite(p15_s / nullif(p15_n, 0) / 5.421010862427522e-20::double) then p15_s / nullif(p15_n, 0) / 5.421010862427522e-20::double end as double) as "weight_mean",
  cast(p15_a * 1e-9::double / nullif(p15_n, 0) / 5.421010862427522e-20::double as double) as "weight_mean__tolerance",
  cast(p16_m as float) as "weight_least",
  cast(sqrt(p17_v) as double) as "weight_deviation",
  cast(case when p17_v > 0 then (1e-9::double * p17_v + 1e-14::double * abs(p17_s / p17_n / 5.421010862427522e-20::double) * sqrt(p17_v)) / sqrt(p17_v) else 0::double end as double) as "weight_deviation__tolerance",
  cast(p18_e as float) as "last_weight",
  cast(case when coalesce(p19_s, 0) between -9223372036854775808 and 9223372036854775807 then cast(coalesce(p19_s, 0) as bigint) end as bigint) as "items_sum",
  cast(p20_m as integer) as "items_most",
  cast(case when isfinite(p21_s / nullif(p21_n, 0) / 5.421010862427522e-20::double) then p21_s / nullif(p21_n, 0) / 5.421010862427522e-20::double end as double) as "items_mean",
  cast(p21_a * 1e-9::double / nullif(p21_n, 0) / 5.421010862427522e-20::double as double) as "items_mean__tolerance",
  cast(p22_e as integer) as "first_items",
  cast(case when coalesce(p23_s, 0) between -9223372036854775808 and 9223372036854775807 then cast(coalesce(p23_s, 0) as bigint) end as bigint) as "points_sum",
  cast(case when coalesce(p24_s, 0) between -9223372036854775808 and 9223372036854775807 then cast(coalesce(p24_s, 0) as bigint) end as bigint) as "points_sum_short",
  cast(p25_m as bigint) as "points_least",
  cast(p26_e as bigint) as "last_points",
  cast(case when coalesce(p27_s, 0) between -92233720368547758.08 and 92233720368547758.07 then cast(coalesce(p27_s, 0) as decimal(19, 2)) end as decimal(19, 2)) as "price_sum",
  cast(cast(p28_s as double) / nullif(p28_n, 0) as double) as "price_mean",
  cast(abs(cast(p28_s as double) / nullif(p28_n, 0)) * 1e-15::double as double) as "price_mean__tolerance",
  cast(p29_v as double) as "price_variance",
  cast(1e-9::double * p29_v + 1e-14::double * abs(p29_s / p29_n / 5.421010862427522e-20::double) * sqrt(p29_v) as double) as "price_variance__tolerance",
  cast(p30_m as decimal(19, 2)) as "price_most",
  cast(p31_e as decimal(19, 2)) as "first_price",
  cast(coalesce(p32_d, 0) as bigint) as "prices",
  cast(coalesce(p33_d, 0) as bigint) as "shops",
  cast(coalesce(p34_d, 0) as bigint) as "shops_unpaid",
  cast(p35_e as varchar) as "last_shop",
  cast(coalesce(p36_d, 0) as bigint) as "tills",
  cast(p37_m as timestamptz) as "last_seen",
  cast(p38_e as blob) as "first_code",
  cast(coalesce(p39_d, 0) as bigint) as "codes",
  cast(p40_e as boolean) as "last_paid"
from finished
union all
select k0, make_timestamptz(1780419600000000::bigint + (until_index + 1) * 25200000000::bigint), true,
  cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(0 as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(null as double), cast(0 as bigint), cast(null as double), cast(null as double), cast(0 as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as float), cast(null as double), cast(0 as double), cast(null as float), cast(0 as bigint), cast(null as integer), cast(null as double), cast(0 as double), cast(null as integer), cast(0 as bigint), cast(0 as bigint), cast(null as bigint), cast(null as bigint), cast(0 as decimal(19, 2)), cast(null as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as decimal(19, 2)), cast(null as decimal(19, 2)), cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(null as varchar), cast(0 as bigint), cast(null as timestamptz), cast(null as blob), cast(0 as bigint), cast(null as boolean)
from runs where closes
) to '/lake/rows' (format parquet, compression zstd, per_thread_output true);
