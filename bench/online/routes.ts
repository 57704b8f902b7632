/** How often each way of answering was taken by a gateway since its start, by its own count. */
export async function routesOf(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const samples = text.matchAll(/^featuregraph_operations_total\{route="(\w+)"\} (\d+)$/gm)
  return new Map([...samples].map(([, route = '', count]) => [route, Number(count)]))
}
