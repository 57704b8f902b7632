import { type GuardWorld, type OpenGuardOptions, openGuard } from '../gateway/run-guard.ts'

/** The work, while this process helps to keep the online store readable; that ends with the work, however it ends. */
export async function guardBeside<Result>(
  world: GuardWorld,
  { signal, apart, hold }: OpenGuardOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const ended = new AbortController()
  const guarding = openGuard(world, {
    signal: AbortSignal.any([signal, ended.signal]),
    apart,
    ...(hold ? { hold } : {}),
  })
  try {
    return await work()
  } finally {
    ended.abort()
    await guarding
  }
}
