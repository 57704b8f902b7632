import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Problem } from '../errors.ts'
import { settingPrefix } from './settings.ts'

const rights = z.enum(['read', 'write', 'train', 'admin'])

const apiKey = z.strictObject({
  name: z.string().min(1),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the key, 64 hexadecimal digits in lower case'),
  rights: z.array(rights).min(1),
})

export type ApiKey = z.output<typeof apiKey>

/** The keys of the file; of one with problems, which are added to those given, none. */
export function readApiKeys(file: string, problems: Problem[]): readonly ApiKey[] {
  const keys = z.array(apiKey).min(1, 'expected at least one key')
  return readJsonFile('API_KEYS_FILE', file, keys, problems) ?? []
}

/** What GraphQL Code Generator writes as persisted documents: an object of texts by their ids. */
export function readTrustedDocuments(file: string, problems: Problem[]): Readonly<Record<string, string>> {
  const documents = z.record(z.string(), z.string(), 'expected an object: the text of each document by an id')
  return readJsonFile('TRUSTED_DOCUMENTS', file, documents, problems) ?? {}
}

function readJsonFile<T>(name: string, file: string, type: z.ZodType<T>, problems: Problem[]): T | null {
  const place = settingPrefix + name
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read'
    problems.push({ path: place, message: `the file ${file} ${reason}` })
    return null
  }
  const parsed = type.safeParse(content)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues)
    problems.push({ path: `${place} [${issue.path.join('.')}]`, message: issue.message })
  return null
}
