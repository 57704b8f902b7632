import { parentPort, workerData } from 'node:worker_threads'
import type { Value } from '../definitions/value.ts'
import { type ComputeFailure, type ComputePlan, computeRow } from './compute-row.ts'
import { functionsIn } from './functions.ts'
import type { ThreadAnswer } from './thread-messages.ts'

/** The other side of `open-compute-thread.ts`: loads the functions by itself, and answers a batch after the other. */
interface ThreadData {
  readonly folder: string
  readonly plans: readonly ComputePlan[]
}

const { folder, plans } = workerData as ThreadData
const functions = functionsIn(folder)
const sought = plans.map(({ view, module }) => ({ name: view, module }))
await functions.load(sought)
const lacking = sought.filter((one) => functions.find(one) === null).map(({ name }) => name)
answer({ kind: 'READY', lacking })

parentPort?.on('message', (batch: { readonly plan: number; readonly rows: readonly (Value | null)[][] }) => {
  const plan = plans[batch.plan]
  const compute = plan && functions.find({ name: plan.view, module: plan.module })
  if (!plan || !compute) throw new TypeError(`there is no plan ${batch.plan}`)
  const failures = new Map<string, Omit<ComputeFailure, 'cause'>>()
  const note = ({ view, kind, message }: ComputeFailure): void => {
    if (!failures.has(kind)) failures.set(kind, { view, kind, message })
  }
  const rows = batch.rows.map((inputs) => computeRow(plan, compute, inputs, note))
  answer({ kind: 'ROWS', rows, failures: [...failures.values()] })
})

function answer(message: ThreadAnswer): void {
  parentPort?.postMessage(message)
}
