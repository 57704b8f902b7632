set preserve_insertion_order = false;
create or replace temp view fg_events as
select *, greatest(last_0, last_1, last_2) as last_index
from (
  select *,
    greatest(0::bigint, least(31::bigint, (moment - 1780394400000000::bigint) // 25200000000::bigint)) as first_index,
    greatest(0::bigint, least(31::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 11099999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_0,
    greatest(0::bigint, least(31::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_1,
    greatest(0::bigint, least(31::bigint, ((moment - (moment % 18000000000 + 18000000000) % 18000000000 + 147599999999::bigint) - 1780394400000000::bigint) // 25200000000::bigint)) - 1 as last_2
  from (
    select
      cast("customer_id" as bigint) as k0,
      cast("shop" as varchar) as f0,
      cast("till" as varchar) as f1,
      case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f2,
      case when isfinite(cast("weight" as float)) then cast("weight" as float) + cast(0 as float) end as f3,
      cast("items" as integer) as f4,
      cast("points" as bigint) as f5,
      cast("price" as decimal(19, 2)) as f6,
      cast("paid" as boolean) as f7,
      cast("seen" as timestamptz) as f8,
      cast("code" as blob) as f9,
      epoch_us("_counted_at") as moment,
      "_topic" as topic_name,
      "_partition" as partition_number,
      "_offset" as offset_number
    from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
    where "counts"
      and "_counted_at" >= timestamptz '2026-05-26T17:00:00.000000Z'
      and "_counted_at" < timestamptz '2026-06-11T11:00:00.000000Z'
      and "customer_id" is not null
  )
);
create or replace temp table fg_tiles as
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
  count(f2) as c5_n,
  min(f2) as c5_lo,
  max(f2) as c5_hi,
  count(*) filter (where abs(cast(f2 as double)) > 1e+150::double) as c5_x,
  arg_min(f2, row(moment, topic_name, partition_number, offset_number)) filter (where f2 is not null) as c5_first,
  arg_max(f2, row(moment, topic_name, partition_number, offset_number)) filter (where f7 = cast(true as boolean) and f2 is not null) as c6_last,
  sum(cast(f3 as double) * 5.421010862427522e-20::double) as c7_s,
  sum(abs(cast(f3 as double) * 5.421010862427522e-20::double)) as c7_a,
  count(f3) as c7_n,
  min(f3) as c7_lo,
  max(f3) as c7_hi,
  count(*) filter (where abs(cast(f3 as double)) > 1e+150::double) as c7_x,
  arg_max(f3, row(moment, topic_name, partition_number, offset_number)) filter (where f3 is not null) as c7_last,
  sum(f4) as c8_t,
  max(f4) as c8_hi,
  sum(cast(f4 as double) * 5.421010862427522e-20::double) as c8_s,
  sum(abs(cast(f4 as double) * 5.421010862427522e-20::double)) as c8_a,
  count(f4) as c8_n,
  arg_min(f4, row(moment, topic_name, partition_number, offset_number)) filter (where f4 is not null) as c8_first,
  sum(f5) as c9_t,
  min(f5) as c9_lo,
  arg_max(f5, row(moment, topic_name, partition_number, offset_number)) filter (where f5 is not null) as c9_last,
  sum(f6) as c10_t,
  count(f6) as c10_n,
  sum(cast(f6 as double) * 5.421010862427522e-20::double) as c10_s,
  min(f6) as c10_lo,
  max(f6) as c10_hi,
  count(*) filter (where abs(cast(f6 as double)) > 1e+150::double) as c10_x,
  arg_min(f6, row(moment, topic_name, partition_number, offset_number)) filter (where f6 is not null) as c10_first,
  arg_max(f0, row(moment, topic_name, partition_number, offset_number)) filter (where f0 is not null) as c11_last,
  max(f8) as c14_hi,
  arg_min(f9, row(moment, topic_name, partition_number, offset_number)) filter (where f9 is not null) as c15_first,
  arg_max(f7, row(moment, topic_name, partition_number, offset_number)) filter (where f7 is not null) as c16_last
from fg_events where first_index <= last_index
group by k0, first_index, last_0, last_1, last_2, last_index;
create or replace temp table fg_differences as
with present as (
  select k0, 0 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f2 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f2, first_index, last_1 from fg_events
      where f2 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
  union all
  select k0, 1 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f6 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f6, first_index, last_1 from fg_events
      where f6 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
  union all
  select k0, 2 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f0 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f0, first_index, last_1 from fg_events
      where f0 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
  union all
  select k0, 3 as feature, from_index, last_0 + 1 as to_index
  from (
    select k0, last_0, greatest(first_index, coalesce(lag(last_0) over (
      partition by k0, f0 order by first_index, last_0) + 1, 0)) as from_index
    from (
      select distinct k0, f0, first_index, last_0 from fg_events
      where f0 is not null and f7 = cast(false as boolean) and first_index <= last_0
    )
  ) where from_index <= last_0
  union all
  select k0, 4 as feature, from_index, last_2 + 1 as to_index
  from (
    select k0, last_2, greatest(first_index, coalesce(lag(last_2) over (
      partition by k0, f1 order by first_index, last_2) + 1, 0)) as from_index
    from (
      select distinct k0, f1, first_index, last_2 from fg_events
      where f1 is not null and first_index <= last_2
    )
  ) where from_index <= last_2
  union all
  select k0, 5 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, f9 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, f9, first_index, last_1 from fg_events
      where f9 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
)
select k0, index, sum(difference) filter (where feature = 0) as p5_1_c, sum(difference) filter (where feature = 1) as p10_1_c, sum(difference) filter (where feature = 2) as p11_1_c, sum(difference) filter (where feature = 3) as p12_0_c, sum(difference) filter (where feature = 4) as p13_2_c, sum(difference) filter (where feature = 5) as p15_1_c
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
  select k0, moment, moment as start_0, moment as start_1, moment as start_2, false as is_snapshot, c0_n, c1_n, c2_n, c3_n, c4_n, c5_s, c5_a, c5_n, c5_lo, c5_hi, c5_x, c5_first, c6_last, c7_s, c7_a, c7_n, c7_lo, c7_hi, c7_x, c7_last, c8_t, c8_hi, c8_s, c8_a, c8_n, c8_first, c9_t, c9_lo, c9_last, c10_t, c10_n, c10_s, c10_lo, c10_hi, c10_x, c10_first, c11_last, c14_hi, c15_first, c16_last, null as c5_tame, null as c7_tame, null as c10_tame, null as p5_1_c, null as p10_1_c, null as p11_1_c, null as p12_0_c, null as p13_2_c, null as p15_1_c
  from fg_tiles
  union all
  select k0, moment, moment as start_0, moment as start_1, moment as start_2, false as is_snapshot, null as c0_n, null as c1_n, null as c2_n, null as c3_n, null as c4_n, null as c5_s, null as c5_a, null as c5_n, null as c5_lo, null as c5_hi, null as c5_x, null as c5_first, null as c6_last, null as c7_s, null as c7_a, null as c7_n, null as c7_lo, null as c7_hi, null as c7_x, null as c7_last, null as c8_t, null as c8_hi, null as c8_s, null as c8_a, null as c8_n, null as c8_first, null as c9_t, null as c9_lo, null as c9_last, null as c10_t, null as c10_n, null as c10_s, null as c10_lo, null as c10_hi, null as c10_x, null as c10_first, null as c11_last, null as c14_hi, null as c15_first, null as c16_last, case when abs(cast(f2 as double)) <= 1e+150::double then cast(f2 as double) end as c5_tame, case when abs(cast(f3 as double)) <= 1e+150::double then cast(f3 as double) end as c7_tame, case when abs(cast(f6 as double)) <= 1e+150::double then cast(f6 as double) end as c10_tame, null as p5_1_c, null as p10_1_c, null as p11_1_c, null as p12_0_c, null as p13_2_c, null as p15_1_c
  from fg_events where first_index <= last_index
  union all
  select k0, 1780419600000000::bigint + index * 25200000000::bigint as moment, moment as start_0, moment as start_1, moment as start_2, false as is_snapshot, null as c0_n, null as c1_n, null as c2_n, null as c3_n, null as c4_n, null as c5_s, null as c5_a, null as c5_n, null as c5_lo, null as c5_hi, null as c5_x, null as c5_first, null as c6_last, null as c7_s, null as c7_a, null as c7_n, null as c7_lo, null as c7_hi, null as c7_x, null as c7_last, null as c8_t, null as c8_hi, null as c8_s, null as c8_a, null as c8_n, null as c8_first, null as c9_t, null as c9_lo, null as c9_last, null as c10_t, null as c10_n, null as c10_s, null as c10_lo, null as c10_hi, null as c10_x, null as c10_first, null as c11_last, null as c14_hi, null as c15_first, null as c16_last, null as c5_tame, null as c7_tame, null as c10_tame, p5_1_c, p10_1_c, p11_1_c, p12_0_c, p13_2_c, p15_1_c
  from fg_differences
  union all
  select k0, moment, (moment - 10800000000) - ((moment - 10800000000) % 300000000 + 300000000) % 300000000 as start_0, (moment - 604800000000) - ((moment - 604800000000) % 3600000000 + 3600000000) % 3600000000 as start_1, (moment - 129600000000) - ((moment - 129600000000) % 18000000000 + 18000000000) % 18000000000 as start_2, true as is_snapshot, null as c0_n, null as c1_n, null as c2_n, null as c3_n, null as c4_n, null as c5_s, null as c5_a, null as c5_n, null as c5_lo, null as c5_hi, null as c5_x, null as c5_first, null as c6_last, null as c7_s, null as c7_a, null as c7_n, null as c7_lo, null as c7_hi, null as c7_x, null as c7_last, null as c8_t, null as c8_hi, null as c8_s, null as c8_a, null as c8_n, null as c8_first, null as c9_t, null as c9_lo, null as c9_last, null as c10_t, null as c10_n, null as c10_s, null as c10_lo, null as c10_hi, null as c10_x, null as c10_first, null as c11_last, null as c14_hi, null as c15_first, null as c16_last, null as c5_tame, null as c7_tame, null as c10_tame, null as p5_1_c, null as p10_1_c, null as p11_1_c, null as p12_0_c, null as p13_2_c, null as p15_1_c
  from (select k0, 1780419600000000::bigint + index * 25200000000::bigint as moment from snapshots)
), parts as (
  select k0, moment, is_snapshot,
    sum(c0_n) over w0 as p0_0_n,
    sum(c1_n) over w1 as p1_1_n,
    sum(c2_n) over w2 as p2_2_n,
    sum(c3_n) over w1 as p3_1_n,
    sum(c4_n) over w1 as p4_1_n,
    sum(c5_s) over w1 as p5_1_s,
    sum(c5_a) over w1 as p5_1_a,
    sum(c5_s) over w2 as p5_2_s,
    sum(c5_a) over w2 as p5_2_a,
    sum(c5_n) over w2 as p5_2_n,
    sum(c5_n) over w1 as p5_1_n,
    sum(c5_x) over w1 as p5_1_x,
    min(c5_lo) over w1 as p5_1_lo,
    max(c5_hi) over w1 as p5_1_hi,
    var_samp(c5_tame) over w1 as p5_1_w,
    sum(c5_s) over w0 as p5_0_s,
    sum(c5_n) over w0 as p5_0_n,
    sum(c5_x) over w0 as p5_0_x,
    min(c5_lo) over w0 as p5_0_lo,
    max(c5_hi) over w0 as p5_0_hi,
    var_samp(c5_tame) over w0 as p5_0_w,
    sum(p5_1_c) over until_now as p5_1_d,
    first_value(c5_first ignore nulls) over w1 as p5_1_first,
    last_value(c6_last ignore nulls) over w2 as p6_2_last,
    sum(c7_s) over w1 as p7_1_s,
    sum(c7_a) over w1 as p7_1_a,
    sum(c7_n) over w1 as p7_1_n,
    min(c7_lo) over w1 as p7_1_lo,
    sum(c7_x) over w1 as p7_1_x,
    max(c7_hi) over w1 as p7_1_hi,
    var_samp(c7_tame) over w1 as p7_1_w,
    last_value(c7_last ignore nulls) over w1 as p7_1_last,
    sum(c8_t) over w1 as p8_1_t,
    max(c8_hi) over w1 as p8_1_hi,
    sum(c8_s) over w0 as p8_0_s,
    sum(c8_a) over w0 as p8_0_a,
    sum(c8_n) over w0 as p8_0_n,
    first_value(c8_first ignore nulls) over w1 as p8_1_first,
    sum(c9_t) over w1 as p9_1_t,
    sum(c9_t) over w0 as p9_0_t,
    min(c9_lo) over w1 as p9_1_lo,
    last_value(c9_last ignore nulls) over w1 as p9_1_last,
    sum(c10_t) over w1 as p10_1_t,
    sum(c10_n) over w1 as p10_1_n,
    sum(c10_s) over w1 as p10_1_s,
    sum(c10_x) over w1 as p10_1_x,
    min(c10_lo) over w1 as p10_1_lo,
    max(c10_hi) over w1 as p10_1_hi,
    var_samp(c10_tame) over w1 as p10_1_w,
    max(c10_hi) over w0 as p10_0_hi,
    first_value(c10_first ignore nulls) over w1 as p10_1_first,
    sum(p10_1_c) over until_now as p10_1_d,
    sum(p11_1_c) over until_now as p11_1_d,
    sum(p12_0_c) over until_now as p12_0_d,
    last_value(c11_last ignore nulls) over w1 as p11_1_last,
    sum(p13_2_c) over until_now as p13_2_d,
    max(c14_hi) over w1 as p14_1_hi,
    first_value(c15_first ignore nulls) over w1 as p15_1_first,
    sum(p15_1_c) over until_now as p15_1_d,
    last_value(c16_last ignore nulls) over w1 as p16_1_last
  from timeline
  window w0 as (partition by k0 order by moment range between (moment - start_0) preceding and 1 preceding),
    w1 as (partition by k0 order by moment range between (moment - start_1) preceding and 1 preceding),
    w2 as (partition by k0 order by moment range between (moment - start_2) preceding and 1 preceding),
    until_now as (partition by k0 order by moment range unbounded preceding)
), finished as (
  select *,
    case when p5_1_n < 2 then null when p5_1_lo = p5_1_hi then 0::double when p5_1_x > 0 then null else p5_1_w end as p5_1_v,
    case when p5_0_n < 2 then null when p5_0_lo = p5_0_hi then 0::double when p5_0_x > 0 then null else p5_0_w end as p5_0_v,
    case when p7_1_n < 2 then null when p7_1_lo = p7_1_hi then 0::double when p7_1_x > 0 then null else p7_1_w end as p7_1_v,
    case when p10_1_n < 2 then null when p10_1_lo = p10_1_hi then 0::double when p10_1_x > 0 then null else p10_1_w end as p10_1_v
  from parts where is_snapshot
)
select k0 as "customer_id", make_timestamptz(moment) as event_timestamp, false as closing,
  cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint) as "n",
  cast(cast(coalesce(p1_1_n, 0) as bigint) as bigint) as "n_paid",
  cast(cast(coalesce(p2_2_n, 0) as bigint) as bigint) as "n_unknown",
  cast(cast(coalesce(p3_1_n, 0) as bigint) as bigint) as "of_one_price",
  cast(cast(coalesce(p4_1_n, 0) as bigint) as bigint) as "of_one_weight",
  cast(case when isfinite(coalesce(p5_1_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p5_1_s, 0::double) / 5.421010862427522e-20::double end as double) as "amount_sum",
  cast(coalesce(p5_1_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "amount_sum__tolerance",
  cast(case when isfinite(p5_2_s / nullif(p5_2_n, 0) / 5.421010862427522e-20::double) then p5_2_s / nullif(p5_2_n, 0) / 5.421010862427522e-20::double end as double) as "amount_mean",
  cast(p5_2_a * 1e-9::double / nullif(p5_2_n, 0) / 5.421010862427522e-20::double as double) as "amount_mean__tolerance",
  cast(p5_1_v as double) as "amount_variance",
  cast(1e-9::double * p5_1_v + 1e-14::double * abs(p5_1_s / p5_1_n / 5.421010862427522e-20::double) * sqrt(p5_1_v) as double) as "amount_variance__tolerance",
  cast(sqrt(p5_0_v) as double) as "amount_deviation",
  cast(case when p5_0_v > 0 then (1e-9::double * p5_0_v + 1e-14::double * abs(p5_0_s / p5_0_n / 5.421010862427522e-20::double) * sqrt(p5_0_v)) / sqrt(p5_0_v) else 0::double end as double) as "amount_deviation__tolerance",
  cast(p5_1_lo as double) as "amount_least",
  cast(p5_0_hi as double) as "amount_most",
  cast(coalesce(p5_1_d, 0) as bigint) as "amounts",
  cast(p5_1_first as double) as "first_amount",
  cast(p6_2_last as double) as "last_amount",
  cast(case when isfinite(coalesce(p7_1_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p7_1_s, 0::double) / 5.421010862427522e-20::double end as double) as "weight_sum",
  cast(coalesce(p7_1_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "weight_sum__tolerance",
  cast(case when isfinite(p7_1_s / nullif(p7_1_n, 0) / 5.421010862427522e-20::double) then p7_1_s / nullif(p7_1_n, 0) / 5.421010862427522e-20::double end as double) as "weight_mean",
  cast(p7_1_a * 1e-9::double / nullif(p7_1_n, 0) / 5.421010862427522e-20::double as double) as "weight_mean__tolerance",
  cast(p7_1_lo as float) as "weight_least",
  cast(sqrt(p7_1_v) as double) as "weight_deviation",
  cast(case when p7_1_v > 0 then (1e-9::double * p7_1_v + 1e-14::double * abs(p7_1_s / p7_1_n / 5.421010862427522e-20::double) * sqrt(p7_1_v)) / sqrt(p7_1_v) else 0::double end as double) as "weight_deviation__tolerance",
  cast(p7_1_last as float) as "last_weight",
  cast(case when coalesce(p8_1_t, 0) between -9223372036854775808 and 9223372036854775807 then cast(coalesce(p8_1_t, 0) as bigint) end as bigint) as "items_sum",
  cast(p8_1_hi as integer) as "items_most",
  cast(case when isfinite(p8_0_s / nullif(p8_0_n, 0) / 5.421010862427522e-20::double) then p8_0_s / nullif(p8_0_n, 0) / 5.421010862427522e-20::double end as double) as "items_mean",
  cast(p8_0_a * 1e-9::double / nullif(p8_0_n, 0) / 5.421010862427522e-20::double as double) as "items_mean__tolerance",
  cast(p8_1_first as integer) as "first_items",
  cast(case when coalesce(p9_1_t, 0) between -9223372036854775808 and 9223372036854775807 then cast(coalesce(p9_1_t, 0) as bigint) end as bigint) as "points_sum",
  cast(case when coalesce(p9_0_t, 0) between -9223372036854775808 and 9223372036854775807 then cast(coalesce(p9_0_t, 0) as bigint) end as bigint) as "points_sum_short",
  cast(p9_1_lo as bigint) as "points_least",
  cast(p9_1_last as bigint) as "last_points",
  cast(case when coalesce(p10_1_t, 0) between -92233720368547758.08 and 92233720368547758.07 then cast(coalesce(p10_1_t, 0) as decimal(19, 2)) end as decimal(19, 2)) as "price_sum",
  cast(cast(p10_1_t as double) / nullif(p10_1_n, 0) as double) as "price_mean",
  cast(abs(cast(p10_1_t as double) / nullif(p10_1_n, 0)) * 1e-15::double as double) as "price_mean__tolerance",
  cast(p10_1_v as double) as "price_variance",
  cast(1e-9::double * p10_1_v + 1e-14::double * abs(p10_1_s / p10_1_n / 5.421010862427522e-20::double) * sqrt(p10_1_v) as double) as "price_variance__tolerance",
  cast(p10_0_hi as decimal(19, 2)) as "price_most",
  cast(p10_1_first as decimal(19, 2)) as "first_price",
  cast(coalesce(p10_1_d, 0) as bigint) as "prices",
  cast(coalesce(p11_1_d, 0) as bigint) as "shops",
  cast(coalesce(p12_0_d, 0) as bigint) as "shops_unpaid",
  cast(p11_1_last as varchar) as "last_shop",
  cast(coalesce(p13_2_d, 0) as bigint) as "tills",
  cast(p14_1_hi as timestamptz) as "last_seen",
  cast(p15_1_first as blob) as "first_code",
  cast(coalesce(p15_1_d, 0) as bigint) as "codes",
  cast(p16_1_last as boolean) as "last_paid"
from finished
union all
select k0, make_timestamptz(1780419600000000::bigint + (until_index + 1) * 25200000000::bigint), true,
  cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(0 as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(null as double), cast(0 as bigint), cast(null as double), cast(null as double), cast(0 as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as float), cast(null as double), cast(0 as double), cast(null as float), cast(0 as bigint), cast(null as integer), cast(null as double), cast(0 as double), cast(null as integer), cast(0 as bigint), cast(0 as bigint), cast(null as bigint), cast(null as bigint), cast(0 as decimal(19, 2)), cast(null as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as decimal(19, 2)), cast(null as decimal(19, 2)), cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), cast(null as varchar), cast(0 as bigint), cast(null as timestamptz), cast(null as blob), cast(0 as bigint), cast(null as boolean)
from runs where closes
) to '/lake/rows' (format parquet, compression zstd, per_thread_output true);
