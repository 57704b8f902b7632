/** The way of an operation to its answer: past Apollo, or through it by graphql-jit or graphql-js. */
export type AnswerRoute = (typeof answerRoutes)[number]

export const answerRoutes = ['direct', 'compiled', 'interpreted'] as const
