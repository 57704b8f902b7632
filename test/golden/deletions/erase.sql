-- features.risk
with erased as (
delete from "features"."risk"
where "shop" = $2::text
  and (event_timestamp <= $1::timestamptz or created_timestamp is null or created_timestamp <= $1::timestamptz)
returning "shop", "till"
)
select "shop", "till", count(*) from erased group by "shop", "till";

-- features.sold
with erased as (
delete from "features"."sold"
where "shop" = $2::text
  and (event_timestamp <= $1::timestamptz or created_timestamp is null or created_timestamp <= $1::timestamptz)
returning "shop", "till"
)
select "shop", "till", count(*) from erased group by "shop", "till";

-- features.shop_sold
delete from "features"."shop_sold"
where "shop" = $2::text
  and (event_timestamp <= $1::timestamptz or created_timestamp is null or created_timestamp <= $1::timestamptz);

-- events.kept
with erased as (
delete from "events"."kept"
where "shop" = $2::text
  and (event_timestamp <= $1::timestamptz or ingested_at is null or ingested_at <= $1::timestamptz)
returning "shop", "till"
)
select "shop", "till", count(*) from erased group by "shop", "till";

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;

-- violations
delete from featuregraph.violations
where project = $1 and view = $2 and key[1] = $4
  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz);

-- quarantine
delete from featuregraph.quarantine
where project = $1 and view = $2 and recorded_at <= $3::timestamptz and coalesce(content->'key'->>$5::text, content->'values'->>$5::text, content->'key'->>0) = $4;
