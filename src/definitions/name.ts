import { z } from 'zod'

/** What every name in the registry looks like; it is also safe as an SQL identifier once quoted. */
const registryNamePattern = /^[a-z][a-z0-9_]{0,62}$/

export const registryName = z
  .string()
  .regex(
    registryNamePattern,
    'a name matches ^[a-z][a-z0-9_]{0,62}$: lower case letters, digits and _, a letter first',
  )

/** What it was called in the version before: what is stored of that is its own. Later versions pass it over. */
export const renamedFrom = registryName.optional()

/** An explicit GraphQL name, taken verbatim. */
export const explicitGraphqlName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,126}$/, 'a GraphQL name matches ^[A-Za-z][A-Za-z0-9_]*$')
