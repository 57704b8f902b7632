import { ApolloServer } from '@apollo/server'
import fastifyApollo from '@as-integrations/fastify'
import DataLoader from 'dataloader'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { type BenchView, textKey, views } from './world.ts'

/**
 * What one writes after reading the manuals: Apollo Server with its default plugins on Fastify, a DataLoader per view
 * and request, text hashes in Redis read by pipelined HMGETs.
 */
const { PORT, REDIS_URL } = process.env

const redis = new Redis(REDIS_URL ?? '')

const typeDefs = `
  scalar Int64
  type Query {
    customers(customerIds: [Int64!]!): [Customer!]!
  }
  type Customer {
    customerId: Int64!
    customerTransactionFeatures: CustomerTransactionFeatures
    customerRealtimeFeatures: CustomerRealtimeFeatures
  }
  type CustomerTransactionFeatures {
    totalTransactions30d: Float
    avgTransactionAmount30d: Float
    maxTransactionAmount30d: Float
    transactionCount7d: Int64
    uniqueMerchants30d: Int64
  }
  type CustomerRealtimeFeatures {
    transactionsLastHour: Int64
    amountLastHour: Float
    failedTransactionsLastHour: Int64
  }
`

type Row = Readonly<Record<string, number | null>>

interface Context {
  readonly transactions: DataLoader<number, Row>
  readonly realtime: DataLoader<number, Row>
}

interface Customer {
  readonly customerId: number
}

function viewLoader(view: BenchView): DataLoader<number, Row> {
  return new DataLoader(async (ids) => {
    const pipeline = redis.pipeline()
    for (const id of ids) pipeline.hmget(textKey(view, id), ...view.features)
    const answers = (await pipeline.exec()) ?? []
    return answers.map(([error, values]) => {
      if (error) throw error
      const texts = values as readonly (string | null)[]
      const isThere = texts.some((text) => text !== null)
      return Object.fromEntries(
        view.features.map((name, index) => {
          const text = texts[index] ?? null
          const value = text === null ? null : Number(text)
          return [name, isThere ? value : (view.emptyValues[index] ?? null)]
        }),
      )
    })
  })
}

const resolvers = {
  Query: {
    customers: (_root: unknown, { customerIds }: { readonly customerIds: readonly number[] }) =>
      customerIds.map((customerId) => ({ customerId })),
  },
  Customer: {
    customerTransactionFeatures: ({ customerId }: Customer, _arguments: unknown, context: Context) =>
      context.transactions.load(customerId),
    customerRealtimeFeatures: ({ customerId }: Customer, _arguments: unknown, context: Context) =>
      context.realtime.load(customerId),
  },
}

const apollo = new ApolloServer<Context>({ typeDefs, resolvers })
await apollo.start()
const app = Fastify()
await app.register(fastifyApollo(apollo), {
  context: async () => ({ transactions: viewLoader(views[0]), realtime: viewLoader(views[1]) }),
})
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
