import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const cli = fileURLToPath(new URL('../../cli/dist/cli.js', import.meta.url))

/** What the program itself wrote: Dawn's native code adds warnings about limits on some adapters. */
const own = (stderr: string) => stderr.replace(/^Warning: max\w+ artificially reduced .*\n/gm, '')

function run(args: string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    input,
    encoding: 'utf8',
  })
  return { status, stdout, stderr: own(stderr) }
}

// The bundle comes from `npm run build`, which `npm test` runs first.
describe.skipIf(!existsSync(cli))('the program', () => {
  it('ends with 2 and one message for wrong usage', () => {
    const { status, stdout, stderr } = run(['rerank', 'q', 'p', '--top', 'x'])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^error: option '-n, --top <n>' argument 'x' is invalid\./)
    expect(stderr).not.toContain('    at ')
  })

  it('ends with 1 and one message for a model that is not there', () => {
    const { status, stdout, stderr } = run(['rerank', 'q', 'p', '--model', 'no/such/folder'])
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^dawnrank: .*no\/such\/folder.*\n$/)
  })

  it('prints its version', () => {
    expect(run(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('reranks arguments and JSON lines with the embedded model', () => {
    const panda = 'The giant panda is a bear species that lives in the mountains of central China.'
    const { status, stdout, stderr } = run(['rerank', 'what is panda?', 'hi', panda])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const ranked = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(ranked.map(({ index }) => index)).toEqual([1, 0])
    // PyTorch's logits in float32 on the same weights.
    expect(ranked[0].score).toBeCloseTo(4.896425, 2)
    expect(ranked[1].score).toBeCloseTo(-15.274154, 2)

    const input = `${JSON.stringify({ query: 'what is panda?', passage: panda, id: 3 })}\n{`
    const lines = run(['rerank'], input)
    expect(lines.status).toBe(1)
    expect(lines.stderr).toMatch(/^dawnrank: stdin:2: not JSON/)
    const answer = JSON.parse(lines.stdout)
    expect(answer).toMatchObject({ query: 'what is panda?', passage: panda, id: 3 })
    expect(answer.score).toBe(ranked[0].score)
  })

  it('ends quietly when the reader of its output goes, though input goes on', async () => {
    const child = spawn(process.execPath, [cli, 'rerank'], { stdio: 'pipe' })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.stdin.on('error', () => {})
    child.stdout.once('data', () => child.stdout.destroy())
    const feed = setInterval(() => child.stdin.write('{"query":"q","passage":"p"}\n'), 20)
    const status = await new Promise((resolve) => child.once('exit', resolve))
    clearInterval(feed)
    expect({ status, stderr: own(stderr) }).toEqual({ status: 0, stderr: '' })
  })

  it.skipIf(process.platform === 'win32')('ends with 130 at an interrupt', async () => {
    const child = spawn(process.execPath, [cli, 'rerank'], { stdio: 'pipe' })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.stdin.write('{"query":"q","passage":"p"}\n')
    child.stdout.once('data', () => child.kill('SIGINT'))
    const status = await new Promise((resolve) => child.once('exit', resolve))
    expect({ status, stderr: own(stderr) }).toEqual({
      status: 130,
      stderr: 'dawnrank: stopped\n',
    })
  })
})
