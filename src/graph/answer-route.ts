/** What writes the answer of an operation: from the rows as they are stored, graphql-jit, or graphql-js. */
export type AnswerRoute = (typeof answerRoutes)[number]

export const answerRoutes = ['direct', 'compiled', 'interpreted'] as const
