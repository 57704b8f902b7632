// The thread's first file where this program runs from its TypeScript sources, which Node cannot load in a thread by itself.
import { register } from 'tsx/esm/api'

register()
await import('./compute-thread.ts')
