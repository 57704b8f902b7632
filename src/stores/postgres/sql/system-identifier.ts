import pg from 'pg'

const insufficientPrivilege = '42501'

/**
 * Distinguishes one database cluster, and its transaction ids, from another. Where the server does not permit to read it (some
 * hosted ones): an id that the migrations stored, with the database's own, which a restored copy does not share.
 */
export async function systemIdentifier(pool: pg.Pool): Promise<string> {
  try {
    const { rows } = await pool.query<{ id: string }>(
      'select system_identifier::text as id from pg_control_system()',
    )
    return rows[0]?.id ?? ''
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== insufficientPrivilege) throw error
    const { rows } = await pool.query<{ id: string }>(
      `select i.id || '/' || d.oid as id from featuregraph.database_identity as i, pg_database as d
       where d.datname = current_database()`,
    )
    return rows[0]?.id ?? ''
  }
}
