-- How far the writing that is under way goes: one that was interrupted is done again to the same moment, so that it
-- makes the same files, which are then known.
alter table featuregraph.demo_projects add column seeding_until timestamptz;
