-- Quarantined rows are listed and taken again by their event source or feature view.
create index quarantine_named on featuregraph.quarantine (project, view, id);
