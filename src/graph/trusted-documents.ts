import { parse } from 'graphql'
import { InvalidConfig, messageOf } from '../errors.ts'

/** Documents that the operator has read: exempt from the limits of documents, and their operations keep their names in metrics. */
export interface TrustedDocuments {
  readonly texts: ReadonlySet<string>
  readonly operationNames: readonly string[]
}

/** By the ids of their file. @throws InvalidConfig naming each that is no GraphQL. */
export function trustedDocuments(documents: Readonly<Record<string, string>>): TrustedDocuments {
  const operationNames = new Set<string>()
  const problems = Object.entries(documents).flatMap(([id, text]) => {
    try {
      for (const node of parse(text).definitions)
        if (node.kind === 'OperationDefinition' && node.name) operationNames.add(node.name.value)
      return []
    } catch (error) {
      return [{ path: `FEATUREGRAPH_TRUSTED_DOCUMENTS [${id}]`, message: messageOf(error) }]
    }
  })
  if (problems.length > 0) throw new InvalidConfig(problems)
  return { texts: new Set(Object.values(documents)), operationNames: [...operationNames] }
}
