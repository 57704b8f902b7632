import type pg from 'pg'

/** The number that stands for a topic in the tables of events; made when it is new. */
export async function topicIdOf(
  client: Pick<pg.ClientBase, 'query'> | pg.Pool,
  project: string,
  topic: string,
): Promise<number> {
  await client.query(
    'insert into featuregraph.event_topics (project, topic) values ($1, $2) on conflict do nothing',
    [project, topic],
  )
  const { rows } = await client.query<{ id: number }>(
    'select id from featuregraph.event_topics where project = $1 and topic = $2',
    [project, topic],
  )
  return rows[0]?.id ?? 0
}
