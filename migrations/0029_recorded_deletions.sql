-- Since when a deletion was asked for last, by transactions: an export leaves out the rows of one that has not been erased yet. Null
-- of those from before, which were erased long ago.
alter table featuregraph.deletions add column recorded_xid xid8;
