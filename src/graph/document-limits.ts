/** What a document that was not seen before may hold. Trusted documents are held to none of it. */
export interface DocumentLimits {
  /** Of its text in UTF-8. */
  readonly bytes: number
  readonly tokens: number
  /** Of fields, all operations and fragments together. */
  readonly aliases: number
  /** Operations and fragments. */
  readonly definitions: number
  /** Brackets of any kind that stand inside each other. */
  readonly depth: number
  /** Fields that stand in their selection under the same name already: validation compares each with each. */
  readonly repeats: number
}

/** The setting that holds each, without the prefix. */
export const documentSettings = {
  bytes: 'DOCUMENT_MAX_BYTES',
  tokens: 'DOCUMENT_MAX_TOKENS',
  aliases: 'DOCUMENT_MAX_ALIASES',
  definitions: 'DOCUMENT_MAX_DEFINITIONS',
  depth: 'DOCUMENT_MAX_DEPTH',
  repeats: 'DOCUMENT_MAX_REPEATS',
} as const satisfies Record<keyof DocumentLimits, string>

const allowed: Readonly<Record<keyof DocumentLimits, (limit: number) => string>> = {
  bytes: (limit) => `at most ${limit} bytes`,
  tokens: (limit) => `at most ${limit} tokens`,
  aliases: (limit) => `at most ${limit} aliases`,
  definitions: (limit) => `at most ${limit} operations and fragments`,
  depth: (limit) => `brackets at most ${limit} deep`,
  repeats: (limit) => `at most ${limit} fields that stand in their selection under the same name already`,
}

const remedy: Readonly<Record<keyof DocumentLimits, string>> = {
  bytes: 'put values into variables, or split it',
  tokens: 'put values into variables, or split it',
  aliases: 'ask for several keys by a list',
  definitions: 'send what one operation needs',
  depth: 'put values into variables, or nest it less',
  repeats: 'write each field once',
}

/** The message for a caller whose document is over a limit. */
export function limitMessage(limit: keyof DocumentLimits, { [limit]: most }: DocumentLimits): string {
  return `a document may have ${allowed[limit](most)} (FEATUREGRAPH_${documentSettings[limit]}); ${remedy[limit]}`
}
