import path from 'node:path'
import { java } from './java.ts'
import { packageFolder } from './python-packages.ts'

/**
 * The command that submits to a Spark of its own, in one process, or null where there is no Python. PySpark comes from PyPI
 * into `.cache/`, once: 317 MB. @throws Error where there is no Java 17.
 */
export async function sparkSubmit(master = 'local[2]'): Promise<string | null> {
  const folder = await packageFolder('pyspark', ['pyspark==3.5.9'], ['pyspark'])
  if (folder === null) return null
  const program = await java()
  const home = path.isAbsolute(program) ? [`JAVA_HOME=${path.resolve(program, '../..')}`] : []
  const settings = [
    ...['spark.ui.enabled=false', 'spark.sql.shuffle.partitions=4', 'spark.log.level=WARN'],
    // Another zone than the one that everything is in.
    'spark.driver.extraJavaOptions=-Duser.timezone=Asia/Kolkata',
  ]
  return [
    ...['env', `PYTHONPATH=${folder}`, `SPARK_HOME=${folder}/pyspark`, ...home],
    ...['PYTHONDONTWRITEBYTECODE=', `PYTHONPYCACHEPREFIX=${folder}-bytecode`],
    ...[`${folder}/pyspark/bin/spark-submit`, '--master', master, '--driver-memory', '2g'],
    ...settings.flatMap((one) => ['--conf', one]),
  ].join(' ')
}
