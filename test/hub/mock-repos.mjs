// The repositories of the mock hub: files, commits, hashes.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

export const hash = (kind, ...parts) =>
  parts.reduce((h, p) => h.update(p), createHash(kind)).digest('hex')
const gitBlob = (bytes) => hash('sha1', `blob ${bytes.length}\0`, bytes)
const isLfs = (path, bytes) =>
  bytes.length > 10_000_000 || /\.(safetensors|bin|onnx|model|h5|msgpack|gguf|pt)$/.test(path)

/** Bytes that look random and are the same in every run. */
export function noise(length, seed) {
  const out = Buffer.alloc(length)
  let s = seed >>> 0 || 1
  for (let i = 0; i < length; i++) {
    s ^= s << 13
    s ^= s >>> 17
    s ^= s << 5
    out[i] = s
  }
  return out
}

/** A safetensors file of one f16 tensor of `length` bytes. */
export function safetensors(length, seed) {
  const n = length - (length % 2)
  let head = JSON.stringify({ weight: { dtype: 'F16', shape: [n / 2], data_offsets: [0, n] } })
  head = head.padEnd(Math.ceil(head.length / 8) * 8)
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(head.length))
  return Buffer.concat([size, Buffer.from(head), noise(n, seed)])
}

export const text = (s) => Buffer.from(s)
/** What `acme/tiny-reranker` holds: two commits that share a file, files that nobody needs, a nested path. */
export const tinyFiles = (version, size) => ({
  '.gitattributes': text('*.safetensors filter=lfs diff=lfs merge=lfs -text\n'),
  'README.md': text(`---\nlicense: apache-2.0\n---\n# tiny ${version}\n`),
  'config.json': text(
    JSON.stringify({
      architectures: ['XLMRobertaForSequenceClassification'],
      model_type: 'xlm-roberta',
      version,
    }),
  ),
  'tokenizer.json': text(JSON.stringify({ version: '1.0', note: 'x'.repeat(20_000) })),
  'model.safetensors': safetensors(size, version),
  'pytorch_model.bin': noise(size, 77),
  'onnx/model.onnx': noise(size, 78),
  'assets/deep/note.txt': text('nested\n'),
})

export function folderFiles(folder) {
  const files = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue
    const path = join(entry.parentPath ?? entry.path, entry.name)
    files[relative(folder, path).split(sep).join('/')] = readFileSync(path)
  }
  return files
}

/** files -> entries as the tree API lists them, with the bytes. */
export function commit(files, id) {
  const entries = new Map()
  for (const [path, bytes] of Object.entries(files)) {
    if (!isLfs(path, bytes)) {
      entries.set(path, { path, bytes, oid: gitBlob(bytes), size: bytes.length })
      continue
    }
    const sha = hash('sha256', bytes)
    const pointer = text(
      `version https://git-lfs.github.com/spec/v1\noid sha256:${sha}\nsize ${bytes.length}\n`,
    )
    entries.set(path, { path, bytes, pointer, oid: gitBlob(pointer), size: bytes.length, sha })
  }
  return { id, entries }
}

export function makeRepo(name, versions, { token, gated } = {}) {
  const commits = versions.map((files, i) => commit(files, hash('sha1', `${name} commit ${i}`)))
  const refs = new Map([['main', commits.at(-1).id]])
  if (commits.length > 1) refs.set('v1', commits[0].id)
  return { name, token, gated, commits: new Map(commits.map((c) => [c.id, c])), refs }
}
