import { pythonWith } from './python-packages.ts'

/** Runs a Python script that may import pandas, and returns what it printed. */
export type RunPython = (script: string, ...args: readonly string[]) => Promise<string>

/** Null where there is no Python 3.10 or later; pandas comes from PyPI into `.cache/`, once. */
export async function pandas(): Promise<RunPython | null> {
  const python = await pythonWith('pandas', ['pandas>=2,<4'])
  return python && ((script, ...args) => python([script, ...args]))
}
