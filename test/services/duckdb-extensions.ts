import { join } from 'node:path'
import { packageFolder } from './python-packages.ts'

/** The version of DuckDB in `@duckdb/node-api`. */
const version = '1.5.5'

/** A folder for `FEATUREGRAPH_DUCKDB_EXTENSIONS`, from PyPI into `.cache/` once; null where there is no Python with pip. */
export async function duckDbExtension(name: 'httpfs' | 'delta'): Promise<string | null> {
  const wheel = `duckdb-extension-${name}`
  const folder = await packageFolder(wheel, ['--no-deps', `${wheel}==${version}`])
  return folder && join(folder, `duckdb_extension_${name}`, 'extensions')
}
