/** The end of the line of those that want an environment. */
let line: Promise<unknown> = Promise.resolve()

/**
 * Runs work with environment variables added, which native code of this process sees too. One work at a time: the
 * environment belongs to the process. In a worker thread native code does not see them.
 */
export function withEnvironment<T>(
  variables: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const turn = line.then(async () => {
    const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
    Object.assign(process.env, variables)
    try {
      return await work()
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })
  line = turn.catch(() => {})
  return turn
}
