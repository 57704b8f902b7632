// The program of a thread where the process runs from the TypeScript sources.
import { register } from 'tsx/esm/api'

register()
await import('./answer-thread.ts')
