/** The name, with a number behind it where it is taken; `names` takes it up. */
export function unusedName(name: string, names: Set<string>): string {
  let unused = name
  for (let number = 2; names.has(unused); number += 1) unused = `${name}_${number}`
  names.add(unused)
  return unused
}
