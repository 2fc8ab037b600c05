-- Which database of the cluster, and which table in it. A dump that is put back makes both anew,
-- also where it is put back into the same cluster, whose identifier and timeline stay.
ALTER TABLE installation ADD COLUMN place text;
