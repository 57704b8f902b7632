import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { execute } from './postgres.ts'

/** From here on moments in the test's own database are this one, until it is set again. */
export async function setDatabaseClock(url: string, now: Micros): Promise<void> {
  await execute(
    url,
    `create or replace function featuregraph.moment() returns timestamptz language sql volatile as
     $$ select timestamptz '${formatTimestamp(now)}' $$`,
  )
}
