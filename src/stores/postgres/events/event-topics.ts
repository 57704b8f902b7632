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

/** The topic of stored events for a topic of a stream, see `EventStore.openTopic`. */
export async function openTopic(
  pool: pg.Pool,
  project: string,
  name: string,
  identity: string,
): Promise<string | null> {
  const topicId = await topicIdOf(pool, project, name)
  await pool.query(
    'insert into featuregraph.stream_topics (project, name, identity, topic_id) values ($1, $2, $3, $4) on conflict do nothing',
    [project, name, identity, topicId],
  )
  const { rows } = await pool.query<{ topic: string }>(
    `select t.topic from featuregraph.stream_topics as s join featuregraph.event_topics as t on t.id = s.topic_id
     where s.project = $1 and s.name = $2 and s.identity = $3`,
    [project, name, identity],
  )
  return rows[0]?.topic ?? null
}

/** Its events get a topic of their own, since its offsets begin again. */
export async function adoptTopic(
  pool: pg.Pool,
  project: string,
  name: string,
  identity: string,
): Promise<void> {
  const { rows } = await pool.query<{ count: string }>(
    'select count(*) from featuregraph.event_topics where project = $1 and starts_with(topic, $2)',
    [project, `${name}@`],
  )
  const topicId = await topicIdOf(pool, project, `${name}@${Number(rows[0]?.count ?? 0) + 1}`)
  await pool.query(
    `insert into featuregraph.stream_topics (project, name, identity, topic_id) values ($1, $2, $3, $4)
     on conflict (project, name) do update set identity = excluded.identity, topic_id = excluded.topic_id`,
    [project, name, identity, topicId],
  )
}
