-- The files that a view in Parquet files had been materialized from, each by a digest of its path, size and moment.
alter table featuregraph.watermarks add column files text[];
