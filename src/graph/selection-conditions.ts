import type { DirectiveNode } from 'graphql'

/** A variable of @include or @skip and the value it must have. */
export interface Condition {
  readonly variable: string
  readonly wanted: boolean
}

/** The conditions of a selection and of those around it; null when a literal already excludes it. */
export function withConditions(
  outer: readonly Condition[],
  directives: readonly DirectiveNode[] = [],
): readonly Condition[] | null {
  let conditions = outer
  for (const directive of directives) {
    if (directive.name.value !== 'include' && directive.name.value !== 'skip') continue
    const wanted = directive.name.value === 'include'
    const value = directive.arguments?.find((argument) => argument.name.value === 'if')?.value
    if (value?.kind === 'Variable') conditions = [...conditions, { variable: value.name.value, wanted }]
    else if (value?.kind === 'BooleanValue' && value.value !== wanted) return null
  }
  return conditions
}

export function conditionsHold(
  conditions: readonly Condition[],
  variables: Readonly<Record<string, unknown>>,
): boolean {
  return conditions.every(({ variable, wanted }) => variables[variable] === wanted)
}
