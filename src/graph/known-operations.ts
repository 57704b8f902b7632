import {
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import type { CompiledQuery } from 'graphql-jit'
import { LRUCache } from 'lru-cache'
import { countRepeats } from './answer-size.ts'
import { catalogueNesting } from './catalogue-nesting.ts'
import { compileOperation, defaultedVariables } from './compile-operation.ts'
import { type OperationWriter, operationWriter } from './direct/operation-writer.ts'
import { type CountEntities, entityCounter } from './entity-count.ts'
import { type ClassifyWork, workClassifier } from './operation-work.ts'
import { countSelections } from './selection-count.ts'

/** An operation that was seen; compiled at its second use, so that unique texts compile nothing. */
export interface KnownOperation {
  readonly countEntities: CountEntities
  /** Fields that it selects: every entity asked for may answer as many values. */
  readonly selections: number
  readonly classify: ClassifyWork
  /** In how many places of the answer one stored value may stand. */
  readonly repeats: number
  /** Nullable variables with a default: null for one is refused where it stands for a non-null value, not by graphql-jit. */
  readonly defaulted: readonly string[]
  /** To be called once a use. Null: it is not compiled, or not yet. */
  readonly use: () => CompiledQuery | null
}

/** One that Apollo has answered without an error, so that its text passed all that stands before execution. */
export interface AnsweredOperation extends KnownOperation {
  readonly seen: SeenOperation
  /** What answers it past Apollo. Null: nothing but graphql-js does. */
  readonly direct: () => DirectAnswering | null
}

interface DirectAnswering {
  readonly writer: OperationWriter | null
  readonly compiled: CompiledQuery | null
}

interface SeenOperation {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  /** As Apollo names it, which is the operation's own. */
  readonly operationName: string | null
}

/** An operation as callers send it. */
interface OperationText {
  readonly text: string
  readonly operationName: string | null
  /** Apollo's, of the text. */
  readonly queryHash: string
}

/** The operations of one schema, those that were used last. */
export interface KnownOperations {
  readonly recall: (seen: SeenOperation, queryHash: string) => KnownOperation
  /** To be called when Apollo's answer has no error; `name` is the caller's own. */
  readonly answered: (operation: KnownOperation, name: string | null) => void
  /** Found by the text itself, without Apollo's digest of it. */
  readonly find: (text: string, name: string | null) => AnsweredOperation | null
  /** Those that are compiled, the last used first. */
  readonly compiled: () => readonly OperationText[]
  /** Compiles what is valid in the schema, ahead of its first use. */
  readonly prepare: (schema: GraphQLSchema, asked: OperationText) => void
}

const maxKnownOperations = 1_000
/** Of their texts, at two bytes a character. What is made of them takes some fifty times as much. */
const maxTextBytes = 4 * 1_048_576
const compileAtUse = 2
/** Operations of one text. */
const maxNames = 50

interface Entry extends AnsweredOperation {
  /** Null: not compiled. */
  readonly text: () => OperationText | null
  readonly compile: () => void
}

export function knownOperations(count: (event: 'compiled' | 'not-compilable') => void): KnownOperations {
  const byText = new LRUCache<string, Map<string | null, Entry>>({
    ...{ max: maxKnownOperations, maxSize: maxTextBytes },
    sizeCalculation: (_, text) => 2 * text.length + 64,
  })
  const known = new LRUCache<string, Entry>({
    ...{ max: maxKnownOperations, maxSize: maxTextBytes },
    sizeCalculation: ({ seen }) => 2 * (seen.document.loc?.source.body.length ?? 0) + 64,
  })

  function entry(seen: SeenOperation, queryHash: string): Entry {
    const { schema, document, operation, operationName } = seen
    let uses = 0
    let compiled: CompiledQuery | null = null
    let direct: DirectAnswering | null | undefined
    const compile = (): void => {
      uses = compileAtUse
      compiled = compileOperation(schema, document, operation)
      count(compiled ? 'compiled' : 'not-compilable')
    }
    return {
      countEntities: entityCounter(schema, document, operation),
      selections: countSelections(document, operation),
      classify: workClassifier(schema, document, operation),
      repeats: countRepeats(document, operation),
      defaulted: defaultedVariables(operation),
      seen,
      use() {
        uses += 1
        if (uses === compileAtUse) compile()
        return compiled
      },
      direct() {
        if (direct !== undefined) return direct
        if (uses < compileAtUse || operation.operation !== 'query') return null
        const writer = operationWriter(schema, document, operation)
        direct = writer === null && compiled === null ? null : { writer, compiled }
        return direct
      },
      text() {
        const text = document.loc?.source.body
        return compiled === null || text === undefined ? null : { text, operationName, queryHash }
      },
      compile,
    }
  }

  function recall(seen: SeenOperation, queryHash: string): Entry {
    const key = `${queryHash}${seen.operationName ?? ''}`
    const found = known.get(key)
    if (found) return found
    const made = entry(seen, queryHash)
    known.set(key, made)
    return made
  }

  return {
    recall,
    answered(operation, name) {
      const { seen, direct } = operation as Entry
      const text = seen.document.loc?.source.body
      if (text === undefined || direct() === null) return
      const named = byText.get(text) ?? new Map<string | null, Entry>()
      if (named.get(name) === operation) return
      if (named.size < maxNames) named.set(name, operation as Entry)
      byText.set(text, named)
    },
    find: (text, name) => byText.get(text)?.get(name) ?? null,
    compiled: () => [...known.values()].flatMap((one) => one.text() ?? []),
    prepare(schema, { text, operationName, queryHash }) {
      const document = parse(text)
      const rules = [...specifiedRules, catalogueNesting]
      if (validate(schema, document, rules, { maxErrors: 1 }).length > 0) return
      const operation = getOperationAST(document, operationName)
      if (operation) recall({ schema, document, operation, operationName }, queryHash).compile()
    },
  }
}
