-- The version of the registry that the process serves; null: it was started by a program that did not know of versions.
alter table featuregraph.processes add column registry_version integer;
