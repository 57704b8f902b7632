/** A named operation with its variables, as a tab of GraphiQL shows it. */
export interface ExampleTab {
  /** The operation's name; GraphiQL names the tab after it. */
  readonly name: string
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
}
