import pg from 'pg'

/** Held by the one gateway of a database. */
export interface GatewayClaim {
  readonly release: () => Promise<void>
}

/** Any constant pair; these spell "feat" and "grap". Advisory locks belong to one database, so it is one gateway each. */
const lockKey = [0x66656174, 0x67726170] as const

/**
 * Claims the database for this gateway by a session's advisory lock on one kept connection, or returns null when another
 * gateway has it. Commands do not claim. The lock ends with the connection, so a killed gateway leaves nothing behind;
 * it is not taken again after a loss of the connection. Rejects with the driver's error when Postgres cannot be reached.
 */
export async function claimGateway(url: string): Promise<GatewayClaim | null> {
  const client = new pg.Client({
    connectionString: url,
    keepAlive: true,
    application_name: 'featuregraph gateway',
  })
  // Without a listener the loss of an idle connection would end the process; the pools report it better.
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query<{ claimed: boolean }>(
      'select pg_try_advisory_lock($1::int4, $2::int4) as claimed',
      [...lockKey],
    )
    if (rows[0]?.claimed === true) return { release: () => client.end() }
  } catch (error) {
    await client.end()
    throw error
  }
  await client.end()
  return null
}
