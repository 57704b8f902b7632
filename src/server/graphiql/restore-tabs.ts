import type { ExampleTab } from './example-tab.ts'

/** Where GraphiQL keeps its tabs, and what is in the editors of the open one. */
const tabsKey = 'graphiql:tabState'
const queryKey = 'graphiql:query'
const variablesKey = 'graphiql:variables'
const examplesKey = 'featuregraph:examples'

interface Tab {
  readonly query: string | null
  readonly variables: string | null
}

type TextTab = Tab & { readonly title: string }

/**
 * Before GraphiQL starts: puts the examples into its stored tabs. Where the same queries were given the last time, tabs
 * stay as they were left, and examples that nobody has changed get today's variables. Else the examples come first, in place
 * of former ones (of other definitions, or another project at the same address), and tabs of the reader's own behind them.
 */
export function restoreTabs(storage: Storage, examples: readonly ExampleTab[]): void {
  const current = examples.map(textTab)
  const former = readJson<readonly TextTab[]>(storage, examplesKey) ?? []
  const left = readJson<{ readonly tabs: readonly Tab[] }>(storage, tabsKey)
  storage.setItem(examplesKey, JSON.stringify(current))
  const isSame =
    former.length === current.length && former.every(({ query }, index) => query === current[index]?.query)
  if (left !== null && isSame) {
    const renewed = (tab: Tab): Tab => {
      const place = former.findIndex((one) => one.query === tab.query && one.variables === tab.variables)
      return { ...tab, variables: current[place]?.variables ?? tab.variables }
    }
    storage.setItem(tabsKey, JSON.stringify({ ...left, tabs: left.tabs.map(renewed) }))
    const open = { query: storage.getItem(queryKey), variables: storage.getItem(variablesKey) }
    const variables = renewed(open).variables
    if (variables !== null) storage.setItem(variablesKey, variables)
    return
  }
  const own = (left?.tabs ?? []).filter(({ query }) => !former.some((one) => one.query === query))
  const tabs = [
    ...current.map((tab) => ({ ...emptyTab, ...tab, id: crypto.randomUUID(), operationName: tab.title })),
    ...own,
  ]
  storage.setItem(tabsKey, JSON.stringify({ activeTabIndex: 0, tabs }))
  // What is in the editors must be the first tab's: GraphiQL would open another tab for anything else.
  storage.setItem(queryKey, current[0]?.query ?? '')
  storage.setItem(variablesKey, current[0]?.variables ?? '')
}

const emptyTab = { headers: null, response: null, hash: null }

function textTab({ name, query, variables }: ExampleTab): TextTab {
  const text = Object.keys(variables).length === 0 ? '' : JSON.stringify(variables, null, 2)
  return { title: name, query, variables: text }
}

function readJson<Stored>(storage: Storage, key: string): Stored | null {
  try {
    return JSON.parse(storage.getItem(key) ?? 'null') as Stored | null
  } catch {
    return null
  }
}
