import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { errorCode, InvalidConfig, type Problem } from '../errors.ts'
import { nearest } from '../registry/suggest.ts'
import { readS3Access } from '../stores/lake-access.ts'
import { type Config, configOf } from './config.ts'
import { readApiKeys, readTrustedDocuments } from './json-settings.ts'
import { isLoopback } from './loopback.ts'
import { settingNames, settingPrefix, settings } from './settings.ts'

/**
 * The environment's FEATUREGRAPH_ variables → settings. An empty variable counts as absent.
 * @throws InvalidConfig with all problems at once; a value is shown only where it can hold no secret.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: Problem[] = []
  const given = ourVariables(environment)
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(settings.shape, name)) {
      const meant = nearest(name, settingNames)
      const hint =
        meant === null ? `there are ${settingNames.join(', ')}` : `did you mean ${settingPrefix}${meant}?`
      problems.push({ path: settingPrefix + name, message: `there is no such setting; ${hint}` })
    }
  }
  const parsed = settings.safeParse(given)
  for (const issue of parsed.error?.issues ?? [])
    problems.push({ path: settingPrefix + issue.path.join('.'), message: issue.message })
  // Looked at whatever else is wrong: all problems are reported at once.
  const keysFile = given['API_KEYS_FILE']
  const apiKeys = keysFile === undefined ? null : readApiKeys(keysFile, problems)
  const trustedFile = given['TRUSTED_DOCUMENTS']
  const trustedDocuments = trustedFile === undefined ? {} : readTrustedDocuments(trustedFile, problems)
  const host = given['HOST']
  if (
    host !== undefined &&
    !isLoopback(host) &&
    keysFile === undefined &&
    given['ALLOW_ANONYMOUS'] !== 'true'
  ) {
    const message = `${host} can be reached from other machines: set ${settingPrefix}API_KEYS_FILE, or ${settingPrefix}ALLOW_ANONYMOUS=true to let anyone read`
    problems.push({ path: `${settingPrefix}HOST`, message })
  }
  if (given['CORS_ORIGINS'] === '*' && keysFile === undefined && given['ALLOW_ANONYMOUS'] !== 'true') {
    const message = `with * every page that is open in a browser on this machine could read, write and delete here: name the origins, set ${settingPrefix}API_KEYS_FILE, or ${settingPrefix}ALLOW_ANONYMOUS=true to let anyone read`
    problems.push({ path: `${settingPrefix}CORS_ORIGINS`, message })
  }
  if (!parsed.success || problems.length > 0) throw new InvalidConfig(problems)
  return configOf(parsed.data, { apiKeys, trustedDocuments, s3: readS3Access(environment) })
}

/** The process environment over what a `.env` file in the working directory says. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...readDotEnv(), ...process.env }
}

function readDotEnv(): Readonly<Record<string, string | undefined>> {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return {}
    throw new InvalidConfig([{ path: '.env', message: 'the file is there and cannot be read' }])
  }
}

function ourVariables(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const ours = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith(settingPrefix) && value !== undefined && value !== ''
      ? [[name.slice(settingPrefix.length), value] as const]
      : [],
  )
  return Object.fromEntries(ours)
}
