select distinct x."shop"::text as k0, x."till"::integer as k1
from "features"."risk" as x
where x."shop"::text = $1::text and x."shop"::text is not null and x."till"::integer is not null;

select distinct x."place"::text as k0, x."till"::integer as k1
from "shop"."bills" as x
where x."place"::text = $1::text and x."place"::text is not null and x."till"::integer is not null;

select distinct x."shop"::text as k0, x."till"::integer as k1
from "features"."sold" as x
where x."shop"::text = $1::text and x."shop"::text is not null and x."till"::integer is not null;

select distinct x."shop"::text as k0, x."till"::integer as k1
from "events"."kept" as x
where x."shop"::text = $1::text and x."shop"::text is not null and x."till"::integer is not null;
